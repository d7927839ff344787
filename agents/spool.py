"""
Frozen blocks on disk, between the sources and the exporter.

Layout of a frame: ``frame``. The spool is a directory of segment files; blocks leave it in the order in which they came,
several at a time. The rules that make a kill harmless:

1. ``append`` writes, ``sync`` makes durable and only then tells the ledger (so offsets are committed after the fsync)
   and lets the exporter see the block. Callers that sync at the same time share one fsync.
2. A segment is deleted only when a durable checkpoint knows all its blocks as settled.
3. On opening, the frames that the checkpoint has not counted are replayed into the ledger; settled ones are passed
   over; a torn tail is cut off. A new segment is begun, so nothing is ever written behind damage.

Bounded by ``max_bytes`` on disk. What happens beyond is ``when_full``: *block* raises ``NoRoom``; *drop_newest* records
the new block as dropped; *drop_oldest* sheds the oldest waiting blocks that no collector has seen.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agents.block import Block
from agents.checkpoint import Checkpoint, sync_directory
from agents.errors import NoRoom, SpoolUnavailable
from agents.frame import FrameHead, encode, head_of
from agents.ledger import Ledger
from agents.segment import SUFFIX, Read, Segment, read_frame
from agents.zstd import ZstdCompressor

SEGMENT_BYTES = 16 << 20  # few files at full speed, yet space comes back soon
SPENT_BYTES = 1 << 20  # an emptied active segment is deleted once it is this large
ZSTD_LEVEL = 1  # ≈ 8:1 on log lines at several hundred MB/s; higher levels cost more than they save here


class Spool:
    """
    The queue on disk; every method may be called by any thread.

    Attributes:
        corrupt_bytes: Damaged bytes passed over.
        on_pressure: Called when space is short, so that somebody saves a checkpoint and calls ``forget``.
    """

    def __init__(self, directory: Path, ledger: Ledger, max_bytes: int, when_full: str) -> None:
        """
        Open *directory*, recovering what a former process left there.

        Raises:
            SpoolUnavailable: The directory cannot be made, read or written.
        """
        self._directory = directory
        self._ledger = ledger
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._segment_bytes = min(SEGMENT_BYTES, max(max_bytes // 8, 1))
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._syncing = threading.Lock()
        self._compressor = ZstdCompressor(level=ZSTD_LEVEL)
        self._segments: deque[Segment] = deque()
        self._unsynced: deque[FrameHead] = deque()
        self._in_flight: dict[int, float] = {}
        self._appendable = False
        self._cursor: tuple[Segment, int] | None = None
        self._cursor_sequence = ledger.settled_through()
        self.corrupt_bytes = 0
        self.on_pressure: Callable[[], None] = lambda: None
        try:
            self._recover()
        except OSError as error:
            raise SpoolUnavailable(str(error)) from error

    def append(self, block: Block) -> None:
        """
        Freeze *block* and write it; durable after ``sync``.

        Raises:
            NoRoom: The spool is full and the policy is to wait; nothing of the block was kept.
            SpoolUnavailable: The disk refuses; nothing of the block was kept.
        """
        body = self._compressor.compress(block.body, mode=ZstdCompressor.FLUSH_FRAME)
        with self._lock:
            dropped = self._make_room(len(body)) if block.body else _shed_whole(block)
            head = head_of(block, self._next, time.time(), dropped)
            try:
                self._writable().append(encode(head, b"" if dropped else body), head.sequence)
            except OSError as error:
                raise SpoolUnavailable(str(error)) from error
            self._next += 1
            self._unsynced.append(head)

    def sync(self) -> None:
        """
        Return when everything appended so far is durable, counted, and visible to the exporter.

        Raises:
            SpoolUnavailable: The disk refuses; the blocks stay to be synced.
        """
        with self._lock:
            goal = self._next
        with self._syncing:
            with self._lock:
                if not self._unsynced or self._unsynced[0].sequence >= goal:
                    return  # another caller's fsync covered ours
                segment, written, below = self._segments[-1], self._segments[-1].written_bytes, self._next
            try:
                segment.sync(written)
            except OSError as error:
                raise SpoolUnavailable(str(error)) from error
            with self._lock:
                self._publish(below)

    def claim(self, timeout_s: float) -> tuple[FrameHead, bytes] | None:
        """
        Take the oldest waiting block for sending; it stays on disk until it is settled.

        Returns:
            Its head and its compressed body; None when nothing came within *timeout_s*.
        """
        with self._arrived:
            read = self._take()
            if read is None:
                self._arrived.wait(timeout_s)
                read = self._take()
            if read is None:
                return None
            self._in_flight[read.head.sequence] = read.head.at
            return read.head, read.body

    def settled(self, head: FrameHead) -> None:
        """Note that the exporter is done with the block; the ledger knows what became of it."""
        with self._lock:
            self._in_flight.pop(head.sequence, None)

    def forget(self, checkpoint: Checkpoint) -> None:
        """Delete the segments whose blocks are all settled in *checkpoint*, which is durable."""
        unsettled = checkpoint.first_unsettled()
        with self._syncing, self._lock:
            while self._segments and self._is_spent(self._segments[0], unsettled):
                spent = self._segments.popleft()
                if self._cursor is not None and self._cursor[0] is spent:
                    self._cursor = None
                spent.remove()
                self._appendable = self._appendable and bool(self._segments)

    def used_bytes(self) -> int:
        """Give the bytes on disk."""
        with self._lock:
            return self._used()

    def oldest_age_s(self) -> float:
        """Give the age of the oldest block being sent; 0 when none is."""
        with self._lock:
            return max(0.0, time.time() - min(self._in_flight.values(), default=time.time()))

    def close(self) -> None:
        """Make everything durable and let the files go."""
        self.sync()
        with self._lock:
            for segment in self._segments:
                segment.close()
            self._segments.clear()

    def _recover(self) -> None:
        """Open what is there, tell the ledger what it has not counted, drop files without a whole frame."""
        self._directory.mkdir(parents=True, exist_ok=True)
        last = 0
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            segment = Segment(path, create=False)
            heads, corrupt = segment.heads()
            self.corrupt_bytes += corrupt
            for head in heads:
                self._ledger.committed(head)
            if not heads:
                segment.remove()
                continue
            last = max(last, segment.last_sequence)
            self._segments.append(segment)
        self._next = max(last + 1, self._ledger.next_sequence())
        sync_directory(self._directory)

    def _used(self) -> int:
        return sum(segment.written_bytes for segment in self._segments)

    def _make_room(self, incoming_bytes: int) -> str | None:
        """Apply the policy; the answer is the reason under which the new block is dropped, if it is."""
        if self._when_full == "drop_oldest":
            self._shed(incoming_bytes)
        used = self._used()
        if not used or used + incoming_bytes <= self._max_bytes:
            return None
        self.on_pressure()
        if self._when_full == "drop_newest":
            return "spool_full"
        raise NoRoom(used, self._max_bytes)

    def _shed(self, incoming_bytes: int) -> None:
        """Drop unseen blocks from the front until what is left fits beside two segments that are still in flight."""
        limit = self._max_bytes - 2 * self._segment_bytes - incoming_bytes
        while self._backlog() > limit:
            read = self._take()
            if read is None:
                return
            self._ledger.dropped(read.head, "spool_full")

    def _backlog(self) -> int:
        """Give the bytes that the cursor has not passed."""
        if self._cursor is None:
            return self._used()
        segment, offset = self._cursor
        passed = 0
        for candidate in self._segments:
            if candidate is segment:
                passed += offset
                break
            passed += candidate.written_bytes
        return self._used() - passed

    def _writable(self) -> Segment:
        """Give the segment to append to, beginning a new one when the last is full or not ours."""
        if self._appendable and self._segments[-1].written_bytes < self._segment_bytes:
            return self._segments[-1]
        if self._appendable:
            self._segments[-1].sync(self._segments[-1].written_bytes)
            self._publish(self._next)
        self._segments.append(Segment(self._directory / f"{self._next:016d}{SUFFIX}", create=True))
        self._appendable = True
        return self._segments[-1]

    def _publish(self, below: int) -> None:
        """Count the frames that are durable now, in order, and wake the exporter."""
        while self._unsynced and self._unsynced[0].sequence < below:
            self._ledger.committed(self._unsynced.popleft())
        self._arrived.notify_all()

    def _take(self) -> Read | None:
        """Move the cursor to the next block that needs sending."""
        while (place := self._place()) is not None:
            segment, offset = place
            read = read_frame(segment, offset)
            if isinstance(read, int):
                self.corrupt_bytes += read
                self._cursor = (segment, segment.durable_bytes)
                continue
            self._cursor = (segment, read.end)
            self.corrupt_bytes += read.corrupt_bytes
            self._ledger.missing(self._cursor_sequence + 1, read.head.sequence)
            self._cursor_sequence = read.head.sequence
            if not self._ledger.is_settled(read.head.sequence):
                return read
        return None

    def _place(self) -> tuple[Segment, int] | None:
        """Give the segment and offset of the next frame; None at the end of what is durable."""
        if self._cursor is None:
            if not self._segments:
                return None
            self._cursor = (self._segments[0], 0)
        segment, offset = self._cursor
        if offset < segment.durable_bytes:
            return self._cursor
        following = self._segments.index(segment) + 1
        if following == len(self._segments):
            return None
        self._cursor = (self._segments[following], 0)
        return self._place()

    def _is_spent(self, segment: Segment, unsettled: int) -> bool:
        """Say whether nothing in *segment* is needed; the one being appended to stays until it is worth a new file."""
        if segment.last_sequence >= unsettled or segment.durable_bytes < segment.written_bytes:
            return False
        return (
            segment is not self._segments[-1] or not self._appendable or segment.written_bytes >= SPENT_BYTES
        )


def _shed_whole(block: Block) -> str:
    """Name the reason under which a block is counted of which processors left nothing: the one that took most."""
    return max(block.shed, key=lambda reason: block.shed[reason], default="empty")
