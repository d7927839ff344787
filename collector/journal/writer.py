"""
The one thread that writes the journal.

Requests hand over a `Batch` and get a future. The thread takes whatever has gathered since its last fsync, appends it all to the
open segments of its groups, fsyncs each touched segment once and resolves the futures: concurrent requests share one fsync
without waiting for a timer. A segment is sealed at 8 MiB or 50 MiB raw (fewer parts for ClickHouse to merge) or by age: at one second when it holds
2 MiB raw, and a smaller one at the age that `Patience` says: whoever is about
to read (`attend`) has what gathered longer than usual sealed at once. No segment is sealed before the group's earlier segment is loaded: when ClickHouse is
slow or away, segments grow instead of queueing, and each load of a fixed cost carries more.

Bounded: `room()` says no when the journal's files exceed ``max_bytes``, and while the disk has no space for the reserve (``reserve``);
asked before a request's body is read. What an fsync refuses is written once more into a new segment; if that is refused, too, so is
the request. The thread outlives whatever the disk does.
"""

from __future__ import annotations

import itertools
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from collector.errors import JournalError, JournalFull, NoRoom
from collector.journal.batch import Accepted, Batch
from collector.journal.disk import journal_error, sync_folder
from collector.journal.home import claim, journal_uuid
from collector.journal.identities import Identities
from collector.journal.patience import LOADED_WITHIN_S, PACE_S, Patience
from collector.journal.recovery import recover
from collector.journal.repeats import Repeats, uncancellable
from collector.journal.reserve import RESERVE_BYTES, Reserve
from collector.journal.segment import OpenSegment, SealedSegment

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


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """
    Bounds of the journal.

    Attributes:
        path: Its directory.
        max_bytes: More than this on disk and new requests are refused with 429.
        seal_ages_s: By group, seconds a small segment gathers before it is sealed; a large one gathers for one second at most.
        reserve_bytes: Space kept for seals and marks on a full disk.
        quiet_s: Seconds a small segment gathers instead while nobody reads and nothing acts upon its records; 0 = no longer than usual.
        quiet_most_s: The most of that, by group.
        pace_s: Seconds between two segments of a group that are sealed for what is in them, while nobody reads.
    """

    path: Path
    max_bytes: int = 4 << 30
    seal_ages_s: Mapping[str, float] = field(default_factory=dict)
    reserve_bytes: int = RESERVE_BYTES
    quiet_s: float = 0.0
    quiet_most_s: Mapping[str, float] = field(default_factory=dict)
    pace_s: float = PACE_S


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
        self._idle = idle
        settings.path.mkdir(parents=True, exist_ok=True)
        self._claim = claim(settings.path)
        self.uuid = journal_uuid(settings.path)
        self._reserve = Reserve(settings.path / "reserve", settings.reserve_bytes)
        self._reserve.release()  # opening and recovering may need it
        self.identities = Identities(settings.path / "identities.db")
        self._epoch = f"{time.time_ns():016x}{secrets.token_hex(2)}"
        self._sequence = itertools.count(1)
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._open: dict[str, tuple[OpenSegment, float]] = {}
        self._aside: list[tuple[str, OpenSegment]] = []
        self._kept_folders: set[Path] = set()
        self._late: dict[str, float] = {}
        self._patience = Patience(
            settings.seal_ages_s, settings.quiet_s, settings.quiet_most_s, settings.pace_s
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
        overdue = [
            name
            for name, (segment, opened) in list(self._open.items())
            if (groups is None or name in groups)
            and now - opened >= self._patience.usual_s(name, segment.raw_bytes)
            and self._idle(name)
        ]
        if overdue:
            self._patience.hurry(overdue)
            self._queue.put(_WAKE)
        late = {
            name: sealed
            for name, sealed in list(self._late.items())
            if (groups is None or name in groups) and now - sealed < LOADED_WITHIN_S and not self._idle(name)
        }
        return late | dict.fromkeys(overdue, now)

    def awaits(self, group: str, received_by: float) -> bool:
        """Say whether anything of *group* whose segment was begun by *received_by* (monotonic seconds) is not loaded yet."""
        opened = self._open.get(group)
        return (opened is not None and opened[1] <= received_by) or not self._idle(group)

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
        return max(
            (
                self._patience.late_s(group, segment.raw_bytes, opened)
                for group, (segment, opened) in list(self._open.items())
            ),
            default=0.0,
        )

    def first_open_ns(self, group: str) -> int | None:
        """Return when the first record of *group*'s open segment arrived, epoch nanoseconds; ``None`` = there is none."""
        opened = self._open.get(group)
        records = opened[0].records if opened else []
        return records[0].batch.received_at_ns if records else None

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
            self._seal_aged()
            return True
        if item is None:
            self._seal_all()
            return False
        if isinstance(item, _Wake):
            self._seal_aged()
            return True
        batches, ended = self._gather(item)
        self._commit(batches)
        self._seal_aged()
        if ended:
            self._seal_all()
        return not ended

    def _look_again(self) -> None:
        """Find out whether trouble is over; as long as it is there a balancer may send nothing that would tell."""
        if self._reserve.hold() and self._trouble is not None and not self._aside and self._reserve.works():
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
            segment = self._segment(group)
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
            self._seal(group)

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

    def _segment(self, group: str) -> OpenSegment:
        """Give the group's segment to append to, a new one where there is none or the disk has spoiled it."""
        if group in self._open and self._open[group][0].spoiled:
            self._end_spoiled(group)
        if group not in self._open:
            try:
                self._open[group] = (self._begin(self._settings.path / group), time.monotonic())
            except OSError as error:
                raise journal_error(error) from error
        return self._open[group][0]

    def _begin(self, folder: Path) -> OpenSegment:
        folder.mkdir(exist_ok=True)
        if folder not in self._kept_folders:
            sync_folder(self._settings.path)
            self._kept_folders.add(folder)
        segment = OpenSegment(folder, f"{self._epoch}-{next(self._sequence):08d}")
        try:
            sync_folder(folder)
        except OSError:
            segment.discard()
            raise
        return segment

    def _end_spoiled(self, group: str) -> None:
        """Seal what of a spoiled segment is durable; it stays aside for later when even that is refused."""
        segment, _ = self._open.pop(group)
        self._patience.forget(group)
        if not segment.records:
            segment.discard()
            return
        self._aside.append((group, segment))
        self._seal_aside()

    def _seal_aside(self) -> None:
        for group, segment in list(self._aside):
            try:
                sealed = segment.seal(self._frozen(group))
            except (JournalError, OSError) as error:
                self._trouble = str(error)
                return
            self._aside.remove((group, segment))
            self._on_sealed(sealed)

    def _until_next_turn(self) -> float | None:
        """Give the seconds until something is to be sealed, or the disk is to be looked at again."""
        times = [
            opened + self._patience.age_s(group, segment.raw_bytes, opened)
            for group, (segment, opened) in self._open.items()
        ]
        if self._aside or self._trouble or not self._reserve.held:
            times.append(time.monotonic() + _FULL_AGAIN_S)
        return max(_ASK_AGAIN_S, min(times) - time.monotonic()) if times else None

    def _seal_aged(self) -> None:
        self._seal_aside()
        now = time.monotonic()
        for group, (segment, opened) in list(self._open.items()):
            if now - opened >= self._patience.age_s(group, segment.raw_bytes, opened) and self._idle(group):
                if self._patience.has_gathered(group, segment.raw_bytes, opened):
                    self._late[group] = now
                self._seal(group)

    def _seal_all(self) -> None:
        for group in list(self._open):
            self._seal(group)
        self._seal_aside()

    def _seal(self, group: str) -> None:
        segment, _ = self._open[group]
        if not segment.records:  # its first records were refused; recovery would delete it
            segment.discard()
            self._forget(group)
            return
        try:
            sealed = segment.seal(self._frozen(group))
        except (JournalError, OSError) as error:
            if isinstance(error, JournalFull):
                self._reserve.release()  # for the next attempt
            self._trouble = str(error)
            self._open[group] = (segment, time.monotonic())  # tried again at the next age
            return
        self._on_sealed(
            sealed
        )  # before it is forgotten here: whoever asks what is not loaded yet finds it in one place or the other
        self._forget(group)

    def _forget(self, group: str) -> None:
        del self._open[group]
        self._patience.forget(group)

    def _count(self, delta: int) -> None:
        with self._lock:
            self._bytes += delta
