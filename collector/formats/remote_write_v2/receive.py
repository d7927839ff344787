"""
The promise made to a remote_write 2.0 sender: ``POST /api/v1/write`` (or ``/api/v1/push``), 204 with what was written.

Costs 2 µs per series in Python, beyond parsing: the answer must count samples, histograms and exemplars, and a number beyond the table
of symbols is a 400; both are passes over each series' own arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.errors import Malformed
from collector.formats import prometheus
from collector.receive.protocol import Judged, Response

_WRITTEN = {"samples": "Samples", "histograms": "Histograms", "exemplars": "Exemplars"}


def look(request: Any) -> Judged:
    """
    Count what is written.

    Raises:
        Malformed: ``bad_symbols``: the table does not begin with the empty string, a series has no labels or half a pair, or refers beyond it.
    """
    symbols = len(request.symbols)
    if request.timeseries and (not symbols or request.symbols[0]):
        raise Malformed("bad_symbols", "symbols must begin with the empty string")
    samples = histograms = exemplars = 0
    for series in request.timeseries:
        samples += len(series.samples)
        histograms += len(series.histograms)
        _check(series.labels_refs, symbols, at_least=2)
        if series.exemplars:
            exemplars += len(series.exemplars)
            for exemplar in series.exemplars:
                _check(exemplar.labels_refs, symbols, at_least=0)
        if series.metadata.help_ref >= symbols or series.metadata.unit_ref >= symbols:
            raise _beyond(max(series.metadata.help_ref, series.metadata.unit_ref), symbols)
    told = {"samples": samples, "histograms": histograms, "exemplars": exemplars}
    lacks = () if exemplars else ("exemplars",)
    return Judged(len(request.timeseries), timed=samples + histograms + exemplars > 0, told=told, lacks=lacks)


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 204 with the three headers that say what was written."""
    written = {
        f"x-prometheus-remote-write-{name.lower()}-written": str(given.get(kind, 0))
        for kind, name in _WRITTEN.items()
    }
    answer = prometheus.respond(given, duplicate)
    return Response(answer.status, answer.body, answer.content_type, {**written, **answer.headers})


def _check(numbers: Any, symbols: int, at_least: int) -> None:
    if len(numbers) % 2 or len(numbers) < at_least:
        raise Malformed("bad_symbols", f"{len(numbers)} numbers are no pairs of label names and values")
    if numbers and (highest := max(numbers)) >= symbols:
        raise _beyond(highest, symbols)


def _beyond(number: int, symbols: int) -> Malformed:
    return Malformed("bad_symbols", f"number {number} is beyond the {symbols} symbols")


PROTOCOL = prometheus.protocol(
    "remote_write_v2", ("application/x-protobuf;proto=io.prometheus.write.v2.Request",), look, respond
)
