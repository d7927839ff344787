"""The points in time that an answer has: ``start, start + step, …, end``, in milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collector.errors import QueryError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS, _LATEST_MS = -2_208_988_800_000, 10_413_791_999_999


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Where a question is evaluated.

    Attributes:
        start_ms: First point.
        end_ms: No point is later.
        step_ms: Distance of two points; 0 = there is but one (an instant query).
    """

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def points(self) -> int:
        """How many points there are; 0 when the end comes before the start."""
        if self.end_ms < self.start_ms:
            return 0
        return 1 if self.step_ms == 0 else (self.end_ms - self.start_ms) // self.step_ms + 1

    @property
    def times(self) -> range:
        """Every point."""
        if self.step_ms == 0:
            return range(self.start_ms, self.start_ms + 1)
        return range(self.start_ms, self.end_ms + 1, self.step_ms)

    def moved(self, by_ms: int) -> Grid:
        """Give the same grid *by_ms* later."""
        return Grid(self.start_ms + by_ms, self.end_ms + by_ms, self.step_ms)


def instant(at_ms: int) -> Grid:
    """Give the grid of one point."""
    return Grid(at_ms, at_ms, 0)


def sql_ms(at_ms: int) -> str:
    """
    Write a time as ClickHouse reads it into DateTime64(3, 'UTC'): milliseconds exactly, before 1970 too.

    Raises:
        QueryError: 400 ``bad_time``: before 1900 or after 2299, which no DateTime64 holds.
    """
    if not _EARLIEST_MS <= at_ms <= _LATEST_MS:
        raise QueryError(
            "bad_time", f"the query looks at {at_ms / 1000:.0f} s since 1970; times lie between 1900 and 2299"
        )
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def sql_seconds(duration_ms: int) -> str:
    """Write a duration as ClickHouse reads it into Decimal64(3): ``15.000``."""
    return f"{'-' if duration_ms < 0 else ''}{abs(duration_ms) // 1000}.{abs(duration_ms) % 1000:03d}"
