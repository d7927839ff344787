"""
Time series as a chart shows them: aligned times, honest gaps, a unit, and the table behind.

A `Chart` is a value; ``templates/_chart.html`` renders it (figure, JSON for ``static/charts.js``, table), so that a
page says only which rows and which columns. What is missing is None: a gap in the picture, ``–`` in the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from dashboards.api import Row
from dashboards.timestamps import NS_PER_S, moment, nanoseconds
from dashboards.window import Window

UNITS = ("", "count", "per_second", "ratio", "ms", "s", "bytes", "bytes_per_second")
"""How a chart's numbers are written; anything else stands behind the number as it is."""
TABLE_CELLS = 1500
"""Up to so many numbers the table behind a chart has each; beyond, it has one row per series."""
SPARK_HEIGHT = 20


@dataclass(frozen=True)
class Line:
    """One series of a chart."""

    label: str
    values: tuple[float | None, ...]
    tone: str = ""
    """What it means, if it means something: ``main``, ``bad``, ``weak``, ``good``; "" takes the next colour."""
    url: str = ""
    """Where the series has a page."""

    @property
    def known(self) -> tuple[float, ...]:
        """Its numbers without the gaps."""
        return tuple(value for value in self.values if value is not None)

    @property
    def last(self) -> float | None:
        """The newest number."""
        return self.known[-1] if self.known else None

    @property
    def least(self) -> float | None:
        """The smallest number."""
        return min(self.known, default=None)

    @property
    def mean(self) -> float | None:
        """The mean of the numbers there are."""
        return sum(self.known) / len(self.known) if self.known else None

    @property
    def most(self) -> float | None:
        """The largest number."""
        return max(self.known, default=None)

    @property
    def missing(self) -> int:
        """How many points have no number."""
        return len(self.values) - len(self.known)


@dataclass(frozen=True)
class Exemplar:
    """One request behind a number: a mark on the chart that leads to its trace."""

    at: float
    value: float
    label: str
    url: str

    @property
    def moment(self) -> datetime:
        """When it was."""
        return moment(round(self.at * NS_PER_S))


@dataclass(frozen=True)
class Limit:
    """A straight line across a chart: where something begins to hold."""

    value: float
    label: str


