"""
The spool's segment files: opens what a former process left, begins new ones, writes again what an fsync refused, deletes.

Not thread-safe: the spool's lock is held around every call.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from agents.checkpoint import Settled, sync_directory
from agents.frame import Found, FrameHead, Hurt, of_another_version
from agents.own_log import log
from agents.segment import SUFFIX, Segment

SPENT_BYTES = 1 << 20  # an emptied active segment is deleted once it is this large


class Opened(NamedTuple):
    """A segment of a former process: its frames whose heads are whole, and how many of its bytes are damaged."""

    segment: Segment
    frames: list[Found | Hurt]
    corrupt_bytes: int


@dataclass(slots=True)
class Unsynced:
    """Something appended that is not durable: its frame, or no segment when only the books will know it."""

    ticket: int
    head: FrameHead
    data: bytes
    segment: Segment | None


class Shelf:
    """
    The files, oldest first.

    Args:
        directory: Where they are.
        segment_bytes: A file that has grown to this is not appended to any more.

    Attributes:
        torn: An fsync has failed: ``write_again`` comes before anything else is written.
    """

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._appendable = False
        self.segments: deque[Segment] = deque()
        self.torn = False

    def open_all(self) -> Iterator[Opened]:
        """
        Open every file there is, in the order of their sequences; ``take`` puts them on the shelf.

        Raises:
            OSError: The disk refuses.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        sync_directory(self._directory.parent)
        paths = sorted(self._directory.glob("[0-9]" * 16 + SUFFIX))
        for path, following in zip_longest(paths, paths[1:]):
            segment = Segment(path, create=False)
            if of_another_version(segment.beginning()):
                segment.close()
                log("error", "spool_of_another_version", path=path)
                path.replace(path.with_suffix(".unknown"))
            else:
                yield _read(segment, int(following.stem) if following else None)

    def take(self, segment: Segment, last_sequence: int) -> None:
        """Take a former process's file up; nothing is appended to it."""
        segment.last_sequence = segment.durable_sequence = last_sequence
        self.segments.append(segment)

    def used_bytes(self) -> int:
        """Give the bytes of all files."""
        return sum(segment.written_bytes for segment in self.segments)

    def not_durable(self) -> list[Segment]:
        """Give the files that need an fsync."""
        return [segment for segment in self.segments if not segment.is_durable()]

    def writable(self, sequence: int) -> Segment:
        """
        Give the file to append the frame of *sequence* to, beginning one when the last is full or not ours.

        Raises:
            OSError: The disk refuses.
        """
        if not self._appendable or self.segments[-1].written_bytes >= self._segment_bytes:
            return self._begin(sequence)
        return self.segments[-1]

    def end(self, segment: Segment) -> None:
        """Append to *segment* no more, if it is durable."""
        if segment is self.segments[-1] and segment.is_durable():
            self._appendable = False

    def write_again(self, pending: Sequence[Unsynced]) -> list[Segment]:
        """
        Write what an fsync has refused into a new file; what is left of it in the old ones is void.

        Returns:
            The files that had nothing else in them and are gone.

        Raises:
            OSError: The disk refuses; to be tried again.
        """
        gone = []
        for segment in self.not_durable():
            segment.cut_back()
            if segment.written_bytes == 0:
                gone.append(segment)
                self._remove(segment)
        self._appendable = False
        if pending:
            fresh = self._begin(pending[0].head.sequence)
            for item in pending:
                fresh.append(item.data, item.head.sequence)
                item.segment = fresh
            log("warning", "spool_written_again", blocks=len(pending), segment=fresh.path.name)
        self.torn = False
        return gone

    def spent(self, checkpoints: Sequence[Settled]) -> list[Segment]:
        """Give the files whose blocks are all settled in each of *checkpoints*."""
        return [segment for segment in self.segments if self._is_spent(segment, checkpoints)]

    def forget(self, checkpoints: Sequence[Settled]) -> Iterator[Segment]:
        """
        Delete the files that are spent; gives each when it is gone.

        Raises:
            OSError: The disk refuses.
        """
        for segment in self.spent(checkpoints):
            self._remove(segment)
            yield segment

    def close(self) -> None:
        """Let the files go."""
        for segment in self.segments:
            segment.close()
        self.segments.clear()

    def _begin(self, first_sequence: int) -> Segment:
        segment = Segment(self._directory / f"{first_sequence:016d}{SUFFIX}", create=True)
        self.segments.append(segment)
        self._appendable = True
        return segment

    def _remove(self, segment: Segment) -> None:
        segment.remove()
        self._appendable = self._appendable and segment is not self.segments[-1]
        self.segments.remove(segment)

    def _is_spent(self, segment: Segment, checkpoints: Sequence[Settled]) -> bool:
        """Say whether nothing in *segment* is needed; the one being appended to stays until it is worth a new file."""
        if not segment.is_durable() or segment.durable_sequence < segment.last_sequence:
            return False
        worth_a_new_one = min(
            SPENT_BYTES, self._segment_bytes
        )  # else a spool this small would stay full of what is gone
        if segment is self.segments[-1] and self._appendable and segment.written_bytes < worth_a_new_one:
            return False
        return all(known.covers(segment.first_sequence, segment.last_sequence) for known in checkpoints)


def _read(segment: Segment, void_from: int | None) -> Opened:
    """Read one file, making sure of it first; what stands in it at or above *void_from* was written again elsewhere."""
    segment.sync(segment.written_bytes)  # a killed process may have left what no fsync has covered
    frames: list[Found | Hurt] = []
    corrupt = 0
    for offset, item in segment.scan():
        if isinstance(item, int):
            corrupt += item
        elif void_from is not None and item.head.sequence >= void_from:
            segment.end_at(offset)
            break
        else:
            corrupt += item.end - offset if isinstance(item, Hurt) else 0
            frames.append(item)
    return Opened(segment, frames, corrupt)
