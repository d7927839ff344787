"""
Rhythm: whether something that happens on some days happens by the week, the month, the quarter. Pure: days -> period.

Days that lie within `_BURST_DAYS` of each other are one occasion (a job that runs over a weekend, a month's last days). Three occasions whose distances
differ by no more than three days, or by a seventh, have a rhythm; two have a distance and no rhythm yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_BURST_DAYS = 3
_OCCASIONS = 3
_SLACK_DAYS, _SLACK_RATIO = 3.0, 1 / 7
_NAMED = (
    ("weekly", 6, 8),
    ("every two weeks", 12, 16),
    ("monthly", 26, 33),
    ("quarterly", 85, 97),
    ("half-yearly", 175, 190),
)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """
    A period in days, and how far from it the next occasion may be.

    Attributes:
        last: The first day of the last occasion, days since the epoch.
    """

    period: float
    slack: float
    last: int

    @property
    def name(self) -> str:
        """What people call it."""
        named = (name for name, low, high in _NAMED if low <= self.period <= high)
        return next(named, f"every {self.period:.0f} days")

    @property
    def due(self) -> float:
        """The day by which the next occasion should have come, days since the epoch."""
        return self.last + self.period + self.slack


def rhythm(days: Sequence[int]) -> Rhythm | None:
    """Give the rhythm of *days* (days since the epoch, ascending), None where there is none, or it is daily."""
    starts = _occasions(days)
    if len(starts) < _OCCASIONS:
        return None
    distances = [later - earlier for earlier, later in pairwise(starts)]
    period = float(median(distances))
    slack = max(_SLACK_DAYS, period * _SLACK_RATIO)
    if any(abs(distance - period) > slack for distance in distances):
        return None
    return Rhythm(period, slack, starts[-1])


def _occasions(days: Sequence[int]) -> list[int]:
    starts: list[int] = []
    last = None
    for day in days:
        if last is None or day - last > _BURST_DAYS:
            starts.append(day)
        last = day
    return starts
