"""OTLP protobuf of simulated spans, written by hand: building messages one by one would take most of the experiment's time."""

from __future__ import annotations

import struct
from functools import lru_cache

_TIMES = struct.Struct("<BQBQ")
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


def varint(number: int) -> bytes:
    """Write an unsigned number as protobuf does."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, body: bytes) -> bytes:
    """Write a length-delimited field."""
    return varint(number << 3 | 2) + varint(len(body)) + body


@lru_cache(100_000)
def attribute(number: int, key: str, value: str) -> bytes:
    """Write a KeyValue of text as field *number*."""
    return field(number, field(1, key.encode()) + field(2, field(1, value.encode())))


@lru_cache(100_000)
def shape(name: str, kind: int, attributes: tuple[tuple[str, str], ...]) -> bytes:
    """Write what spans of one kind share: name, kind, attributes."""
    return (
        field(5, name.encode()) + bytes((6 << 3, kind)) + b"".join(attribute(9, *pair) for pair in attributes)
    )


def span(
    trace: bytes, own: bytes, parent: bytes, shared: bytes, start_ns: int, end_ns: int, failed: str
) -> bytes:
    """Write one Span as a field of its scope."""
    status = field(15, field(2, failed.encode()) + b"\x18\x02") if failed else b""
    ids = b"\x0a\x10" + trace + b"\x12\x08" + own + (b"\x22\x08" + parent if parent else b"")
    return field(2, ids + shared + _TIMES.pack(7 << 3 | 1, start_ns, 8 << 3 | 1, end_ns) + status)


def request(parts: dict[tuple[tuple[str, str], ...], list[bytes]]) -> bytes:
    """Write an ExportTraceServiceRequest: spans by their resource."""
    return b"".join(
        field(1, field(1, b"".join(attribute(1, *pair) for pair in resource)) + field(2, b"".join(spans)))
        for resource, spans in parts.items()
    )
