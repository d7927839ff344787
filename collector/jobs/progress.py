"""How far each job is: one row of ``state/`` per job."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from collector.state import State
from collector.state.lease import hold
from collector.state.tables import EPOCH, jobs

# Several windows long: a collector that runs one must not lose the lease in the middle.
LEASE_S = 120.0


class Progress:
    """
    The rows of all jobs.

    Args:
        state: Where they stand.
        holder: Of the lease; stable over restarts of one collector, different between collectors.
    """

    def __init__(self, state: State, holder: str) -> None:
        self._state = state
        self._holder = holder

    def plan(self, job: str, first_ns: int, until_ns: int, now: datetime) -> tuple[int, int] | None:
        """
        Fix the next window of *job* before it is run.

        A window that was planned and not finished comes back as it was, whatever is due by now.

        Args:
            job: Name and version.
            first_ns: Where a job begins that never ran.
            until_ns: Where the next window ends at most.
            now: Current time.

        Returns:
            (start, end) in nanoseconds, or ``None``: another collector runs the jobs, or nothing is due.

        Raises:
            Unavailable: The state database refuses.
        """
        with self._state.write() as tx:
            if not hold(tx, "jobs", self._holder, now, LEASE_S):
                return None
            row = tx.execute(select(jobs).where(jobs.c.name == job)).one_or_none()
            done_ns = first_ns if row is None else _ns(row.done_until)
            if row is not None and row.planned_until > row.done_until:
                return done_ns, _ns(row.planned_until)
            if until_ns <= done_ns:
                return None
            _write(tx, job, done_ns, until_ns)
            return done_ns, until_ns

    def done_ns(self, job: str) -> int | None:
        """Return where *job* stands; ``None`` = it never ran."""
        with self._state.read() as tx:
            row = tx.execute(select(jobs.c.done_until).where(jobs.c.name == job)).one_or_none()
        return None if row is None else _ns(row.done_until)

    def finish(self, job: str, until_ns: int) -> None:
        """Note that every window of *job* before *until_ns* is in the tables."""
        with self._state.write() as tx:
            _write(tx, job, until_ns, until_ns)


def _write(tx: Connection, job: str, done_ns: int, planned_ns: int) -> None:
    values = {"done_until": _instant(done_ns), "planned_until": _instant(planned_ns)}
    if tx.execute(update(jobs).where(jobs.c.name == job).values(**values)).rowcount == 0:
        tx.execute(insert(jobs).values(name=job, **values))


def _instant(at_ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_ns // 1000)


def _ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000
