"""One file of the spool: frames end to end, appended to by one process, read in order."""

import os
from pathlib import Path
from typing import NamedTuple

from agents.checkpoint import sync_directory
from agents.frame import PREFIX, Found, FrameHead, decode, frame_bytes, frames

SUFFIX = ".spool"


class Segment:
    """
    An open segment file.

    Attributes:
        written_bytes: Where the next frame goes.
        durable_bytes: Up to where a power cut cannot take it away; nobody reads beyond.
        last_sequence: Of the last frame in it; 0 when empty.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        self.descriptor = os.open(path, flags, 0o600)
        self.written_bytes = 0 if create else os.fstat(self.descriptor).st_size
        self.durable_bytes = self.written_bytes
        self.last_sequence = 0
        if create:
            sync_directory(path.parent)

    def append(self, data: bytes, sequence: int) -> None:
        """
        Write one frame; it is not durable yet.

        Raises:
            OSError: The disk refuses; nothing of the frame counts, the next append overwrites it.
        """
        offset = self.written_bytes
        view = memoryview(data)
        done = 0
        while done < len(data):
            done += os.pwrite(self.descriptor, view[done:], offset + done)
        self.written_bytes = offset + len(data)
        self.last_sequence = sequence

    def sync(self, written_bytes: int) -> None:
        """Make the first *written_bytes* durable."""
        os.fdatasync(self.descriptor)
        self.durable_bytes = max(self.durable_bytes, written_bytes)

    def close(self) -> None:
        """Let the descriptor go."""
        os.close(self.descriptor)

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink()

    def heads(self) -> "tuple[list[FrameHead], int]":
        """
        Read what a former process left here.

        Returns:
            The heads of the whole frames, and the number of damaged bytes between and behind them.
        """
        heads: list[FrameHead] = []
        corrupt = 0
        for item in frames(os.pread(self.descriptor, self.written_bytes, 0)):
            if isinstance(item, Found):
                heads.append(item.head)
            else:
                corrupt += item
        self.last_sequence = heads[-1].sequence if heads else 0
        return heads, corrupt


class Read(NamedTuple):
    """A frame read back: its head, its compressed body, where the next one begins, damage passed over before it."""

    head: FrameHead
    body: bytes
    end: int
    corrupt_bytes: int


def read_frame(segment: Segment, offset: int) -> Read | int:
    """
    Read the next whole frame of *segment* at or behind *offset*.

    Returns:
        The frame, or the number of damaged bytes when there is none before ``durable_bytes``.
    """
    prefix = os.pread(segment.descriptor, PREFIX.size, offset)
    length = min(frame_bytes(prefix), segment.durable_bytes - offset)
    data = os.pread(segment.descriptor, length, offset)
    found = decode(data)
    if found is not None:
        return Read(found.head, data[found.body_start : found.end], offset + found.end, 0)
    return _read_behind_damage(segment, offset)


def _read_behind_damage(segment: Segment, offset: int) -> Read | int:
    """Look through the rest of the segment; rare, so it is read whole."""
    data = os.pread(segment.descriptor, segment.durable_bytes - offset, offset)
    corrupt = 0
    for item in frames(data):
        if isinstance(item, Found):
            return Read(item.head, data[item.body_start : item.end], offset + item.end, corrupt)
        corrupt += item
    return corrupt
