"""
The open segments: one for each group at most, begun when the first record comes, sealed when they are full or old.

By age: at one second when it holds 2 MiB raw, and a smaller one at the age that `Patience` says: whoever is about to read has what gathered longer than usual
sealed at once. No segment is sealed for its age before the group's earlier segment is loaded: when ClickHouse is slow or away, segments grow instead of queueing,
and each load of a fixed cost carries more. By size the writer seals, who knows it after each commit.

One that the disk has spoiled stays aside until what of it is durable can be sealed.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from collector.errors import JournalError, JournalFull
from collector.journal.disk import journal_error, sync_folder
from collector.journal.patience import LOADED_WITHIN_S, Patience
from collector.journal.reserve import Reserve
from collector.journal.segment import OpenSegment, SealedSegment


class OpenSegments:
    """
    The segments that are written. The writer's thread changes them; any thread may ask about them.

    Args:
        path: The journal's directory; a folder for each group.
        patience: How long a segment gathers.
        reserve: Given up for the next attempt when a seal finds no space.
        on_sealed: Called with each sealed segment, in order within its group.
        frozen: Returns what to freeze into a group's segment when it is sealed.
        idle: Says whether a group's earlier segments are all loaded.
        troubled: Called with why the disk refused.
    """

    def __init__(
        self,
        path: Path,
        patience: Patience,
        reserve: Reserve,
        on_sealed: Callable[[SealedSegment], None],
        frozen: Callable[[str], Mapping[str, Any]],
        idle: Callable[[str], bool],
        troubled: Callable[[str], None],
    ) -> None:
        self._path = path
        self._patience = patience
        self._reserve = reserve
        self._on_sealed = on_sealed
        self._frozen = frozen
        self._idle = idle
        self._troubled = troubled
        self._epoch = f"{time.time_ns():016x}{secrets.token_hex(2)}"
        self._sequence = itertools.count(1)
        self._open: dict[str, tuple[OpenSegment, float]] = {}
        self._aside: list[tuple[str, OpenSegment]] = []
        self._kept_folders: set[Path] = set()
        self._late: dict[str, float] = {}

    def to_append(self, group: str) -> OpenSegment:
        """
        Give the group's segment to append to, a new one where there is none or the disk has spoiled it.

        Raises:
            JournalError: No new one can be begun.
        """
        if group in self._open and self._open[group][0].spoiled:
            self._end_spoiled(group)
        if group not in self._open:
            try:
                self._open[group] = (self._begin(self._path / group), time.monotonic())
            except OSError as error:
                raise journal_error(error) from error
        return self._open[group][0]

    def overdue(self, groups: Collection[str] | None, now: float) -> list[str]:
        """Give those of *groups* (``None`` = of all) whose segment has gathered longer than usual, with nothing before it to be loaded."""
        return [
            name
            for name, (segment, opened) in list(self._open.items())
            if (groups is None or name in groups)
            and now - opened >= self._patience.usual_s(name, segment.raw_bytes)
            and self._idle(name)
        ]

    def late(self, groups: Collection[str] | None, now: float) -> dict[str, float]:
        """Give those of *groups* in which a segment that had gathered longer than usual was sealed a moment ago and is not loaded; and when."""
        return {
            name: sealed
            for name, sealed in list(self._late.items())
            if (groups is None or name in groups) and now - sealed < LOADED_WITHIN_S and not self._idle(name)
        }

    def awaits(self, group: str, received_by: float) -> bool:
        """Say whether anything of *group* whose segment was begun by *received_by* (monotonic seconds) is not loaded yet."""
        opened = self._open.get(group)
        return (opened is not None and opened[1] <= received_by) or not self._idle(group)

    @property
    def oldest_s(self) -> float:
        """Seconds that the oldest segment is not sealed yet; what waits for a reader counts from when there is one. 0 = none."""
        return max(
            (
                self._patience.late_s(group, segment.raw_bytes, opened)
                for group, (segment, opened) in list(self._open.items())
            ),
            default=0.0,
        )

    def first_ns(self, group: str) -> int | None:
        """Return when the first record of *group*'s segment arrived, epoch nanoseconds; ``None`` = there is none."""
        opened = self._open.get(group)
        records = opened[0].records if opened else []
        return records[0].batch.received_at_ns if records else None

    @property
    def any_aside(self) -> bool:
        """Whether one that the disk has spoiled waits to be sealed."""
        return bool(self._aside)

    def due(self) -> list[float]:
        """Give when each segment is to be sealed, monotonic seconds."""
        return [
            opened + self._patience.age_s(group, segment.raw_bytes, opened)
            for group, (segment, opened) in self._open.items()
        ]

    def seal_aged(self) -> None:
        """Seal what is old enough, and what is aside if the disk lets it."""
        self._seal_aside()
        now = time.monotonic()
        for group, (segment, opened) in list(self._open.items()):
            if now - opened >= self._patience.age_s(group, segment.raw_bytes, opened) and self._idle(group):
                if self._patience.has_gathered(group, segment.raw_bytes, opened):
                    self._late[group] = now
                self.seal(group)

    def seal_all(self) -> None:
        """Seal everything."""
        for group in list(self._open):
            self.seal(group)
        self._seal_aside()

    def seal(self, group: str) -> None:
        """Seal *group*'s segment; one that the disk refuses to seal stays open, and is tried again at the next age."""
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
            self._troubled(str(error))
            self._open[group] = (segment, time.monotonic())  # tried again at the next age
            return
        self._on_sealed(
            sealed
        )  # before it is forgotten here: whoever asks what is not loaded yet finds it in one place or the other
        self._forget(group)

    def _begin(self, folder: Path) -> OpenSegment:
        folder.mkdir(exist_ok=True)
        if folder not in self._kept_folders:
            sync_folder(self._path)
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
                self._troubled(str(error))
                return
            self._aside.remove((group, segment))
            self._on_sealed(sealed)

    def _forget(self, group: str) -> None:
        del self._open[group]
        self._patience.forget(group)
