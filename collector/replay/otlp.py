"""
OTLP requests: protobuf bodies (``*.otlp.pb``; one, or many each after its length as the OpenTelemetry Collector's file exporter writes them), JSON bodies,
and files with one JSON request a line.

A protobuf body does not say which of the three signals it is of: the file's name does, else the one whose records have times.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.replay.files import lines_of, plain_name, whole
from collector.replay.parcel import Extent, Move, Parcel, Unreadable
from collector.replay.times import move_otlp_json

SIGNALS = {"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics"}
_ENV = "deployment.environment.name"
_RECORD = {
    "traces": re.compile(rb'(?<!\\)"startTimeUnixNano"\s*:'),
    "logs": re.compile(rb'(?<!\\)"(?:observedTimeUnixNano|body)"\s*:'),
    "metrics": re.compile(rb'(?<!\\)"timeUnixNano"\s*:'),
}
_NAMED = (("traces", ("trace", "span")), ("logs", ("log",)), ("metrics", ("metric",)))


@dataclass(frozen=True, slots=True)
class JsonFile:
    """
    OTLP/JSON: the whole file one request, or each line one.

    Attributes:
        path: The file.
        resource: ``service.name`` for those that name none, ``deployment.environment.name`` for all of them.
        lines: Whether each line is a request.
    """

    path: Path
    resource: Mapping[str, str]
    lines: bool
    what: str = "OTLP/JSON"

    def extent(self) -> Extent:
        """Read all of it."""
        extent = Extent()
        for signal, text in self._requests():
            _, first_ns, last_ns = move_otlp_json(text, 0)
            extent.add(first_ns, last_ns, _count(signal, text))
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Send each request as it is, but for its times."""
        for signal, text in self._requests():
            body, first_ns, _ = move_otlp_json(text, move.shift_ns)
            yield Parcel(first_ns, f"/v1/{signal}", "application/json", body, _count(signal, text))

    def _requests(self) -> Iterator[tuple[str, bytes]]:
        texts = lines_of(self.path) if self.lines else [(1, whole(self.path))]
        for number, text in texts:
            request = _parsed(text, number)
            signal = next((SIGNALS[name] for name in SIGNALS if name in request), "")
            if not signal:
                raise Unreadable(f"line {number} has none of {', '.join(SIGNALS)}")
            yield signal, _with_resource(request, text, self.resource)


def _parsed(text: bytes, number: int) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"line {number} is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise Unreadable(f"line {number} is no JSON object")
    return request


def _count(signal: str, text: bytes) -> int:
    return max(len(_RECORD[signal].findall(text)), 1)


def _with_resource(request: dict[str, Any], text: bytes, wanted: Mapping[str, str]) -> bytes:
    """Give the request's text with the resource attributes that are *wanted*; the text itself where it has them."""
    changed = False
    for name in SIGNALS:
        parts = request.get(name)
        for part in parts if isinstance(parts, list) else ():
            if not isinstance(part, dict):
                continue
            given = part.setdefault("resource", {}).setdefault("attributes", [])
            named = {each.get("key") for each in given if isinstance(each, dict)}
            for key, value in wanted.items():
                if value and (key == _ENV or key not in named):
                    given[:] = [
                        each for each in given if not (isinstance(each, dict) and each.get("key") == key)
                    ]
                    given.append({"key": key, "value": {"stringValue": value}})
                    changed = True
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode() if changed else text


@dataclass(frozen=True, slots=True)
class ProtobufFile:
    """
    OTLP protobuf requests.

    Attributes:
        path: The file.
        resource: As of `JsonFile`.
    """

    path: Path
    resource: Mapping[str, str]
    what: str = "OTLP protobuf"

    def extent(self) -> Extent:
        """Read all of it."""
        extent = Extent()
        for _, request in self._requests():
            times = list(_times(request))
            extent.add(min(times, default=0), max(times, default=0), _records(request))
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Send each request with its times moved."""
        for signal, request in self._requests():
            first_ns = min(_times(request), default=0)
            _shift(request, move.shift_ns)
            _mark(request, self.resource)
            yield Parcel(
                first_ns,
                f"/v1/{signal}",
                "application/x-protobuf",
                request.SerializeToString(),
                _records(request),
            )

    def _requests(self) -> Iterator[tuple[str, Any]]:
        body = whole(self.path)
        signal = _signal_named(plain_name(self.path)) or _signal_named(self.path.parent.name)
        for number, message in enumerate(_messages(body), 1):
            found = _decoded(message, signal)
            if found is None:
                raise Unreadable(
                    f"message {number} is no OTLP request{f' of {signal}' if signal else ''}, or an empty one"
                )
            yield found


def _messages(body: bytes) -> list[bytes]:
    """Cut a file exporter's file at its lengths (four bytes, big-endian); any other file is one message."""
    found, place = [], 0
    while place + 4 <= len(body):
        (length,) = struct.unpack_from(">I", body, place)
        if not 0 < length <= len(body) - place - 4:
            return [body]
        found.append(body[place + 4 : place + 4 + length])
        place += 4 + length
    return found if found and place == len(body) else [body]


def _signal_named(name: str) -> str:
    return next((signal for signal, words in _NAMED if any(word in name.lower() for word in words)), "")


def _requests_by_signal() -> dict[str, type[Any]]:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return {
        "traces": ExportTraceServiceRequest,
        "logs": ExportLogsServiceRequest,
        "metrics": ExportMetricsServiceRequest,
    }


def _decoded(message: bytes, signal: str) -> tuple[str, Any] | None:
    from google.protobuf.message import DecodeError

    for name, of_signal in _requests_by_signal().items():
        if signal and name != signal:
            continue
        request = of_signal()
        try:
            request.ParseFromString(message)
        except DecodeError:
            continue
        # as another signal it may parse too, but then its times are missing or no times
        times = list(_times(request))
        if times and all(10**17 < at_ns < 10**19 for at_ns in times):
            return name, request
    return None


# What has no times of ours in it, and is much of a request.
_SKIPPED = frozenset({"attributes", "resource", "body", "scope"})


def _times(message: Any) -> Iterator[int]:
    for field, value in message.ListFields():
        if field.name.endswith("time_unix_nano"):
            yield value
        elif field.message_type is not None and field.name not in _SKIPPED:
            for each in value if field.is_repeated else (value,):
                yield from _times(each)


def _shift(message: Any, shift_ns: int) -> None:
    for field, value in message.ListFields():
        if field.name.endswith("time_unix_nano"):
            setattr(message, field.name, max(value + shift_ns, 0))
        elif field.message_type is not None and field.name not in _SKIPPED:
            for each in value if field.is_repeated else (value,):
                _shift(each, shift_ns)


def _mark(request: Any, wanted: Mapping[str, str]) -> None:
    for part in request.ListFields()[0][1]:
        given = part.resource.attributes
        for key, value in wanted.items():
            known = next((each for each in given if each.key == key), None)
            if value and (known is None or key == _ENV):
                pair = known if known is not None else given.add(key=key)
                pair.value.string_value = value


def _records(request: Any) -> int:
    count = 0
    for part in request.ListFields()[0][1]:
        for field, scopes in part.ListFields():
            if field.name.startswith("scope_"):
                count += sum(
                    len(value)
                    for scope in scopes
                    for inner, value in scope.ListFields()
                    if inner.name in {"spans", "log_records", "metrics"}
                )
    return count
