"""
The spool's byte layout: one frame is one frozen block.

    offset  bytes  what
    0       4      magic ``FBF2``; the digit is the layout's version
    4       4      head length h, little endian
    8       4      body length b, little endian
    12      4      CRC-32 (zlib) of bytes 4..12 and the head
    16      4      CRC-32 (zlib) of the body
    20      h      head: UTF-8 JSON, one object (``FrameHead``)
    20+h    b      body: one zstd frame with content size, exactly the bytes that the collector will get

The head carries the block's identity (source, file, generation, [start, end), key), so that a restart never cuts it again under
another one. Its ``lines`` is the number of newlines in the body and ``shed`` what processors took out before it was
frozen ({reason: [lines, bytes]}), so that a restart counts exactly what was counted when the frame was made. ``through`` is
the last sequence that was durable when the frame was written: what is damaged at or below the highest ``through`` had been
promised, what is damaged above it may never have been.

A segment file ``<first sequence, 16 digits>.spool`` is frames end to end. A frame without a body (``dropped`` set in
its head) records that a block was shed whole: it is counted, its position passes, nothing is sent. Where a file begins at a
sequence, frames of earlier files with that sequence or a later one are void: they were written again (``spool``).

Recovery: frames are read from the front. A frame whose head is whole and whose body is not (``Hurt``) is known by its head and
passed over; where the head is not whole either, reading goes on at the next magic that begins a whole head, and the
bytes between are counted as corrupt. What is torn at the end was never acknowledged (the fsync had not returned), so its
source still has it. A file of a version that is not ours is set aside, not deleted.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.block import Block, FileMark, Position, Shed, Stream

MAGIC = b"FBF2"
PREFIX = struct.Struct("<4sIIII")
MAX_HEAD_BYTES = 1 << 16  # a head is well under 1 KiB; more means that the length is not ours
MAX_BODY_BYTES = 1 << 27  # the relay's largest request is 64 MiB before compression


@dataclass(frozen=True, slots=True)
class FrameHead:
    """
    What a frame says about its block; ``raw_bytes`` is the uncompressed length, ``at`` is epoch seconds.

    ``through`` is the last sequence that was durable when the frame was written.
    """

    sequence: int
    stream: Stream
    path: str
    key: str
    position: Position
    raw_bytes: int
    at: float
    headers: dict[str, str] = field(default_factory=dict)
    dropped: str | None = None
    lines: int = 0
    shed: Shed = field(default_factory=dict)
    through: int = 0


def head_of(
    block: Block, sequence: int, at: float, dropped: str | None = None, through: int = 0
) -> FrameHead:
    """Describe *block* under its place in the spool."""
    return FrameHead(
        sequence=sequence,
        stream=block.stream,
        path=block.path,
        key=block.key,
        position=block.position,
        raw_bytes=len(block.body),
        at=at,
        headers=block.headers,
        dropped=dropped,
        lines=block.body.count(b"\n"),
        shed=block.shed,
        through=through,
    )


def encode(head: FrameHead, body: bytes) -> bytes:
    """Lay a frame out; *body* is compressed already, empty for a frame that records a drop."""
    text = json.dumps(_as_json(head), separators=(",", ":")).encode()
    lengths = struct.pack("<II", len(text), len(body))
    prefix = PREFIX.pack(MAGIC, len(text), len(body), zlib.crc32(text, zlib.crc32(lengths)), zlib.crc32(body))
    return b"".join((prefix, text, body))


def frame_bytes(prefix: bytes) -> int:
    """Give the whole length that a frame's first 20 bytes claim; 0 when they are too few."""
    if len(prefix) < PREFIX.size:
        return 0
    _, head_bytes, body_bytes, *_ = PREFIX.unpack(prefix)
    return PREFIX.size + int(head_bytes) + int(body_bytes)


@dataclass(frozen=True, slots=True)
class Found:
    """A whole frame inside some bytes: its head, where its body lies, and where the next frame begins."""

    head: FrameHead
    body_start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hurt:
    """A frame whose head is whole and whose body is damaged or cut short, and where the next frame would begin."""

    head: FrameHead
    end: int


def decode(data: bytes, offset: int = 0) -> Found | Hurt | None:
    """Read the frame at *offset* of *data*; None when no whole head stands there."""
    if len(data) - offset < PREFIX.size:
        return None
    magic, head_bytes, body_bytes, head_crc, body_crc = PREFIX.unpack_from(data, offset)
    start = offset + PREFIX.size
    body_start, end = start + head_bytes, start + head_bytes + body_bytes
    if magic != MAGIC or head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES or body_start > len(data):
        return None
    view = memoryview(data)
    if zlib.crc32(view[start:body_start], zlib.crc32(view[offset + 4 : offset + 12])) != head_crc:
        return None
    try:
        head = _from_json(json.loads(data[start:body_start]))
    except (
        ValueError,
        KeyError,
        TypeError,
    ):  # a checksum can be right by chance or by intent; the shape is ours or not
        return None
    if end > len(data) or zlib.crc32(view[body_start:end]) != body_crc:
        return Hurt(head, min(end, len(data)))
    return Found(head, body_start, end)


def frames(data: bytes) -> Iterator[Found | Hurt | int]:
    """
    Walk a segment's bytes.

    Yields:
        Each frame whose head is whole, and between them the number of corrupt bytes that had to be passed over.
    """
    offset = 0
    while offset < len(data):
        item = decode(data, offset)
        if item is not None:
            yield item
            offset = item.end
            continue
        following = _next_head(data, offset + 1)
        yield following - offset
        offset = following


def of_another_version(data: bytes) -> bool:
    """Say whether a file's first bytes are a frame of a layout that is not ours."""
    return data[:3] == MAGIC[:3] and data[3:4].isdigit() and data[:4] != MAGIC


def _next_head(data: bytes, offset: int) -> int:
    """Find the next offset at which a whole head begins, or the end."""
    candidate = data.find(MAGIC, offset)
    while candidate >= 0:
        if decode(data, candidate) is not None:
            return candidate
        candidate = data.find(MAGIC, candidate + 1)
    return len(data)


def _as_json(head: FrameHead) -> dict[str, object]:
    mark = head.position.file
    return {
        "seq": head.sequence,
        "stream": [head.stream.service, head.stream.env, head.stream.signal, head.stream.source],
        "path": head.path,
        "key": head.key,
        "at": head.at,
        "raw": head.raw_bytes,
        "headers": head.headers,
        "dropped": head.dropped,
        "lines": head.lines,
        "shed": head.shed,
        "through": head.through,
        "range": [head.position.generation, head.position.start, head.position.end],
        "file": mark and [getattr(mark, name) for name in FileMark.__slots__],
    }


def _from_json(fields: Any) -> FrameHead:
    """Undo ``_as_json``; the CRC has vouched for the shape."""
    generation, start, end = fields["range"]
    mark = FileMark(*fields["file"]) if fields["file"] else None
    return FrameHead(
        sequence=fields["seq"],
        stream=Stream(*fields["stream"]),
        path=fields["path"],
        key=fields["key"],
        position=Position(generation, start, end, mark),
        raw_bytes=fields["raw"],
        at=fields["at"],
        headers=fields["headers"],
        dropped=fields["dropped"],
        lines=fields["lines"],
        shed={reason: (lines, size) for reason, (lines, size) in fields["shed"].items()},
        through=fields["through"],
    )
