"""
The embedded engine's share of the disk: the oldest partitions go before the disk is full, and it is said which.

Every 30 s the bytes of all partitions are summed. Over ``disk_max_bytes``, or with less free on the disk than ``disk_free_bytes``, partitions are
dropped, one statement each, until there is room:

1. of the tables that hold records and samples, the oldest day first, whatever its retention; the largest of a day first;
2. then of the rollups and the pipeline's own tables, which are small and say most per byte, the oldest first;
3. then of the day (or month) that is being written, and only for ``disk_max_bytes``: where all that is left is today's and the disk is
   short, the journal refuses with 429 and the agents keep what they have, so that nothing is lost.

A statement that is cut off or sent twice does no harm: what is gone is not listed again. What was dropped is kept in a file beside the
database, so that it can be told while the engine is away and after the collector has been started again.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog

from collector.errors import StoreUnavailable
from collector.metrics import DiskMetrics
from collector.store.client import Store

log = structlog.get_logger()

_EVERY_S = 30.0
_AGAIN_S = 2.0
_TOLD = 50
# Tables of what was sent; every other one is small beside them.
_RECORDS = frozenset({"logs", "spans", "metric_samples", "exemplars"})
_GIB = 1 << 30

# A partition is ('2026-11-27',30), or by months (202611,30); a table without partitions cannot be shortened.
_PARTITIONS = """
SELECT table, partition_id, any(partition) AS partition, sum(bytes_on_disk) AS bytes, sum(rows) AS rows
FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table, partition_id
ORDER BY table, partition_id
LIMIT 100000
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of one table, as ``system.parts`` tells it; *last_day* is ``None`` where the table has none."""

    table: str
    partition_id: str
    partition: str
    bytes: int
    rows: int

    @property
    def last_day(self) -> date | None:
        """The newest day it may hold."""
        key = self.partition.strip("('")
        if key[4:5] == "-":
            return date.fromisoformat(key[:10])
        if key[:6].isdigit():
            following = date(int(key[:4]), int(key[4:6]), 1) + timedelta(days=31)
            return following.replace(day=1) - timedelta(days=1)
        return None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A partition that had to go, when and why: ``max_bytes`` or ``free_bytes``."""

    at: str
    table: str
    partition: str
    bytes: int
    rows: int
    reason: str


