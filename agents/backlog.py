"""
What waits in the spool's segments: reads it back in order, passes over damage, sheds.

A cursor walks the durable frames. Frames that it has passed and that still wait for the exporter (shedding looks at more than it
takes) stand in ``_ahead``. Not thread-safe: the spool's lock is held around every call.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from agents.frame import Found, FrameHead
from agents.ledger import Ledger
from agents.own_log import log
from agents.segment import Read, Segment, amounts, read_frame

READ_TRIES = 20  # then what the disk does not give is taken for damaged: about ten seconds of claims


class Ahead(NamedTuple):
    """A frame that the cursor has passed and nobody has taken."""

    segment: Segment
    offset: int
    head: FrameHead


class Backlog:
    """
    The frames that are durable and not taken yet.

    Args:
        segments: The spool's own, oldest first; only looked at.
        ledger: Knows what is settled, and is told what is shed or lost.
    """

    def __init__(self, segments: Sequence[Segment], ledger: Ledger) -> None:
        self._segments = segments
        self._ledger = ledger
        self._cursor: tuple[Segment, int] | None = None
        self._passed = ledger.settled_through()
        self._ahead: deque[Ahead] = deque()
        self._failures = 0
        self.corrupt_bytes = 0

    def next(self) -> Read | None:
        """
        Take the next frame that needs sending.

        Raises:
            OSError: The disk does not give it now.
        """
        while self._ahead:
            segment, offset, head = self._ahead[0]
            read = self._read(segment, offset)
            self._ahead.popleft()
            if read is not None:
                return read
            self._ledger.dropped(head, "corrupt")
        found = self._advance()
        return found and found[1]

    def shed_older(self, before: float) -> None:
        """Drop, as too old, frames made before *before* (epoch seconds) that no collector can know."""
        for item in list(self._ahead):
            if item.head.at < before and self._may_shed(item.head):
                self._drop(item, "too_old")
        while not self._ahead or self._ahead[-1].head.at < before:
            looked = self._look()
            if looked is None:
                return
            if looked.head.at < before and self._may_shed(looked.head):
                self._drop(looked, "too_old")

    def shed_segment(self, reason: str) -> Segment | None:
        """Drop what no collector can know of the oldest segment that holds any; None when there is none."""
        shed: Segment | None = None
        for item in list(self._ahead):
            if self._may_shed(item.head) and shed in {None, item.segment}:
                shed = item.segment
                self._drop(item, reason)
        while shed is None or (self._cursor is not None and self._cursor[0] is shed and self._has_more(shed)):
            looked = self._look()
            if looked is None:
                break
            if self._may_shed(looked.head) and shed in {None, looked.segment}:
                shed = looked.segment
                self._drop(looked, reason)
        return shed

    def removed(self, segment: Segment) -> None:
        """Forget a file that is gone."""
        if self._cursor is not None and self._cursor[0] is segment:
            self._cursor = None

    def _may_shed(self, head: FrameHead) -> bool:
        """Say whether no collector can know the block: not sent in this life (it is still here), nor in a former one."""
        return head.sequence > self._ledger.sent_through()

    def _drop(self, item: Ahead, reason: str) -> None:
        self._ahead.remove(item)
        self._ledger.dropped(item.head, reason)

    def _look(self) -> Ahead | None:
        """Move the cursor on without taking the frame."""
        found = self._advance()
        if found is None:
            return None
        (segment, offset), read = found
        item = Ahead(segment, offset, read.head)
        self._ahead.append(item)
        return item

    def _advance(self) -> tuple[tuple[Segment, int], Read] | None:
        """Move the cursor over the next unsettled frame."""
        while (place := self._place()) is not None:
            read = self._read(*place)
            if read is None:
                self._pass_damage(*place)
                continue
            self._cursor = (place[0], read.end)
            if read.head.sequence <= self._passed:
                continue
            self._passed = read.head.sequence
            if not self._ledger.is_settled(read.head.sequence):
                place[0].passed(read.head)
                return place, read
        return None

    def _read(self, segment: Segment, offset: int) -> Read | None:
        """Read a frame; what the disk refuses for long is taken for damaged."""
        try:
            read = read_frame(segment, offset)
        except OSError:
            self._failures += 1
            if self._failures < READ_TRIES:
                raise
            read = None
        self._failures = 0
        return read

    def _place(self) -> tuple[Segment, int] | None:
        """Give the segment and offset of the next frame; None at the end of what is durable."""
        if self._cursor is None:
            if not self._segments:
                return None
            self._cursor = (self._segments[0], 0)
        segment, offset = self._cursor
        if offset == 0 and segment.durable_sequence <= self._passed:  # begun again behind a deleted file
            self._cursor = (segment, segment.durable_bytes)
        if self._has_more(segment):
            return segment, offset
        if not segment.is_durable():
            return None  # its frames come before those of the files behind it
        following = self._segments.index(segment) + 1
        if following == len(self._segments):
            return None
        self._cursor = (self._segments[following], 0)
        return self._place()

    def _has_more(self, segment: Segment) -> bool:
        """Say whether the cursor, which is in *segment*, is before its durable end."""
        return self._cursor is not None and self._cursor[1] < segment.durable_bytes

    def _pass_damage(self, segment: Segment, offset: int) -> None:
        """Go to the next whole frame of *segment*; what waited in it and is not there any more is corrupt."""
        rest = [(place, item.head) for place, item in _scan(segment, offset) if isinstance(item, Found)]
        waiting = [
            head
            for _, head in rest
            if head.sequence > self._passed and not self._ledger.is_settled(head.sequence)
        ]
        lost = segment.lose(amounts(waiting))
        for stream, amount in lost.items():
            log("error", "blocks_corrupt", source=stream.source, blocks=amount.blocks, bytes=amount.bytes)
            self._ledger.corrupt(stream, *amount)
        end, following = rest[0][0] if rest else segment.durable_bytes, segment.durable_sequence + 1
        self._ledger.pass_over(self._passed + 1, rest[0][1].sequence if rest else following)
        self._passed = max(self._passed, (rest[0][1].sequence if rest else following) - 1)
        self.corrupt_bytes += end - offset if lost else 0  # else it was counted at the start
        self._cursor = (segment, end)


def _scan(segment: Segment, offset: int) -> list[tuple[int, object]]:
    try:
        return list(segment.scan(offset))
    except OSError:  # nothing behind a sector that cannot be read is known either
        return []
