"""
Tables of spans: sent as OTLP.

They seldom say a span's kind. A span whose parent is another service's was served; one with a child of another service's called that service, which is then its
``peer.service``. For this the file is read once before: what each span's service is stays in memory, some hundred bytes a span.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.replay.parcel import Extent, Move, Parcel, Unreadable
from collector.replay.tables import SERVICES, Table, of_pod
from collector.replay.times import read_ns

_TRACE, _SPAN = ("traceid",), ("spanid", "id")
_PARENT = ("parentspanid", "parentid", "parentspan", "parent")
_NAMES = ("operationname", "operation", "spanname", "name", "url", "methodname", "type")
_STARTS = ("starttimeunixnano", "starttime", "starttimemillis", "timestamp", "time")
_ENDS = ("endtimeunixnano", "endtime")
_STATUSES = ("statuscode", "status", "success", "error")
_OK = frozenset({"", "0", "ok", "unset", "none", "status_code_unset", "status_code_ok"})
_MOST = 2000
# Span.SpanKind of OTLP.
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Span:
    """One row."""

    trace: str
    span: str
    parent: str
    service: str
    name: str
    at_ns: int
    took_ns: int
    status: str


@dataclass(slots=True)
class Kin:
    """Whose each span is, and whom it called."""

    service: dict[str, str] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)


def is_spans(table: Table) -> bool:
    """Whether a table is one of spans."""
    return all(table.place(*names) is not None for names in (_TRACE, _SPAN, _PARENT))


@dataclass(frozen=True, slots=True)
class SpanTable:
    """
    A CSV file of spans.

    Attributes:
        table: Its header.
        resource: ``service.name`` where no column says it, ``deployment.environment.name``.
    """

    table: Table
    resource: Mapping[str, str]
    what: str = "a table of spans"

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    def extent(self) -> Extent:
        """Read all of it."""
        extent = Extent()
        for span in self._spans():
            extent.add(span.at_ns, span.at_ns + span.took_ns, 1)
        if not extent.records:
            raise Unreadable("has no row")
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it into OTLP requests."""
        kin = self._kin()
        some: list[Span] = []
        for span in self._spans():
            if some and (len(some) >= _MOST or abs(span.at_ns - some[0].at_ns) >= move.step_ns):
                yield self._parcel(some, kin, move)
                some = []
            some.append(span)
        if some:
            yield self._parcel(some, kin, move)

    def _kin(self) -> Kin:
        kin, parents = Kin(), {}
        for span in self._spans():
            kin.service[span.span] = span.service
            if span.parent:
                parents[span.span] = span.parent
        for child, parent in parents.items():
            if kin.service.get(parent, kin.service[child]) != kin.service[child]:
                kin.called[parent] = kin.service[child]
        return kin

    def _parcel(self, spans: list[Span], kin: Kin, move: Move) -> Parcel:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        by_service: dict[str, list[Span]] = defaultdict(list)
        for span in spans:
            by_service[span.service].append(span)
        request = ExportTraceServiceRequest()
        for service, some in by_service.items():
            part = request.resource_spans.add()
            for key, value in {**self.resource, "service.name": service}.items():
                part.resource.attributes.add(key=key).value.string_value = value
            scope = part.scope_spans.add()
            for span in some:
                _write(scope.spans.add(), span, kin, move.shift_ns)
        body = request.SerializeToString(deterministic=True)
        return Parcel(spans[0].at_ns, "/v1/traces", "application/x-protobuf", body, len(spans))

    def _spans(self) -> Iterator[Span]:
        place = {
            name: self.table.place(*names)
            for name, names in (
                ("trace", _TRACE),
                ("span", _SPAN),
                ("parent", _PARENT),
                ("service", SERVICES),
                ("name", _NAMES),
                ("status", _STATUSES),
            )
        }
        start, end, took = (
            self.table.place(*_STARTS),
            self.table.place(*_ENDS),
            self.table.place("duration", "elapsed"),
        )
        if start is None or (end is None and took is None):
            raise Unreadable(
                f"has no start of its spans ({', '.join(_STARTS)}), or neither an end nor a duration"
            )

        def text(row: list[str], name: str) -> str:
            at = place[name]
            return row[at].strip() if at is not None else ""

        for number, row in self.table.rows():
            try:
                at_ns = read_ns(row[start])
                took_ns = (
                    read_ns(row[end]) - at_ns if end is not None else _duration_ns(row[took or 0], row[start])
                )
            except ValueError as error:
                raise Unreadable(f"line {number}: {error}") from error
            parent = text(row, "parent")
            yield Span(
                text(row, "trace"), text(row, "span"), "" if parent.lower() in {"root", "0", "none", "null", "nan"} else parent,
                of_pod(text(row, "service")) or self.resource.get("service.name") or "unknown_service",
                text(row, "name") or "span", at_ns, max(took_ns, 0), text(row, "status"),
            )  # fmt: skip


def _duration_ns(text: str, start: str) -> int:
    """Read a duration: in the unit of the start where that is micro- or nanoseconds, else in milliseconds; a start in words has microseconds beside it."""
    whole = start.partition(".")[0]
    if whole.isdigit():
        unit_ns = 1 if int(whole) >= 10**17 else 1000 if int(whole) >= 10**14 else 1_000_000
    else:
        unit_ns = 1000
    return int(float(text or 0) * unit_ns)


def failed(status: str) -> bool:
    """Whether a status is one of failure: an HTTP code from 500, another gRPC code than 0, ``error``, ``false``."""
    text = status.lower()
    if text in _OK or text == "true":
        return False
    try:
        code = float(text)
    except ValueError:
        return text not in {"success", "200 ok"}
    return code >= 500 or 0 < code < 100


def _write(target: Any, span: Span, kin: Kin, shift_ns: int) -> None:
    target.trace_id, target.span_id = _id(span.trace, 16), _id(span.span, 8)
    if span.parent:
        target.parent_span_id = _id(span.parent, 8)
    target.name = span.name
    target.start_time_unix_nano = span.at_ns + shift_ns
    target.end_time_unix_nano = span.at_ns + span.took_ns + shift_ns
    served = not span.parent or kin.service.get(span.parent, span.service) != span.service
    called = kin.called.get(span.span)
    target.kind = _SERVER if served else _CLIENT if called else _INTERNAL
    if called:
        target.attributes.add(key="peer.service").value.string_value = called
    if span.status:
        target.attributes.add(key="recorded.status").value.string_value = span.status
    if failed(span.status):
        target.status.code = 2


def _id(text: str, size: int) -> bytes:
    """Give an id's bytes: hexadecimal ones as they are, filled up with zeros; others by their hash."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if raw and len(raw) <= size and any(raw):
        return raw.rjust(size, b"\0")
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