def floor_bytes(total: int) -> int:
    """
    Return how much of a disk of *total* bytes stays free: a twentieth, at least 2 GiB, at most 20 GiB.

    On a disk below 10 GiB a fifth of it: 2 GiB would leave nothing to write on. On large disks a twentieth would be more than a
    merge or a backlog of the journal ever takes.
    """
    return min(max(total // 20, 2 * _GIB), 20 * _GIB, total // 5)


def plan(
    partitions: Sequence[Partition], today: date, over_bytes: int, short_bytes: int
) -> list[tuple[Partition, str]]:
    """
    Choose what goes, in the order in which it goes, each with its reason.

    Args:
        partitions: All of them.
        today: Partitions of this day or a later one are being written: clocks may be ahead, and a month is not over.
        over_bytes: How far the data are over ``disk_max_bytes``; 0 or less = not at all.
        short_bytes: How much less is free than should be.
    """
    dated = [
        (part.table not in _RECORDS, day, -part.bytes, part) for part in partitions if (day := part.last_day)
    ]
    ordered = sorted(dated, key=lambda each: (*each[:3], each[3].table))
    going: list[tuple[Partition, str]] = []
    freed = 0
    for being_written in (False, True):
        needed = over_bytes if being_written else max(over_bytes, short_bytes)
        for part in [part for _, day, _, part in ordered if (day >= today) == being_written]:
            if freed < needed:
                going.append((part, "max_bytes" if freed < over_bytes else "free_bytes"))
                freed += part.bytes
    return going


class DiskBudget:
    """
    Watches the embedded engine's data and the disk it is on.

    Args:
        store: The embedded engine.
        path: Directory of the database; ``dropped.jsonl`` is kept beside it.
        max_bytes: ``disk_max_bytes``; ``None`` = no bound but the disk's.
        min_free: ``disk_free_bytes``; ``None`` = `floor_bytes` of the disk.
        metrics: What is announced.
        now: The time.
        disk: (total, used, free) of the disk with a path.
    """

    def __init__(
        self,
        store: Store,
        path: Path,
        max_bytes: int | None,
        min_free: int | None,
        metrics: DiskMetrics,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        disk: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._store = store
        self._path = path.parent
        self._history = path.parent / "dropped.jsonl"
        self._max_bytes = max_bytes
        self._min_free = min_free
        self._metrics = metrics
        self._now = now
        self._disk = disk
        self._bytes: int | None = None
        self._told: deque[dict[str, Any]] = deque(_read(self._history), maxlen=_TOLD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk-budget", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def row(self) -> dict[str, Any]:
        """Return ``{bytes, max_bytes, free_bytes, min_free_bytes, dropped}``; answers while the engine is away."""
        free, min_free = self._free()
        return {
            "bytes": self._bytes,
            "max_bytes": self._max_bytes,
            "free_bytes": free,
            "min_free_bytes": min_free,
            "dropped": list(reversed(self._told)),
        }

    def check(self) -> list[Dropped]:
        """
        Look once and make room.

        Returns:
            What was dropped.

        Raises:
            StoreError: The engine is away or said no; what was dropped before is told.
        """
        partitions = [Partition(**row) for row in self._store.query(_PARTITIONS).rows]
        self._bytes = sum(part.bytes for part in partitions)
        free, min_free = self._free()
        over = 0 if self._max_bytes is None else self._bytes - self._max_bytes
        going = plan(partitions, self._now().date(), over, min_free - free)
        dropped = [self._drop(part, reason) for part, reason in going]
        self._announce()
        return dropped

    def _drop(self, part: Partition, reason: str) -> Dropped:
        self._store.command(
            f"ALTER TABLE `{part.table}` DROP PARTITION ID {{id:String}}",
            {"id": part.partition_id},
            {"max_partition_size_to_drop": 0},  # the engine's own guard is against people's mistakes
        )
        at = self._now().isoformat(timespec="seconds").replace("+00:00", "Z")
        dropped = Dropped(at, part.table, part.partition, part.bytes, part.rows, reason)
        log.warning(
            "partition_dropped", **{key: value for key, value in asdict(dropped).items() if key != "at"}
        )
        self._metrics.dropped_bytes.labels(part.table).inc(part.bytes)
        self._metrics.dropped_rows.labels(part.table).inc(part.rows)
        self._bytes = max((self._bytes or 0) - part.bytes, 0)
        self._remember(dropped)
        return dropped

    def _remember(self, dropped: Dropped) -> None:
        self._told.append(asdict(dropped))
        draft = self._history.with_suffix(".draft")
        try:
            draft.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in self._told))
            draft.replace(self._history)
        except OSError as error:  # the disk is what is short: the log line and the metric have told it
            log.warning("dropped_not_written", error=str(error))

    def _free(self) -> tuple[int, int]:
        """Return how many bytes are free and how many should be."""
        total, _, free = self._disk(self._path)
        return free, floor_bytes(total) if self._min_free is None else self._min_free

    def _announce(self) -> None:
        free, min_free = self._free()
        self._metrics.bytes.set(self._bytes or 0)
        self._metrics.free_bytes.set(free)
        if free < min_free:
            log.warning("disk_low", free_bytes=free, min_free_bytes=min_free, bytes=self._bytes)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = _EVERY_S
            try:
                self.check()
            except StoreUnavailable:
                wait_s = _AGAIN_S  # that the engine is away is told by those who watch it
            except Exception:
                log.exception("disk_check_failed")
            self._stopping.wait(wait_s)


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of *path* that are whole; the file only serves to be shown."""
    try:
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError):
        return []
