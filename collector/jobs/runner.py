"""
Runs the jobs: which window of which job is due, and that it is in the tables once.

Before a window is run it is written down (`Progress.plan`), so that a collector that was killed runs the very same window again
and the engine knows its tokens. Windows grow when a job is behind: a long outage is caught up in few statements.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog

from collector.errors import FuseboardError, StoreUnavailable
from collector.jobs.progress import Progress
from collector.load.loader import BLOCK_SETTINGS
from collector.metrics import JobMetrics
from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Answer
from collector.store.limits import MAP_READS

log = structlog.get_logger()

_LOOK_S = 5.0
_MILLISECOND_NS = 1_000_000
# A job that never ran begins here: what the pages show by default.
_FIRST_NS = 3600 * SECOND_NS
# Beyond this much delay the past is given up, and said so.
_BEHIND_NS = 24 * 3600 * SECOND_NS
# A window of a job that is behind is at most so many of its usual ones.
_CATCH_UP = 10
_MEMORY_BYTES = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Statement:
    """One INSERT … SELECT of a job with the places ``{start:…}`` and ``{end:…}``; *table* makes its token."""

    table: str
    sql: str


@dataclass(frozen=True, slots=True)
class Job:
    """
    A watermark job.

    Attributes:
        name: For metrics and logs.
        reads: The table whose rows it reads: a window waits until all that was received is in it.
        version: Counts changes of the statements: another version begins anew where it stands.
        window_s: Usual length of a window, seconds.
        delay_s: How long after its end a window is run.
        wanted: SELECTs, the cheapest first, each of which has a row where a window has something to do: most of an idle system's have not, and a statement
            costs its analysis.
        params: Values for places of its statements, beside start and end.
        late_s: How far before a window its statements look for rows that came late, and tell only what is new. Such a job need not wait: its window ends as
            soon as rows were loaded, and what waits to be loaded for less than half of this will have come late.
    """

    name: str
    reads: str
    version: int
    window_s: int
    delay_s: float
    statements: Sequence[Statement]
    wanted: Sequence[str]
    params: Mapping[str, object] = field(default_factory=dict)
    late_s: float = 0.0

    @property
    def key(self) -> str:
        """What its progress and tokens are kept under."""
        return f"{self.name}/{self.version}"


class Jobs:
    """
    The thread that runs them.

    Args:
        jobs: Each with a name of its own.
        store: ClickHouse.
        progress: How far they are.
        unloaded_ns: When the first record of a table arrived that is not loaded yet, epoch nanoseconds; ``None`` = all are.
        metrics: Gauges and counters.
        clock_ns: Nanoseconds since the epoch.
        loads: How many segments were loaded into a table.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        store: Runs,
        progress: Progress,
        unloaded_ns: Callable[[str], int | None],
        metrics: JobMetrics,
        clock_ns: Callable[[], int] = time.time_ns,
        loads: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._progress = progress
        self._unloaded_ns = unloaded_ns
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._loads = loads
        self._looked: dict[str, int] = {}
        self._done_ns: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a window that is being run is run again by the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for job in self._jobs:
                try:
                    self.turn(job)
                except FuseboardError as error:
                    self._metrics.failures.labels(job.name).inc()
                    level = log.info if isinstance(error, StoreUnavailable) else log.warning
                    level("job_failed", job=job.key, reason=error.code, error=str(error)[:300])
                except Exception:
                    self._metrics.failures.labels(job.name).inc()
                    log.exception("job_failed", job=job.key)

    def turn(self, job: Job) -> int:
        """Run what is due of *job*, and say how many windows; what is loaded meanwhile is the next turn's: where much is, the other jobs would have none."""
        loads, windows = self._loads(job.reads), 0
        while not self._stopping.is_set() and self.step(job, loads):
            windows += 1
        return windows

    def step(self, job: Job, loads: int) -> bool:
        """
        Run the next window of *job* if one is due.

        Args:
            job: One of those that are run.
            loads: How many segments had been loaded into its table when its turn began.

        Returns:
            Whether one was run.

        Raises:
            StoreError: The engine is away or refuses; the same window comes again.
            Unavailable: The state database refuses.
        """
        now_ns = self._clock_ns()
        horizon_ns = self._horizon_ns(job, now_ns)
        known_ns = self._done_ns.get(job.key)
        if known_ns is not None and not self._is_due(job, known_ns, horizon_ns, loads):
            self._metrics.lag_s.labels(job.name).set((now_ns - known_ns) / SECOND_NS)
            return False
        planned = self._planned(job, now_ns, horizon_ns)
        if planned is None:
            self._looked[job.key] = loads
            return False
        start_ns, end_ns = planned
        self._done_ns.pop(job.key, None)
        began = time.monotonic()
        # what was run and not noted is run again, whatever is wanted now
        may_be_again = bool(job.late_s) and known_ns is None
        if may_be_again or self._is_wanted(job, start_ns, end_ns):
            for statement in job.statements:
                run_statement(self._store, job, statement, start_ns, end_ns)
        self._progress.finish(job.key, end_ns)
        self._done_ns[job.key] = end_ns
        self._looked[job.key] = loads
        self._metrics.windows.labels(job.name).inc()
        self._metrics.seconds.labels(job.name).inc(time.monotonic() - began)
        self._metrics.lag_s.labels(job.name).set((now_ns - end_ns) / SECOND_NS)
        return True

    def _is_wanted(self, job: Job, start_ns: int, end_ns: int) -> bool:
        return all(self._store.query(sql, _params(job, start_ns, end_ns)).rows for sql in job.wanted)

    def _is_due(self, job: Job, done_ns: int, horizon_ns: int, loads: int) -> bool:
        if job.late_s and loads != self._looked.get(job.key):
            return horizon_ns > done_ns
        return horizon_ns >= done_ns + job.window_s * SECOND_NS

    def _planned(self, job: Job, now_ns: int, horizon_ns: int) -> tuple[int, int] | None:
        length_ns = job.window_s * SECOND_NS
        first_ns = max(horizon_ns - _FIRST_NS, 0) // length_ns * length_ns
        done_ns = self._progress.done_ns(job.key)
        if done_ns is not None and done_ns < now_ns - _BEHIND_NS:
            self._progress.finish(job.key, first_ns)
            log.warning("job_skipped", job=job.key, from_ns=done_ns, to_ns=first_ns)
            done_ns = first_ns
        done_ns = first_ns if done_ns is None else done_ns
        until_ns = done_ns + min(max((horizon_ns - done_ns) // length_ns, 0), _CATCH_UP) * length_ns
        if job.late_s and horizon_ns < done_ns + _CATCH_UP * length_ns:
            until_ns = max(horizon_ns, done_ns)
        now = datetime.fromtimestamp(now_ns / SECOND_NS, UTC)
        planned = self._progress.plan(job.key, first_ns, until_ns, now)
        if planned is None:
            self._done_ns[job.key] = done_ns
        return planned

    def _horizon_ns(self, job: Job, now_ns: int) -> int:
        """Give the end of what may be run: received long enough ago, and all of it loaded; whole milliseconds, as statements are told."""
        horizon_ns = now_ns - int(job.delay_s * SECOND_NS)
        unloaded_ns = self._unloaded_ns(job.reads)
        if unloaded_ns is not None:
            horizon_ns = min(horizon_ns, unloaded_ns - 1 + int(job.late_s * SECOND_NS / 2))
        return horizon_ns // _MILLISECOND_NS * _MILLISECOND_NS


class Loads(Protocol):
    """The part of `collector.store.client.Store` that runs an INSERT."""

    def load(self, sql: str, params: Mapping[str, object], settings: Mapping[str, object]) -> None:
        """Run an INSERT … SELECT."""


class Runs(Loads, Protocol):
    """And that asks."""

    def query(self, sql: str, params: Mapping[str, object]) -> Answer:
        """Run a SELECT."""


def _params(job: Job, start_ns: int, end_ns: int) -> dict[str, object]:
    return {**job.params, "start": sql_time(start_ns), "end": sql_time(end_ns)}


def run_statement(store: Loads, job: Job, statement: Statement, start_ns: int, end_ns: int) -> None:
    """Run one statement of a window; the second time it adds nothing."""
    settings = {
        **BLOCK_SETTINGS,
        **MAP_READS,
        "max_memory_usage": _MEMORY_BYTES,
        "insert_deduplication_token": f"{job.key}:{statement.table}:{start_ns}-{end_ns}",
    }
    store.load(statement.sql, _params(job, start_ns, end_ns), settings)