@dataclass(frozen=True)
class Chart:
    """
    One chart of a page.

    Args:
        name: Unique on the page; part of element ids.
        title: What it shows.
        unit: One of `UNITS`, or a unit's name.
        times: Seconds since the epoch, rising; each `Line` has as many values.
        start: Left end of the time axis (the page's, so that all charts align).
        end: Right end.
        links: (words, URL) of pages that explain a point; a click on the chart offers them for the minutes around it.
        exemplars: Requests behind the numbers.
        limit: A threshold, drawn dashed; not in the table behind.
    """

    name: str
    title: str
    unit: str
    times: tuple[float, ...]
    lines: tuple[Line, ...]
    start: float
    end: float
    links: tuple[tuple[str, str], ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    limit: Limit | None = None

    @property
    def step_s(self) -> float:
        """The distance between two points; 0 with fewer than two."""
        return min((right - left for left, right in pairwise(self.times)), default=0.0)

    @property
    def small(self) -> bool:
        """True if the table behind has every number."""
        return len(self.times) * len(self.lines) <= TABLE_CELLS

    @property
    def empty(self) -> bool:
        """True if there is not one number."""
        return not any(line.known for line in self.lines)

    @property
    def moments(self) -> tuple[datetime, ...]:
        """The times as the table writes them."""
        return tuple(moment(round(at * NS_PER_S)) for at in self.times)

    @property
    def data(self) -> dict[str, Any]:
        """What ``charts.js`` draws from, as JSON."""
        return {
            "unit": self.unit,
            "start": self.start,
            "end": self.end,
            "step": self.step_s,
            "x": self.times,
            "series": [
                {"label": line.label, "tone": line.tone, "values": [_short(value) for value in line.values]}
                for line in self.lines
            ]
            + self._limit,
            "links": self.links,
            "exemplars": [
                {"at": each.at, "value": _short(each.value), "label": each.label, "url": each.url}
                for each in self.exemplars
            ],
        }

    @property
    def _limit(self) -> list[dict[str, Any]]:
        """The threshold as one more series."""
        if self.limit is None:
            return []
        values = [_short(self.limit.value)] * len(self.times)
        return [{"label": self.limit.label, "tone": "bad", "dashed": True, "values": values}]


def chart_of_rows(
    name: str,
    title: str,
    unit: str,
    rows: Iterable[Row],
    columns: Sequence[tuple[str, str, str]],
    window: Window,
    *,
    links: tuple[tuple[str, str], ...] = (),
) -> Chart:
    """
    Make a chart of API rows that carry their time as ``at``.

    *rows* may come in any order; one whose time cannot be read is left out, and buckets that the API leaves out become
    gaps. *columns* are (field, label, tone) of each line; the rest is as in `Chart`.
    """
    by_time = {at: row for row in rows if (at := _epoch_s(row.get("at"))) is not None}
    times = _without_holes(sorted(by_time))
    lines = tuple(
        Line(label, tuple(amount(by_time.get(at, {}).get(field)) for at in times), tone)
        for field, label, tone in columns
    )
    return chart_of(name, title, unit, times, lines, window, links=links)


def chart_of(
    name: str,
    title: str,
    unit: str,
    times: Sequence[float],
    lines: Iterable[Line],
    window: Window,
    *,
    links: tuple[tuple[str, str], ...] = (),
) -> Chart:
    """Make a chart over the page's time range of series that share their *times* (seconds since the epoch)."""
    start, end = window.start.timestamp(), window.end.timestamp()
    return Chart(name, title, unit, tuple(times), tuple(lines), start, end, links)


def aligned(
    series: Sequence[Sequence[tuple[float, float | None]]],
) -> tuple[list[float], list[list[float | None]]]:
    """
    Bring series of (seconds, value) onto one time axis, as Prometheus' answers need it.

    Returns:
        (times, one list of values per series); None where a series has no point.
    """
    times = _without_holes(sorted({at for points in series for at, _ in points}))
    maps = [dict(points) for points in series]
    return times, [[amount(each.get(at)) for at in times] for each in maps]


def spark_points(values: Sequence[float | None], width: int = 100, most: float | None = None) -> list[str]:
    """
    Give the polylines of a sparkline in a box *width* by `SPARK_HEIGHT`; a gap begins a new one.

    *most* is the value at the top; without it the largest one.
    """
    top = most or max((value for value in values if value is not None), default=0) or 1
    scale = width / max(1, len(values) - 1)
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            height = SPARK_HEIGHT - 1 - (SPARK_HEIGHT - 2) * min(max(value / top, 0), 1)
            pieces[-1].append(f"{index * scale:.1f},{height:.1f}")
    return [
        " ".join([*piece, piece[0].replace(",", ".01,", 1)] if len(piece) == 1 else piece)
        for piece in pieces
        if piece
    ]


def amount(value: object) -> float | None:
    """Give a number of an API row; None for anything that is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def rows_by(rows: Iterable[Row], *names: str) -> Mapping[tuple[str, ...], list[Row]]:
    """Group rows by some of their fields, each group in the order it came."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(str(row.get(name) or "") for name in names), []).append(row)
    return found


def _without_holes(times: Sequence[float]) -> list[float]:
    """Add the time after each point whose next one comes late, so that a line is not drawn over what is missing."""
    step = min((right - left for left, right in pairwise(times)), default=0.0)
    filled = []
    for at, following in pairwise([*times, math.inf]):
        filled.append(at)
        if step and following < math.inf and following - at > 1.5 * step:
            filled.append(at + step)
    return filled


def _epoch_s(value: object) -> float | None:
    try:
        return nanoseconds(str(value)) / NS_PER_S
    except ValueError:
        return None


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
