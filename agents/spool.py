"""
Frozen blocks on disk, between the sources and the exporter.

Layout of a frame: ``frame``. The spool is a directory of segment files; blocks leave it in the order in which they came,
several at a time. The rules that make a kill, a power cut and a failing disk harmless:

1. ``append`` writes, ``sync`` makes durable and only then tells the ledger (so offsets are committed after the fsync)
   and lets the exporter see the block. Callers that sync at the same time share one fsync.
2. What an fsync has refused is written again into a new segment, from memory: the kernel may have dropped the pages and call them
   clean, so a second fsync of the same file proves nothing (docs/adr/0014).
3. A segment is deleted only when both durable checkpoints know all its blocks as settled.
4. On opening, ``recovery`` tells the ledger what it has not counted and what was damaged; settled frames are passed over. A new
   segment is begun, so nothing is ever written behind damage.

Bounded by ``max_bytes`` on disk, and one frame. What happens beyond is ``when_full``: *block* raises ``NoRoom``; *drop_newest* counts
the new block as dropped; *drop_oldest* sheds the oldest segment's waiting blocks. Blocks that waited longer than ``max_age_s`` are
dropped as ``too_old``. A block that a collector may know is never shed: it would be counted as dropped and stored.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from agents.backlog import Backlog
from agents.block import Block
from agents.checkpoint import Settled, sync_directory
from agents.errors import NoRoom, SpoolUnavailable
from agents.frame import Found, FrameHead, encode, head_of
from agents.ledger import Ledger
from agents.own_log import log
from agents.recovery import recover
from agents.segment import Read, Segment, amounts
from agents.settings_values import SpoolSettings
from agents.shelf import Opened, Shelf, Unsynced
from agents.zstd import ZstdCompressor

SEGMENT_BYTES = 16 << 20  # few files at full speed, yet space comes back soon
SEGMENTS = 16  # at least this many in max_bytes: space comes back, and is shed, a segment at a time
UNSYNCED_BYTES = 4 << 20  # held in memory until their fsync has returned, to be written again if it fails
RESERVE = 16  # one part of so many is left for frames without a body, which say what was shed
ZSTD_LEVEL = 1  # ≈ 8:1 on log lines at several hundred MB/s; higher levels cost more than they save here
NO_SPACE = frozenset({ENOSPC, EDQUOT, EFBIG})


class Spool:
    """
    The queue on disk; every method may be called by any thread.

    Attributes:
        corrupt_bytes: Damaged bytes passed over.
        rewrites: How often frames were written again because their fsync had failed.
        on_pressure: Called when space is short, so that somebody saves a checkpoint and calls ``forget``.
    """

    def __init__(
        self, directory: Path, ledger: Ledger, max_bytes: int, when_full: str, max_age_s: float = 0
    ) -> None:
        """
        Open *directory*, recovering what a former process left there.

        Raises:
            SpoolUnavailable: The directory cannot be made, read or written.
        """
        self._directory = directory
        self._ledger = ledger
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._syncing = threading.Lock()
        self._compressor = ZstdCompressor(level=ZSTD_LEVEL)
        self._shelf = Shelf(directory, min(SEGMENT_BYTES, max(max_bytes // SEGMENTS, 1)))
        self._backlog = Backlog(self._shelf.segments, ledger)
        self._unsynced: deque[Unsynced] = deque()
        self._unsynced_bytes = 0
        self._tickets = 0
        self._in_flight: dict[int, float] = {}
        self._unsaved = False
        self._unbooked = False
        self._recovered_corrupt_bytes = 0
        self.rewrites = 0
        self.on_pressure: Callable[[], None] = lambda: None
        try:
            self._recover()
        except OSError as error:
            raise SpoolUnavailable(str(error)) from error

    @property
    def corrupt_bytes(self) -> int:
        """Damaged bytes passed over."""
        return self._recovered_corrupt_bytes + self._backlog.corrupt_bytes

    def append(self, block: Block) -> None:
        """
        Freeze *block* and write it; durable after ``sync``.

        Raises:
            NoRoom: The spool is full and the policy is to wait; nothing of the block was kept.
            SpoolUnavailable: The disk refuses; nothing of the block was kept.
        """
        body = self._compressor.compress(block.body, mode=ZstdCompressor.FLUSH_FRAME) if block.body else b""
        dropped = None if block.body else _shed_whole(block)
        if self._unsynced_bytes >= UNSYNCED_BYTES:
            self.sync()
        try:
            self._append(block, body, dropped)
        except NoRoom:
            self.sync()  # what is not synced cannot leave: waiting for it to leave would be waiting for ever
            self._append(block, body, dropped)

    def sync(self) -> None:
        """
        Return when everything appended so far is durable, counted, and visible to the exporter.

        Raises:
            SpoolUnavailable: The disk refuses; the blocks stay to be synced.
        """
        with self._lock:
            goal = self._tickets
        try:
            with self._syncing:
                self._sync(goal)
        except OSError as error:
            raise SpoolUnavailable(str(error)) from error

    def claim(self, timeout_s: float) -> tuple[FrameHead, bytes] | None:
        """
        Take the oldest waiting block for sending; it stays on disk until it is settled.

        Returns:
            Its head and its compressed body; None when nothing came within *timeout_s*.
        """
        with self._arrived:
            read = self._next_read()
            if read is None:
                self._arrived.wait(timeout_s)
                read = self._next_read()
            if read is None:
                return None
            self._in_flight[read.head.sequence] = read.head.at
        try:
            self._ledger.begin_sending(read.head.sequence)
        except OSError as error:  # better sent than kept: what a restart may wrongly shed is a few old blocks
            log("warning", "claim_not_saved", sequence=read.head.sequence, reason=str(error))
        return read.head, read.body

    def reconfigure(self, settings: SpoolSettings) -> None:
        """Keep to other bounds from the next block on; the size of segments stays until the next start."""
        with self._lock:
            self._max_bytes = settings.max_bytes
            self._when_full = settings.when_full
            self._max_age_s = settings.max_age_s

    def settled(self, head: FrameHead) -> None:
        """Note that the exporter is done with the block; the ledger knows what became of it."""
        with self._lock:
            self._in_flight.pop(head.sequence, None)

    def shed_old(self, now: float) -> None:
        """Drop what has waited for longer than ``max_age_s`` and was never sent."""
        if self._max_age_s:
            with self._lock:
                self._backlog.shed_older(now - self._max_age_s)

    def is_spent(self, checkpoints: Sequence[Settled]) -> bool:
        """Say whether ``forget`` with *checkpoints* would delete something."""
        with self._lock:
            return bool(self._shelf.spent(checkpoints))

    def forget(self, checkpoints: Sequence[Settled]) -> None:
        """
        Delete the segments whose blocks are all settled in each of *checkpoints*, which are durable.

        Raises:
            OSError: The disk refuses; what is left is deleted next time.
        """
        with self._lock:
            self._forget(checkpoints)

    def used_bytes(self) -> int:
        """Give the bytes on disk."""
        with self._lock:
            return self._shelf.used_bytes()

    def oldest_age_s(self) -> float:
        """Give the age of the oldest block being sent; 0 when none is."""
        with self._lock:
            return max(0.0, time.time() - min(self._in_flight.values(), default=time.time()))

    def close(self) -> None:
        """Make everything durable and let the files go."""
        self.sync()
        with self._lock:
            self._shelf.close()

    def _recover(self) -> None:
        """Open what is there, let the ledger catch up, drop files without a whole frame."""
        opened = list(self._shelf.open_all())
        frames = [frame for former in opened for frame in former.frames]
        self._recovered_corrupt_bytes = sum(former.corrupt_bytes for former in opened)
        self._unsaved = recover(self._ledger, frames) or self._ledger.is_new
        empty = [former.segment for former in opened if not self._restore(former)]
        if empty or self._unsaved:
            self._settle_recovery(empty)
        last = max((frame.head.sequence for frame in frames), default=0)
        self._next = max(last + 1, self._ledger.next_sequence())
        sync_directory(self._directory)

    def _restore(self, former: Opened) -> bool:
        """Take a recovered file up; False when there is nothing in it to take."""
        heads = [frame.head for frame in former.frames if isinstance(frame, Found)]
        if heads:
            waiting = [head for head in heads if not self._ledger.is_settled(head.sequence)]
            former.segment.waiting = amounts(waiting)
            self._shelf.take(former.segment, former.frames[-1].head.sequence)
        return bool(heads)

    def _settle_recovery(self, empty: Sequence[Segment]) -> None:
        """Make durable what recovery has judged before its traces go; tried again by ``append`` when the disk refuses."""
        try:
            self._ledger.save()
            self._unsaved = False
            for segment in empty:
                segment.remove()
        except OSError as error:
            log("warning", "recovery_not_saved", reason=str(error))

    def _next_read(self) -> Read | None:
        try:
            return self._backlog.next()
        except OSError as error:
            log("error", "spool_unreadable", reason=str(error))
            return None

    def _append(self, block: Block, body: bytes, dropped: str | None) -> None:
        try:
            with self._lock:
                if self._unsaved:
                    self._ledger.save()
                    self._unsaved = False
                self._write(block, body, dropped)
        except OSError as error:
            raise SpoolUnavailable(str(error)) from error

    def _write(self, block: Block, body: bytes, dropped: str | None) -> None:
        """Put a block into a frame where there is room, or only into the books."""
        through = self._ledger.counted_through()
        head = head_of(block, self._next, time.time(), dropped, through)
        data = encode(head, body)
        if dropped is None and not self._has_room(len(data)):
            head = head_of(block, self._next, head.at, self._refuse(), through)
            data = encode(head, b"")
        try:
            self._put(head, data)
        except OSError as error:
            if error.errno not in NO_SPACE or self._when_full == "block":
                raise
            if self._when_full == "drop_oldest" and self._shed_segment():
                self._put(head, data)  # the disk is smaller than max_bytes says
                return
            self._note(replace(head, sequence=0, dropped=head.dropped or "spool_full"), b"", None)

    def _put(self, head: FrameHead, data: bytes) -> None:
        """Write a frame; one that only says what was shed goes into the books when even for it there is no room."""
        if head.dropped and not self._fits(len(data), self._max_bytes):
            self._note(replace(head, sequence=0), b"", None)
            return
        if self._shelf.torn:
            self._write_again()
        segment = self._shelf.writable(self._next)
        segment.append(data, head.sequence)
        self._next += 1
        self._note(head, data, segment)

    def _note(self, head: FrameHead, data: bytes, segment: Segment | None) -> None:
        self._tickets += 1
        self._unsynced.append(Unsynced(self._tickets, head, data, segment))
        self._unsynced_bytes += len(data)

    def _has_room(self, incoming_bytes: int) -> bool:
        """Say whether a frame fits in, after shedding if that is the policy."""
        limit = self._max_bytes - self._max_bytes // RESERVE
        fits = self._fits(incoming_bytes, limit)
        if fits or self._when_full != "drop_oldest":
            return fits
        self._reclaim()
        while not (fits := self._fits(incoming_bytes, limit)) and self._shed_segment():
            continue
        return fits

    def _fits(self, incoming_bytes: int, limit: int) -> bool:
        used = self._shelf.used_bytes()
        return not used or used + incoming_bytes <= limit

    def _refuse(self) -> str:
        """Give the reason under which a new block is dropped, or raise when it has to wait."""
        self.on_pressure()
        if self._when_full == "drop_newest":
            return "spool_full"
        raise NoRoom(self._shelf.used_bytes(), self._max_bytes)

    def _shed_segment(self) -> bool:
        """Drop what waits in the oldest segment that holds something to drop; False when none does."""
        shed = self._backlog.shed_segment("spool_full")
        if shed is None:
            return False
        self._shelf.end(shed)
        self._reclaim()
        return True

    def _reclaim(self) -> None:
        """Delete at once what nobody needs: both checkpoints are told."""
        self._ledger.save(anew=True)
        self._ledger.save(anew=True)
        self._forget(self._ledger.settled())

    def _sync(self, goal: int) -> None:
        """Make everything up to ticket *goal* durable and count it; called by one thread at a time."""
        with self._lock:
            if not self._unbooked and (not self._unsynced or self._unsynced[0].ticket > goal):
                return  # another caller's fsync covered ours
            if self._shelf.torn:
                self._write_again()
            below = self._tickets
            written = [(segment, segment.written_bytes) for segment in self._shelf.not_durable()]
        try:
            for segment, _ in written:
                segment.flush()
        except OSError:
            with self._lock:
                self._shelf.torn = True
            raise
        with self._lock:
            for segment, size in written:  # only now: who looks sees bytes and counts change together
                segment.made_durable(size)
            self._publish(below)
        if self._unbooked:
            self._ledger.save()
            self._unbooked = False

    def _publish(self, through: int) -> None:
        """Count what is durable now, in order, and wake the exporter."""
        while self._unsynced and self._unsynced[0].ticket <= through:
            item = self._unsynced.popleft()
            self._unsynced_bytes -= len(item.data)
            self._ledger.committed(item.head)
            if item.segment is None:
                self._unbooked = True
            else:
                item.segment.published(item.head)
        self._arrived.notify_all()

    def _write_again(self) -> None:
        pending = [item for item in self._unsynced if item.segment is not None]
        for segment in self._shelf.write_again(pending):
            self._backlog.removed(segment)
        self.rewrites += 1

    def _forget(self, checkpoints: Sequence[Settled]) -> None:
        for segment in self._shelf.forget(checkpoints):
            self._backlog.removed(segment)


def _shed_whole(block: Block) -> str:
    """Name the reason under which a block is counted of which processors left nothing: the one that took most."""
    return max(block.shed, key=lambda reason: block.shed[reason], default="empty")
