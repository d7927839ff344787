"""
Takes sealed segments in order and has each loaded (``one_segment.py``), however many attempts that takes.

An answer that says "not now", or no answer, is retried for ever with back-off.

Two threads per group take its segments in order, so that one core parses while the other writes, and a segment that has to be tried again
does not hold up those behind it; a semaphore keeps the number of INSERTs at a time to what two cores can do.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from collector.errors import FuseboardError, JournalFull, StoreUnavailable
from collector.journal.disk import NO_SPACE
from collector.journal.segment import SealedSegment
from collector.load.archive import MappingArchive
from collector.load.mapping import Mapping as TableMapping
from collector.load.one_segment import SegmentLoader
from collector.load.retention import Retention
from collector.metrics import LoadMetrics
from collector.store.client import Store

log = structlog.get_logger()

_AT_ONCE = 2
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MOST_S = 10.0
# Read in steps of this many raw bytes: lines stay in the cache while they are parsed, and memory stays flat (measured: a tenth of the CPU).
BLOCK_RAW_BYTES = 4 << 20
# Above a segment's bounds, so that the whole INSERT is one block per partition: a refusal then leaves nothing behind.
BLOCK_SETTINGS: dict[str, Any] = {
    "max_insert_threads": 1,
    "max_insert_block_size": 16_000_000,
    "min_insert_block_size_rows": 16_000_000,
    "min_insert_block_size_bytes": 4 << 30,
    "min_insert_block_size_rows_for_materialized_views": 16_000_000,
    "min_insert_block_size_bytes_for_materialized_views": 4 << 30,
    "max_partitions_per_insert_block": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "materialized_views_ignore_errors": 0,
    "parallel_view_processing": 0,
    "input_format_parallel_parsing": 0,
    # Looks for what follows from `a = b AND b > 5`: of no use to a mapping, and a fifth to a third of what analysing one costs.
    "optimize_and_compare_chain": 0,
}


@dataclass(frozen=True, slots=True)
class Group:
    """
    What the loader knows of one target group.

    Attributes:
        name: Directory of its segments.
        mappings: By table, in the order they are loaded.
        signal: Whose rules of retention its rows follow.
    """

    name: str
    mappings: Sequence[TableMapping]
    signal: str = ""


class Loader:
    """
    Sealed segments into ClickHouse.

    Args:
        groups: By name.
        store: ClickHouse.
        archive: Mapping texts by version, so that an upgrade loads old segments with the old text.
        journal_uuid: Part of every token.
        quarantine_path: Directory for the bytes of masked records.
        finished: Called when every target holds a segment.
        metrics: Counters.
        retention: Frozen into segments sealed from now on.

    Attributes:
        on_no_space: Called when a load found no space for its marks or files.
    """

    def __init__(
        self,
        groups: Mapping[str, Group],
        store: Store,
        archive: MappingArchive,
        journal_uuid: str,
        quarantine_path: Path,
        finished: Callable[[SealedSegment], None],
        metrics: LoadMetrics,
        retention: Retention,
    ) -> None:
        self._groups = groups
        self._archive = archive
        self._one = SegmentLoader(store, archive, journal_uuid, quarantine_path, finished, metrics)
        self._metrics = metrics
        self._retention = retention
        self._stopping = threading.Event()
        self._at_once = threading.Semaphore(_AT_ONCE)
        self._queues: dict[str, queue.SimpleQueue[SealedSegment | None]] = {}
        self._threads: list[threading.Thread] = []
        self._waiting: dict[str, float] = {}
        self._first_ns: dict[tuple[str, str], int] = {}
        self._behind: dict[str, int] = {}
        self._loads: dict[str, int] = {}
        self._lock = threading.Lock()
        self._trouble: dict[str, str] = {}
        self.on_no_space: Callable[[], None] = lambda: None

    def frozen(self, group: str) -> dict[str, Any]:
        """Return what is frozen into a segment of *group* when it is sealed."""
        known = self._groups.get(group, Group(group, ()))
        return {
            "versions": {mapping.table: self._archive.keep(mapping) for mapping in known.mappings},
            "retention_days": self._retention.days,
            "kept": self._retention.of(known.signal),
            "settings": BLOCK_SETTINGS,
            "block_raw_bytes": BLOCK_RAW_BYTES,
        }

    def take(self, segment: SealedSegment) -> None:
        """Queue *segment* behind the earlier ones of its group."""
        with self._lock:
            self._waiting[f"{segment.group}/{segment.name}"] = time.monotonic()
            self._first_ns[segment.group, segment.name] = segment.side.records[0].batch.received_at_ns
            self._behind[segment.group] = self._behind.get(segment.group, 0) + 1
            if segment.group not in self._queues:
                self._begin(segment.group)
            self._queues[segment.group].put(segment)

    def _begin(self, group: str) -> None:
        self._queues[group] = queue.SimpleQueue()
        for number in range(_AT_ONCE):
            thread = threading.Thread(
                target=self._run, args=(group,), name=f"loader-{group}-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def idle(self, group: str) -> bool:
        """Whether every segment of *group* that was taken is loaded."""
        with self._lock:
            return not self._behind.get(group)

    def stop(self, drain_s: float) -> None:
        """Load what is waiting for at most *drain_s* seconds, then let go: the rest is loaded at the next start."""
        deadline = time.monotonic() + drain_s
        with self._lock:
            queues, threads = list(self._queues.values()), list(self._threads)
        for waiting in queues:
            for _ in range(_AT_ONCE):
                waiting.put(None)
        for thread in threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        self._stopping.set()

    @property
    def waiting(self) -> tuple[int, float]:
        """Segments not finished yet, and the age in seconds of the oldest."""
        with self._lock:
            if not self._waiting:
                return 0, 0.0
            return len(self._waiting), time.monotonic() - min(self._waiting.values())

    def first_waiting_ns(self, group: str) -> int | None:
        """Return when the first record of *group* that is not loaded yet arrived, epoch nanoseconds; ``None`` = all are."""
        with self._lock:
            return min((at for (name, _), at in self._first_ns.items() if name == group), default=None)

    def loads(self, group: str) -> int:
        """Return how many segments of *group* were loaded since the start."""
        with self._lock:
            return self._loads.get(group, 0)

    @property
    def trouble(self) -> str | None:
        """Why a group's last attempt failed; ``None`` when no group is in trouble."""
        troubled = sorted(self._trouble.items())
        return f"{troubled[0][0]}: {troubled[0][1]}" if troubled else None

    def _run(self, group: str) -> None:
        waiting = self._queues[group]
        while not self._stopping.is_set():
            segment = waiting.get()
            if segment is None:
                return
            if not self._load_until_done(segment):
                return
            with self._lock:
                self._waiting.pop(f"{segment.group}/{segment.name}", None)
                self._first_ns.pop((segment.group, segment.name), None)
                self._behind[group] -= 1
                self._loads[group] = self._loads.get(group, 0) + 1

    def _load_until_done(self, segment: SealedSegment) -> bool:
        """Return whether it was loaded; only stopping ends the attempts."""
        backoff_s = _BACKOFF_FIRST_S
        while not self._stopping.is_set():
            try:
                with self._at_once:
                    self._one.load(segment)
            except Exception as error:  # noqa: BLE001 - the thread of a group must outlive whatever one attempt meets
                self._retry_later(segment, error)
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _BACKOFF_MOST_S)
            else:
                self._trouble.pop(segment.group, None)
                return True
        return False

    def _retry_later(self, segment: SealedSegment, error: Exception) -> None:
        self._trouble[segment.group] = str(error)
        if isinstance(error, JournalFull) or (isinstance(error, OSError) and error.errno in NO_SPACE):
            self.on_no_space()
        reason = (
            error.code
            if isinstance(error, FuseboardError)
            else "disk"
            if isinstance(error, OSError)
            else "internal"
        )
        self._metrics.retries.labels(segment.group, reason).inc()
        level = log.info if isinstance(error, StoreUnavailable) else log.error
        level(
            "segment_load_failed",
            group=segment.group,
            segment=segment.name,
            reason=reason,
            error=str(error)[:300],
        )
