"""
ClickHouse's own compressed framing, which ``compress=1`` asks of an answer and ``decompress=1`` says of a body.

::

    frame = checksum: 16 bytes     CityHash128 (of its version 1.0.2) of what follows
            method: UInt8          0x82 LZ4 block, 0x90 zstd, 0x02 plain
            size: UInt32           of the frame from its method on
            plain size: UInt32
            data

Source: ClickHouse's src/Compression/CompressedReadBufferBase.cpp and CompressionInfo.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import lz4.block  # type: ignore[import-untyped]
from backports import zstd
from clickhouse_cityhash import cityhash  # type: ignore[import-untyped]

from collector.errors import Malformed, TooLarge

# What ClickHouse's own writer puts into one (max_compress_block_size).
_FRAME_BYTES = 1 << 20
_HEAD = struct.Struct("<BII")
_CHECKSUM_BYTES = 16
_PLAIN, _LZ4, _ZSTD = 0x02, 0x82, 0x90


def framed(data: bytes) -> Iterator[bytes]:
    """Yield *data* as LZ4 frames."""
    for start in range(0, len(data), _FRAME_BYTES):
        part = data[start : start + _FRAME_BYTES]
        yield _frame(_LZ4, len(part), lz4.block.compress(part, store_size=False))


def plain_frame(data: bytes) -> bytes:
    """Return *data* as a frame whose bytes can be read without undoing it: clients that look for an error's words find them."""
    return _frame(_PLAIN, len(data), data)


def unframed(body: bytes, limit: int) -> bytes:
    """
    Return what the frames of *body* hold.

    Raises:
        Malformed: ``bad_lz4``: it is not frames, one is cut off, or its checksum is another.
        TooLarge: ``sql_too_long``: more than *limit* bytes.
    """
    parts: list[bytes] = []
    place = total = 0
    while place < len(body):
        method, size, plain_size, place = _head(body, place)
        total += plain_size
        if total > limit:
            raise TooLarge("sql_too_long", f"a request here may have {limit} bytes")
        parts.append(_undone(method, body[place : place + size], plain_size))
        place += size
    return b"".join(parts)


def _head(body: bytes, place: int) -> tuple[int, int, int, int]:
    start = place + _CHECKSUM_BYTES
    if len(body) < start + _HEAD.size:
        raise _bad("a frame is cut off")
    method, size, plain_size = _HEAD.unpack_from(body, start)
    if size < _HEAD.size or len(body) < start + size:
        raise _bad("a frame is cut off")
    if _checksum(body[start : start + size]) != body[place:start]:
        raise _bad("a frame's checksum is not that of its bytes")
    return method, size - _HEAD.size, plain_size, start + _HEAD.size


def _undone(method: int, data: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            plain: bytes = lz4.block.decompress(data, uncompressed_size=size)
        elif method == _ZSTD:
            plain = zstd.ZstdDecompressor().decompress(data, max_length=size + 1)
        elif method == _PLAIN:
            plain = data
        else:
            raise _bad(f"method {method:#04x} is not known")
    except (lz4.block.LZ4BlockError, zstd.ZstdError) as error:
        raise _bad(str(error)) from error
    if len(plain) != size:
        raise _bad(f"a frame says that it holds {size} bytes and does not")
    return plain


def _frame(method: int, plain_size: int, data: bytes) -> bytes:
    rest = _HEAD.pack(method, len(data) + _HEAD.size, plain_size) + data
    return _checksum(rest) + rest


def _checksum(data: bytes) -> bytes:
    """Return both halves of the hash, each from its low byte on; the library's number has the first one on top."""
    value: bytes = cityhash.CityHash128(data).to_bytes(_CHECKSUM_BYTES, "little")
    return value[8:] + value[:8]


def _bad(what: str) -> Malformed:
    return Malformed("bad_lz4", f"the body is not in ClickHouse's compressed framing: {what}", "decompress")
