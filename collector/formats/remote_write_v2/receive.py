"""
The promise made to a remote_write 2.0 sender: ``POST /api/v1/write`` (or ``/api/v1/push``), 204 with what was written.

Costs 0.7 µs per series in Python, beyond parsing: half a pair of label name and value, and a number beyond the table of symbols, are a 400.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from collector.errors import Malformed
from collector.formats import prometheus
from collector.receive.protocol import Judged, Response

# A sub-message's numbers are gathered where they are declared as repeated ones: of each series' metadata all help_ref, not the last.
_GATHERED = """
message Request { Series timeseries = 5; }
message Series {
  repeated uint32 labels_refs = 1; repeated bytes samples = 2; repeated bytes histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5;
}
message Metadata { repeated uint32 help_ref = 3; repeated uint32 unit_ref = 4; }
message Exemplar { repeated uint32 labels_refs = 1; }
"""
_REFS = attrgetter("labels_refs")
_WRITTEN = {"samples": "Samples", "histograms": "Histograms", "exemplars": "Exemplars"}


def look(request: Any, gathered: Any) -> Judged:
    """
    Count what is written.

    Raises:
        Malformed: ``bad_symbols``: the table does not begin with the empty string, a series has no labels or half a pair, or refers beyond it.
    """
    symbols, told = len(request.symbols), gathered.timeseries
    if request.timeseries and (not symbols or request.symbols[0]):
        raise Malformed("bad_symbols", "symbols must begin with the empty string")
    _check_pairs(map(len, map(_REFS, request.timeseries)), at_least=2)
    for numbers in (told.labels_refs, told.metadata.help_ref, told.metadata.unit_ref):
        _check_known(numbers, symbols)
    for exemplar in told.exemplars:
        _check_pairs([len(exemplar.labels_refs)], at_least=0)
        _check_known(exemplar.labels_refs, symbols)
    counts = {kind: len(getattr(told, kind)) for kind in _WRITTEN}
    lacks = prometheus.lacking(counts["histograms"], 0, counts["exemplars"])
    return Judged(len(request.timeseries), timed=any(counts.values()), told=counts, lacks=lacks)


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 204 with the three headers that say what was written."""
    written = {
        f"x-prometheus-remote-write-{name.lower()}-written": str(given.get(kind, 0))
        for kind, name in _WRITTEN.items()
    }
    answer = prometheus.respond(given, duplicate)
    return Response(answer.status, answer.body, answer.content_type, {**written, **answer.headers})


def _check_pairs(lengths: Iterable[int], at_least: int) -> None:
    for length in lengths:
        if length % 2 or length < at_least:
            raise Malformed("bad_symbols", f"{length} numbers are no pairs of label names and values")


def _check_known(numbers: Sequence[int], symbols: int) -> None:
    if numbers and (highest := max(numbers)) >= symbols:
        raise Malformed("bad_symbols", f"number {highest} is beyond the {symbols} symbols")


PROTOCOL = prometheus.protocol(
    "remote_write_v2",
    ("application/x-protobuf;proto=io.prometheus.write.v2.Request",),
    look,
    _GATHERED,
    respond,
)
