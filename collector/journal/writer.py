"""
The one thread that writes the journal.

Requests hand over a `Batch` and get a future. The thread takes whatever has gathered since its last fsync, appends it all to the
open segments of its groups, fsyncs each touched segment once and resolves the futures: concurrent requests share one fsync
without waiting for a timer. A segment is sealed at 8 MiB or 50 MiB raw (fewer parts for ClickHouse to merge) or by age (``open_segments.py``).

Bounded: `room()` says no when the journal's files exceed ``max_bytes``, and while the disk has no space for the reserve (``reserve``);
asked before a request's body is read. What an fsync refuses is written once more into a new segment; if that is refused, too, so is
the request. The thread outlives whatever the disk does.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any

import structlog

from collector.errors import JournalError, JournalFull, NoRoom
from collector.journal.batch import Accepted, Batch
from collector.journal.home import claim, journal_uuid
from collector.journal.identities import Identities
from collector.journal.open_segments import OpenSegments
from collector.journal.patience import Patience
from collector.journal.recovery import recover
from collector.journal.repeats import Repeats, uncancellable
from collector.journal.reserve import Reserve
from collector.journal.segment import OpenSegment, SealedSegment
from collector.journal.settings import JournalSettings

log = structlog.get_logger()

# Beyond these a segment gains nothing: ClickHouse merges fewer parts, but a line waits longer and a retry repeats more.
SEAL_BYTES = 8 << 20
SEAL_RAW_BYTES = 50 << 20
# How soon a group whose earlier segment is still being loaded is looked at again.
_ASK_AGAIN_S = 0.02
# One group commit takes at most this much, so that a flood cannot postpone everybody's fsync.
_COMMIT_BYTES = 8 << 20
# How soon a full disk is looked at again: a clue for clients, and soon enough that nobody has to restart anything.
_FULL_AGAIN_S = 1.0
# An fsync that fails once may have met a passing fault; one that fails twice has not.
_COMMIT_TRIES = 2


class _Wake:
    """Put into the queue: there is something to seal, though nothing to write."""


_WAKE = _Wake()
_Item = tuple[Batch, Future[Accepted]] | _Wake | None


class Journal:
    """
    Append, group fsync, seal, recover.

    Args:
        settings: Where, and how much.
        on_sealed: Called from the writer's thread with each sealed segment, in order within its group.
        frozen: Returns what to freeze into a group's segment when it is sealed.
        idle: Says whether a group's earlier segments are all loaded.
        now_ns: The clock, epoch nanoseconds.

    Attributes:
        damaged_segments: Segments set aside at this or an earlier start because the disk had not kept what it had promised.

    Raises:
        JournalError: ``journal_in_use``: another process writes the same directory.
    """

    def __init__(
        self,
        settings: JournalSettings,
        on_sealed: Callable[[SealedSegment], None],
        frozen: Callable[[str], Mapping[str, Any]],
        now_ns: Callable[[], int] = time.time_ns,
        idle: Callable[[str], bool] = lambda group: True,  # noqa: ARG005 - without a loader nothing is waited for
    ) -> None:
        self._settings = settings
        self._on_sealed = on_sealed
        self._frozen = frozen
        self._now_ns = now_ns
        settings.path.mkdir(parents=True, exist_ok=True)
        self._claim = claim(settings.path)
        self.uuid = journal_uuid(settings.path)
        self._reserve = Reserve(settings.path / "reserve", settings.reserve_bytes)
        self._reserve.release()  # opening and recovering may need it
        self.identities = Identities(settings.path / "identities.db")
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._patience = Patience(
            settings.seal_ages_s, settings.quiet_s, settings.quiet_most_s, settings.pace_s
        )
        self._segments = OpenSegments(
            settings.path, self._patience, self._reserve, on_sealed, frozen, idle, self._troubled
        )
        self._repeats = Repeats(self.identities)
        self._lock = threading.Lock()
        self._bytes = 0
        self._trouble: str | None = None
        self.damaged_segments = 0
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Recover what earlier runs left, hand it to the loader, begin to write."""
        for folder in sorted(path for path in self._settings.path.iterdir() if path.is_dir()):
            for segment in recover(folder, self._frozen(folder.name)):
                self._count(segment.bytes)
                for record in segment.side.records:
                    self.identities.add(record.batch)
                self._on_sealed(segment)
        self.damaged_segments = sum(1 for _ in self._settings.path.glob("*/*.seg.damaged"))
        self._reserve.hold()
        self._thread.start()

    def seal(self) -> None:
        """Write what is queued, seal everything, end the thread. Nothing may be submitted afterwards."""
        self._queue.put(None)
        self._thread.join()

    def stop(self) -> None:
        """Close the identity log and let go of the directory: after the loader has let go of its last segment."""
        self.identities.close()
        os.close(self._claim)

    def room(self) -> None:
        """
        Say whether another body may be read.

        Raises:
            NoRoom: The journal is at its bound; ClickHouse is away or slower than what comes in.
            JournalFull: The disk is.
        """
        if not self._reserve.held and self._thread.is_alive():
            raise JournalFull(
                "journal_full", "no space left on the journal's disk; try again later", retry_after_s=5
            )
        if self._bytes >= self._settings.max_bytes:
            raise NoRoom(
                "journal_full",
                f"the journal holds {self._bytes} bytes, its limit is journal_max_bytes = {self._settings.max_bytes}; try again later",
                retry_after_s=5,
            )

    def submit(self, batch: Batch) -> Future[Accepted]:
        """
        Ask for *batch* to be made durable.

        Returns:
            A future: `Accepted` after the fsync, or `JournalError` when nothing was kept.

        Raises:
            Conflict: Its identity was accepted with another body (409 ``idempotency_mismatch``).
        """
        future = uncancellable()
        repeat = self._repeats.first(batch.info, future)
        if repeat is not None:
            return repeat
        self._queue.put((batch, future))
        return future

    def attend(self, groups: Collection[str] | None = None, *, stays: bool = True) -> dict[str, float]:
        """
        Hear that somebody is about to read: what has gathered longer than usual is sealed now.

        Args:
            groups: The only ones that are read; ``None`` = any may be.
            stays: There may be another question soon: for a while nothing of *groups* gathers longer than usual.

        Returns:
            Groups whose open segment has gathered longer than usual, and those in which such a one was sealed a moment ago; and by when it was begun, which is
            what `awaits` is asked with.
        """
        now = time.monotonic()
        if stays:
            self._patience.read(groups)
        overdue = self._segments.overdue(groups, now)
        if overdue:
            self._patience.hurry(overdue)
            self._queue.put(_WAKE)
        return self._segments.late(groups, now) | dict.fromkeys(overdue, now)

    def awaits(self, group: str, received_by: float) -> bool:
        """Say whether anything of *group* whose segment was begun by *received_by* (monotonic seconds) is not loaded yet."""
        return self._segments.awaits(group, received_by)

    def no_space(self) -> None:
        """Hear that something found no space on the journal's disk: give the reserve up, take no requests until it is back."""
        self._reserve.release()

    def finished(self, segment: SealedSegment) -> None:
        """Forget a segment that every table holds: its identities go to disk, then its files go."""
        size = segment.bytes
        self.identities.settle((record.batch for record in segment.side.records), self._now_ns())
        segment.remove()
        self._count(-size)

    @property
    def bytes(self) -> int:
        """Bytes of segments that are not finished."""
        return self._bytes

    @property
    def max_bytes(self) -> int:
        """The bound of :attr:`bytes`."""
        return self._settings.max_bytes

    @property
    def oldest_open_s(self) -> float:
        """Seconds that the oldest segment is not sealed yet; what waits for a reader counts from when there is one. 0 = none."""
        return self._segments.oldest_s

    def first_open_ns(self, group: str) -> int | None:
        """Return when the first record of *group*'s open segment arrived, epoch nanoseconds; ``None`` = there is none."""
        return self._segments.first_ns(group)

    @property
    def trouble(self) -> str | None:
        """Why the disk last refused; ``None`` when it does not."""
        if self._trouble is None and not self._reserve.held and self._thread.is_alive():
            return "no space left on the journal's disk"
        return self._trouble

    def _run(self) -> None:
        going = True
        while going:
            try:
                going = self._turn()
            except Exception as error:  # the thread must outlive whatever one turn meets
                log.exception("journal_turn_failed")
                self._trouble = str(error)

    def _turn(self) -> bool:
        """Write what has gathered and seal what is old; False when nothing will come any more."""
        try:
            item = self._queue.get(timeout=self._until_next_turn())
        except queue.Empty:
            self._look_again()
            self._segments.seal_aged()
            return True
        if item is None:
            self._segments.seal_all()
            return False
        if isinstance(item, _Wake):
            self._segments.seal_aged()
            return True
        batches, ended = self._gather(item)
        self._commit(batches)
        self._segments.seal_aged()
        if ended:
            self._segments.seal_all()
        return not ended

    def _look_again(self) -> None:
        """Find out whether trouble is over; as long as it is there a balancer may send nothing that would tell."""
        if (
            self._reserve.hold()
            and self._trouble is not None
            and not self._segments.any_aside
            and self._reserve.works()
        ):
            self._trouble = None

    def _gather(
        self, first: tuple[Batch, Future[Accepted]]
    ) -> tuple[list[tuple[Batch, Future[Accepted]]], bool]:
        batches, size = [first], len(first[0].frames)
        while size < _COMMIT_BYTES:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batches, True
            if isinstance(item, _Wake):
                continue  # what is old is sealed after every commit
            batches.append(item)
            size += len(item[0].frames)
        return batches, False

    def _commit(self, batches: list[tuple[Batch, Future[Accepted]]]) -> None:
        by_group: dict[str, list[tuple[Batch, Future[Accepted]]]] = {}
        for batch, future in batches:
            by_group.setdefault(batch.group, []).append((batch, future))
        for group, members in by_group.items():
            self._commit_group(group, members)

    def _commit_group(self, group: str, members: list[tuple[Batch, Future[Accepted]]]) -> None:
        """Make *members* durable together, or refuse them; one way or the other each gets its answer."""
        try:
            waiting = members
            for left in reversed(range(_COMMIT_TRIES)):
                waiting = self._try_commit(group, waiting, last=left == 0)
                if not waiting:
                    return
        except Exception as error:
            log.exception("journal_commit_failed", group=group)
            failure = JournalError("journal_unavailable", f"the journal failed: {error}", retry_after_s=5)
            self._fail([member for member in members if not member[1].done()], failure)

    def _try_commit(
        self, group: str, members: list[tuple[Batch, Future[Accepted]]], *, last: bool
    ) -> list[tuple[Batch, Future[Accepted]]]:
        """Append and fsync once; the answer is what should be tried again."""
        written: list[tuple[Batch, Future[Accepted]]] = []
        try:
            segment = self._segments.to_append(group)
            for batch, future in members:
                segment.append(batch.frames, batch.info)
                if not batch.waits:
                    self._patience.act(group)
                written.append((batch, future))
        except JournalError as error:
            self._fail(members[len(written) :], error)
        if not written:
            return []
        try:
            segment.sync()
        except JournalError as error:
            log.warning("journal_sync_failed", group=group, segment=segment.name, error=error.message)
            if not last:
                return written
            self._fail(written, error)
            return []
        self._committed(group, segment, written)
        return []

    def _committed(
        self, group: str, segment: OpenSegment, written: list[tuple[Batch, Future[Accepted]]]
    ) -> None:
        self._trouble = None
        self._count(sum(len(batch.frames) for batch, _ in written))  # whoever has its answer finds it counted
        for batch, future in written:
            self._settle(batch, future)
        if segment.bytes >= SEAL_BYTES or segment.raw_bytes >= SEAL_RAW_BYTES:
            self._segments.seal(group)

    def _settle(self, batch: Batch, future: Future[Accepted]) -> None:
        self._repeats.accepted(batch.info)
        future.set_result(Accepted(batch.info.answer, duplicate=False))

    def _fail(self, members: list[tuple[Batch, Future[Accepted]]], error: JournalError) -> None:
        self._trouble = error.message
        if isinstance(error, JournalFull):
            self._reserve.release()
        for batch, future in members:
            self._repeats.refused(batch.info)
            future.set_exception(error)

    def _until_next_turn(self) -> float | None:
        """Give the seconds until something is to be sealed, or the disk is to be looked at again."""
        times = self._segments.due()
        if self._segments.any_aside or self._trouble or not self._reserve.held:
            times.append(time.monotonic() + _FULL_AGAIN_S)
        return max(_ASK_AGAIN_S, min(times) - time.monotonic()) if times else None

    def _troubled(self, why: str) -> None:
        self._trouble = why

    def _count(self, delta: int) -> None:
        with self._lock:
            self._bytes += delta
