"""One file of the spool: frames end to end, appended to by one process, read in order."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agents.block import Stream
from agents.checkpoint import sync_directory
from agents.frame import PREFIX, Found, FrameHead, Hurt, decode, frame_bytes, frames

SUFFIX = ".spool"


class Amount(NamedTuple):
    """How much of one stream: (blocks, uncompressed bytes, lines)."""

    blocks: int
    bytes: int
    lines: int


class Segment:
    """
    An open segment file.

    Attributes:
        first_sequence: Its name: no frame in it has a lower one.
        written_bytes: Where the next frame goes.
        durable_bytes: Up to where a power cut cannot take it away; nobody reads beyond.
        last_sequence: Of the last frame in it; below ``first_sequence`` when empty.
        waiting: By stream, what of it is durable, unsettled and not yet read back: what damage can cost.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        """
        Open *path*.

        Raises:
            OSError: The disk refuses; nothing is left of a file that was to be made.
        """
        self.path = path
        self.first_sequence = int(path.stem)
        # Whatever has the name of a segment to be made was never published: a former attempt to make it.
        flags = os.O_RDWR | (os.O_CREAT | os.O_TRUNC if create else 0)
        self.descriptor = os.open(path, flags, 0o600)
        self.written_bytes = 0 if create else os.fstat(self.descriptor).st_size
        self.durable_bytes = self.written_bytes
        self.last_sequence = self.durable_sequence = self.first_sequence - 1
        self.waiting: dict[Stream, Amount] = {}
        if create:
            self._sync_name()

    def append(self, data: bytes, sequence: int) -> None:
        """
        Write one frame; it is not durable yet.

        Raises:
            OSError: The disk refuses; nothing of the frame counts, the next append overwrites it.
        """
        offset = self.written_bytes
        view = memoryview(data)
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self.descriptor, view[done:], offset + done)
        except OSError:
            with contextlib.suppress(OSError):  # half a frame must not keep the space that others wait for
                os.ftruncate(self.descriptor, offset)
            raise
        self.written_bytes = offset + len(data)
        self.last_sequence = sequence

    def sync(self, written_bytes: int) -> None:
        """
        Make the first *written_bytes* durable.

        Raises:
            OSError: What was written since the last success may be gone: it must be written again, elsewhere.
        """
        self.flush()
        self.made_durable(written_bytes)

    def flush(self) -> None:
        """
        Make what is written durable; ``made_durable`` says so.

        Raises:
            OSError: As ``sync``.
        """
        os.fdatasync(self.descriptor)

    def made_durable(self, written_bytes: int) -> None:
        """Note that a flush begun when *written_bytes* were written has succeeded."""
        self.durable_bytes = max(self.durable_bytes, written_bytes)

    def is_durable(self) -> bool:
        """Say whether everything written is durable."""
        return self.durable_bytes == self.written_bytes

    def cut_back(self) -> None:
        """
        Give up what is not durable.

        Raises:
            OSError: The disk refuses.
        """
        os.ftruncate(self.descriptor, self.durable_bytes)
        self.written_bytes = self.durable_bytes
        self.last_sequence = self.durable_sequence

    def beginning(self) -> bytes:
        """Read the first bytes, which name the layout's version."""
        return os.pread(self.descriptor, 4, 0)

    def end_at(self, offset: int) -> None:
        """Take the file to end at *offset*: what stands behind was written again elsewhere."""
        self.written_bytes = self.durable_bytes = offset

    def published(self, head: FrameHead) -> None:
        """Note that a frame is durable and, unless it was shed, waits."""
        self.durable_sequence = head.sequence
        if head.dropped is None:
            self._add(head, 1)

    def passed(self, head: FrameHead) -> None:
        """Note that a waiting frame was read back."""
        self._add(head, -1)

    def lose(self, waiting: "dict[Stream, Amount]") -> "dict[Stream, Amount]":
        """Let only *waiting* wait; the answer is the difference: what damage has cost."""
        before, self.waiting = self.waiting, waiting
        lost = {
            stream: Amount(
                *(was - now for was, now in zip(amount, waiting.get(stream, (0, 0, 0)), strict=True))
            )
            for stream, amount in before.items()
        }
        return {stream: amount for stream, amount in lost.items() if amount.blocks}

    def close(self) -> None:
        """Let the descriptor go."""
        os.close(self.descriptor)

    def remove(self) -> None:
        """
        Delete the file and close it.

        Raises:
            OSError: The disk refuses; it is as before.
        """
        self.path.unlink(missing_ok=True)
        self.close()

    def scan(self, offset: int = 0) -> "list[tuple[int, Found | Hurt | int]]":
        """Walk the durable bytes from *offset* on: (where it begins, a frame or a number of corrupt bytes)."""
        items: list[tuple[int, Found | Hurt | int]] = []
        data = os.pread(self.descriptor, self.durable_bytes - offset, offset)
        at = 0
        for item in frames(data):
            items.append((offset + at, item))
            at = at + item if isinstance(item, int) else item.end
        return items

    def _add(self, head: FrameHead, sign: int) -> None:
        blocks, size, lines = self.waiting.get(head.stream, (0, 0, 0))
        amount = Amount(blocks + sign, size + sign * head.raw_bytes, lines + sign * head.lines)
        if amount.blocks:
            self.waiting[head.stream] = amount
        else:
            self.waiting.pop(head.stream, None)

    def _sync_name(self) -> None:
        try:
            sync_directory(self.path.parent)
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            raise


class Read(NamedTuple):
    """A frame read back: its head, its compressed body, and where the next one begins."""

    head: FrameHead
    body: bytes
    end: int


def read_frame(segment: Segment, offset: int) -> Read | None:
    """
    Read the frame of *segment* at *offset*.

    Returns:
        None when it is damaged.
    """
    prefix = os.pread(segment.descriptor, PREFIX.size, offset)
    length = min(frame_bytes(prefix), segment.durable_bytes - offset)
    data = os.pread(segment.descriptor, length, offset)
    found = decode(data)
    if not isinstance(found, Found):
        return None
    return Read(found.head, data[found.body_start : found.end], offset + found.end)


def amounts(heads: Sequence[FrameHead]) -> "dict[Stream, Amount]":
    """Sum frames up by stream."""
    sums: dict[Stream, Amount] = {}
    for head in heads:
        blocks, size, lines = sums.get(head.stream, (0, 0, 0))
        sums[head.stream] = Amount(blocks + 1, size + head.raw_bytes, lines + head.lines)
    return sums
