"""
MessagePack of a forward connection -> events as lines of JSON.

::

    message = [tag, time, record, option?] | [tag, [[time, record]*], option?] | [tag, packed, option?]
    packed  = [time, record]*, as bytes, gzipped where option.compressed says so
    time    = seconds | EventTime, extension 0: seconds and nanoseconds, 32 bits each, from the high byte on

Both are undone and written by C (msgpack, msgspec); of Python's own there is one call an event, for its EventTime (0.2 to 0.3 M events of 265 bytes a CPU-second in all).

Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]
import msgspec

from collector.errors import Malformed, TooLarge, Unsupported

_EVENT_TIME = 0
_EVENT_TIME_BYTES = 8
_GZIP = zlib.MAX_WBITS | 16
_ENCODER = msgspec.json.Encoder(enc_hook=str)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """
    Events of one tag.

    Attributes:
        tag: Of the sender.
        lines: One ``[time, record]`` per event, each ended.
        chunk: What is acknowledged; empty: nothing is asked for.
    """

    tag: str
    lines: bytes
    chunk: str = ""


def unpacker(limit: int) -> Any:
    """Return what a connection's bytes are fed to; a message may have *limit* bytes."""
    return msgpack.Unpacker(
        raw=False,
        unicode_errors="surrogateescape",
        strict_map_key=False,
        ext_hook=_extension,
        max_buffer_size=limit,
    )


def read(message: object, limit: int) -> Forwarded:
    """
    Return the events of one message.

    Args:
        message: As unpacked.
        limit: Bytes that a gzipped chunk may become.

    Raises:
        Malformed: ``bad_forward``: it is none.
        TooLarge: ``body_too_large``.
        Unsupported: ``unsupported_signal``: Fluent Bit's metrics and traces, which come by OTLP.
    """
    match message:
        case [str(tag), [*entries], *rest]:
            return _forwarded(tag, entries, _option(rest))
        case [str(tag), bytes() | str() as packed, *rest]:
            option = _option(rest)
            raw = packed if isinstance(packed, bytes) else packed.encode("utf-8", "surrogateescape")
            return _forwarded(tag, _unpacked(raw, option, limit), option)
        case [str(tag), int() | float() as time, dict(record), *rest]:
            return _forwarded(tag, [[time, record]], _option(rest))
    raise Malformed("bad_forward", f"not a message of the forward protocol: {repr(message)[:80]}")


def _option(rest: Sequence[object]) -> Mapping[str, Any]:
    option = rest[0] if rest and isinstance(rest[0], dict) else {}
    if option.get("fluent_signal", 0) != 0:
        raise Unsupported(
            "unsupported_signal", "metrics and traces of Fluent Bit are taken by OTLP, not by forward"
        )
    return option


def _forwarded(tag: str, entries: Sequence[Any], option: Mapping[str, Any]) -> Forwarded:
    if not all(type(entry) is list and len(entry) == 2 and type(entry[1]) is dict for entry in entries):
        raise Malformed("bad_forward", "an event is not [time, record]")
    chunk = option.get("chunk", "")
    try:
        lines = _ENCODER.encode_lines(entries)
    except (UnicodeEncodeError, ValueError, TypeError, msgspec.MsgspecError):
        lines = _ENCODER.encode_lines(
            _cleaned(entries)
        )  # rare: bytes that are no UTF-8, keys that are no text
    return Forwarded(tag, lines, chunk if isinstance(chunk, str) else "")


def _unpacked(packed: bytes, option: Mapping[str, Any], limit: int) -> list[Any]:
    data = _ungzipped(packed, limit) if option.get("compressed") == "gzip" else packed
    inner = unpacker(max(len(data), 1))
    inner.feed(data)
    entries: list[Any] = []
    ended = 0
    try:
        for entry in inner:
            entries.append(entry)
            ended = inner.tell()  # where this one ends: what is cut off is counted as read at the end
    except (ValueError, msgpack.UnpackException) as error:
        raise Malformed("bad_forward", f"packed events cannot be read: {error}") from error
    if ended != len(data):
        raise Malformed("bad_forward", "packed events are cut off")
    return entries


def _ungzipped(data: bytes, limit: int) -> bytes:
    """Undo gzip, of any number of members one behind the other."""
    parts: list[bytes] = []
    room = limit
    try:
        while data:
            member = zlib.decompressobj(_GZIP)
            parts.append(member.decompress(data, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise TooLarge("body_too_large", f"a gzipped chunk becomes more than decoded_bytes = {limit}")
            if not member.eof:
                raise Malformed("bad_forward", "a gzipped chunk is cut off")
            data = member.unused_data
    except zlib.error as error:
        raise Malformed("bad_forward", f"a chunk is not the gzip that it says: {error}") from error
    return b"".join(parts)


def _extension(code: int, data: bytes) -> object:
    """Return an EventTime as nanoseconds, a number like seconds are; another extension as hexadecimal digits."""
    if code == _EVENT_TIME and len(data) == _EVENT_TIME_BYTES:
        return int.from_bytes(data[:4], "big") * 10**9 + int.from_bytes(data[4:], "big")
    return data.hex()


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        case dict():
            return {str(_cleaned(key)): _cleaned(item) for key, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
    return value
