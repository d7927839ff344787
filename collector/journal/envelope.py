"""
The envelope: what the journal writes around a client's bytes.

One record of a segment is, decompressed, one varint-delimited Protobuf message::

    varint(length) | head fields 1..9 | tag of field 15 | varint(body length) | body

The head is written here; the body is the client's own bytes, as they came. ClickHouse reads a run of such
records with ``FORMAT Protobuf``. Hand-encoded: nine fields once per batch, and the body must not be copied into
a message object. Tested against the ``protobuf`` library reading :data:`SCHEMA`.

Source: https://protobuf.dev/programming-guides/encoding/; design.md §4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Field 15 is `bytes` for raw bodies and `Request` (declared by the format's request.proto) for Protobuf ones.
SCHEMA = """\
syntax = "proto3";
message Envelope {
  string batch_id = 1;
  uint64 received_at = 2;
  map<string, string> resource = 3;
  map<string, string> source = 4;
  string key_id = 5;
  repeated string services = 6;
  repeated string envs = 7;
  string format = 8;
  uint64 at = 9;
  %(body)s body = 15;
}
%(messages)s
"""

# The same head as ClickHouse columns; a mapping adds its own `body` to it.
STRUCTURE = (
    "batch_id String, received_at UInt64, resource Map(String, String), source Map(String, String), "
    "key_id String, services Array(String), envs Array(String), format String, at UInt64"
)

_LEN = 2
_VARINT = 0


@dataclass(frozen=True, slots=True)
class Head:
    """
    What is known of a batch besides its bytes.

    Attributes:
        batch_id: Unique, ordered by time, also the prefix of each record's id.
        received_at_ns: Epoch nanoseconds; the only clock a mapping may use.
        resource: Declared resource attributes (``Fuseboard-Resource``).
        source: Where the bytes were read (``Fuseboard-Source``): agent, kind, path, generation, offset, end.
        key_id: Name of the key that wrote, ``""`` without keys.
        services: Services the key may write; empty = any.
        envs: Environments the key may write; empty = any.
        format: Declared line format, ``""`` = detect.
        at_ns: Time of observation at the source (``Fuseboard-Scraped-At``), 0 = unknown.
    """

    batch_id: str
    received_at_ns: int
    resource: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    key_id: str = ""
    services: Sequence[str] = ()
    envs: Sequence[str] = ()
    format: str = ""
    at_ns: int = 0


def schema(messages: str | None) -> str:
    """Return the .proto text of an envelope whose body is `Request` of *messages*, or raw bytes for ``None``."""
    body = "bytes" if messages is None else "Request"
    return SCHEMA % {"body": body, "messages": messages or ""}


def encode(head: Head, body_length: int) -> bytes:
    """
    Return everything of the record that stands before the body.

    Args:
        head: The batch.
        body_length: Length in bytes of the decompressed body that will follow.
    """
    fields = b"".join(_head_fields(head)) + _key(15, _LEN) + varint(body_length)
    return varint(len(fields) + body_length) + fields


def varint(number: int) -> bytes:
    """Encode a non-negative integer in base 128, least significant group first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _head_fields(head: Head) -> list[bytes]:
    parts = [_text(1, head.batch_id), _number(2, head.received_at_ns)]
    parts += [_pair(3, k, v) for k, v in head.resource.items()]
    parts += [_pair(4, k, v) for k, v in head.source.items()]
    parts.append(_text(5, head.key_id))
    parts += [_text(6, service) for service in head.services]
    parts += [_text(7, env) for env in head.envs]
    parts += [_text(8, head.format), _number(9, head.at_ns)]
    return parts


def _key(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + varint(value)


def _text(number: int, value: str) -> bytes:
    raw = value.encode()
    return _key(number, _LEN) + varint(len(raw)) + raw


def _pair(number: int, key: str, value: str) -> bytes:
    entry = _text(1, key) + _text(2, value)
    return _key(number, _LEN) + varint(len(entry)) + entry
