"""
The spool's byte layout: one frame is one frozen block.

    offset  bytes  what
    0       4      magic ``FBF1``
    4       4      head length, little endian
    8       4      body length, little endian
    12      4      CRC-32 (zlib) of bytes 4..12, the head and the body
    16      h      head: UTF-8 JSON, one object (``FrameHead``)
    16+h    b      body: one zstd frame with content size, exactly the bytes that the collector will get

The head's ``lines`` is the number of newlines in the body and ``shed`` what processors took out before it was frozen
({reason: [lines, bytes]}), so that a restart counts exactly what was counted when the frame was made.

A segment file ``<first sequence, 16 digits>.spool`` is frames end to end. A frame without a body (``dropped`` set in
its head) records that a block was shed whole: it is counted, its position passes, nothing is sent.

Recovery: frames are read from the front. A frame whose magic, lengths or CRC are wrong is skipped to the next magic
that begins a whole frame; the bytes between are counted as corrupt. What is torn at the end was never acknowledged
(the fsync had not returned), so its source still has it.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.block import Block, FileMark, Position, Shed, Stream

MAGIC = b"FBF1"
PREFIX = struct.Struct("<4sIII")
MAX_HEAD_BYTES = 1 << 16  # a head is well under 1 KiB; more means that the length is not ours
MAX_BODY_BYTES = 1 << 27  # the relay's largest request is 64 MiB before compression


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame says about its block; ``raw_bytes`` is the uncompressed length, ``at`` is epoch seconds."""

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


def head_of(block: Block, sequence: int, at: float, dropped: str | None = None) -> FrameHead:
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
    )


def encode(head: FrameHead, body: bytes) -> bytes:
    """Lay a frame out; *body* is compressed already, empty for a frame that records a drop."""
    text = json.dumps(_as_json(head), separators=(",", ":")).encode()
    lengths = struct.pack("<II", len(text), len(body))
    checksum = zlib.crc32(body, zlib.crc32(text, zlib.crc32(lengths)))
    return b"".join((PREFIX.pack(MAGIC, len(text), len(body), checksum), text, body))


def frame_bytes(prefix: bytes) -> int:
    """Give the whole length that a frame's first 16 bytes claim; 0 when they are too few."""
    if len(prefix) < PREFIX.size:
        return 0
    _, head_bytes, body_bytes, _ = PREFIX.unpack(prefix)
    return PREFIX.size + int(head_bytes) + int(body_bytes)


@dataclass(frozen=True, slots=True)
class Found:
    """A whole frame inside some bytes: its head, where its body lies, and where the next frame begins."""

    head: FrameHead
    body_start: int
    end: int


def decode(data: bytes, offset: int = 0) -> Found | None:
    """Read the frame at *offset* of *data*; None when there is no whole, undamaged frame."""
    if len(data) - offset < PREFIX.size:
        return None
    magic, head_bytes, body_bytes, checksum = PREFIX.unpack_from(data, offset)
    start = offset + PREFIX.size
    end = start + head_bytes + body_bytes
    if magic != MAGIC or head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES or end > len(data):
        return None
    view = memoryview(data)
    if zlib.crc32(view[start:end], zlib.crc32(view[offset + 4 : offset + 12])) != checksum:
        return None
    head = _from_json(json.loads(data[start : start + head_bytes]))
    return Found(head, start + head_bytes, end)


def frames(data: bytes) -> Iterator[Found | int]:
    """
    Walk a segment's bytes.

    Yields:
        Each whole frame, and between them the number of corrupt bytes that had to be passed over.
    """
    offset = 0
    while offset < len(data):
        found = decode(data, offset)
        if found is not None:
            yield found
            offset = found.end
            continue
        following = _next_whole(data, offset + 1)
        yield following - offset
        offset = following


def _next_whole(data: bytes, offset: int) -> int:
    """Find the next offset at which a whole frame begins, or the end."""
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
        "range": [head.position.generation, head.position.start, head.position.end],
        "file": mark and [mark.path, mark.device, mark.inode, mark.signature_bytes, mark.signature],
    }


def _from_json(fields: Any) -> FrameHead:
    """Undo ``_as_json``; the CRC has vouched for the shape. Frames of earlier versions have no lines and nothing shed."""
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
        lines=fields.get("lines", 0),
        shed={reason: (lines, size) for reason, (lines, size) in fields.get("shed", {}).items()},
    )
