"""
Traces per time and duration as cells of an SVG, each a link that selects what it holds.

Columns are time, rows duration on a logarithmic scale, the shortest at the bottom. How many is told by shade in steps of a logarithm, failures by a second
colour from the bottom of the cell, and both by the cell's words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboards.api import Row
from dashboards.pages.page import rows_of
from dashboards.walk import number_of

SHADES = 5
LABELS = 8
"""Rows with a duration beside them, about; more would touch."""
SLOWEST = 0.1
"""Share of the traces that "the slowest" are at most, if a row is not more by itself."""
GAP, GROUP = 2, 10
"""Empty rows that separate a group of so many traces from those below."""
_LEAST_FAILED = 0.3
"""A failure among thousands is still seen."""


@dataclass(frozen=True)
class Box:
    """A part of the map: times as the API wrote them, durations in ms; "" is open."""

    start: str = ""
    end: str = ""
    min_ms: str = ""
    max_ms: str = ""

    def parameters(self) -> dict[str, str]:
        """Give it as parameters of the Traces page."""
        return {
            "selected_start": self.start,
            "selected_end": self.end,
            "selected_min_ms": self.min_ms,
            "selected_max_ms": self.max_ms,
        }


@dataclass(frozen=True)
class Cell:
    """Traces of one column and row."""

    x: int
    y: int
    traces: int
    errors: int
    shade: int
    failed: float
    box: Box
    url: str


@dataclass(frozen=True)
class Mark:
    """A duration beside the map: where, what, and the link that selects what took longer."""

    y: float
    ms: float
    url: str


@dataclass(frozen=True)
class Area:
    """What is selected, in columns and rows."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Heatmap:
    """The map with its axes; `times` and `durations` are its edges, for selecting by drag."""

    columns: int
    rows: int
    cells: tuple[Cell, ...]
    marks: tuple[Mark, ...]
    area: Area | None
    traces: int
    errors: int
    slowest: tuple[int, float, str] | None
    times: tuple[str, ...]
    durations: tuple[str, ...]


def lay_out(row: Row | None, link: Callable[[Box], str], selected: Box) -> Heatmap | None:
    """
    Place the cells.

    Args:
        row: The one row of ``/traces/heatmap``.
        link: Gives the URL that selects a box.
        selected: What is selected now.

    Returns:
        None if there is no trace, or no map.
    """
    times, durations = (_texts(row, name) for name in ("times", "durations_ms"))
    found = rows_of((row or {}).get("cells"))
    if row is None or len(times) < 2 or len(durations) < 2 or not found:
        return None
    columns, rows = len(times) - 1, len(durations) - 1
    most = max(number_of(each.get("traces")) for each in found)
    cells = tuple(
        _cell(each, times, durations, most, link)
        for each in found
        if 0 <= number_of(each.get("column")) < columns and 0 <= number_of(each.get("row")) < rows
    )
    return Heatmap(
        columns=columns,
        rows=rows,
        cells=cells,
        marks=_marks(durations, link),
        area=_area(selected, times, durations),
        traces=number_of(row.get("traces")),
        errors=number_of(row.get("errors")),
        slowest=_slowest(cells, durations, link),
        times=times,
        durations=durations,
    )


def _texts(row: Row | None, name: str) -> tuple[str, ...]:
    value = (row or {}).get(name)
    return tuple(_text(each) for each in value) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _cell(
    row: Row, times: Sequence[str], durations: Sequence[str], most: int, link: Callable[[Box], str]
) -> Cell:
    column, floor = number_of(row.get("column")), number_of(row.get("row"))
    traces, errors = number_of(row.get("traces")), number_of(row.get("errors"))
    box = Box(times[column], times[column + 1], durations[floor], durations[floor + 1])
    failed = max(_LEAST_FAILED, errors / max(1, traces)) if errors else 0.0
    y = len(durations) - 2 - floor
    return Cell(column, y, traces, errors, _shade(traces, most), round(failed, 3), box, link(box))


def _shade(traces: int, most: int) -> int:
    """Give 1 … `SHADES` by the logarithm: one trace is seen beside thousands."""
    if most <= 1:
        return SHADES
    return 1 + round((SHADES - 1) * math.log(max(1, traces)) / math.log(most))


def _marks(durations: Sequence[str], link: Callable[[Box], str]) -> tuple[Mark, ...]:
    rows = len(durations) - 1
    every = -(-rows // LABELS)
    return tuple(
        Mark(round(100 * (rows - row) / rows, 2), _ms(durations[row]), link(Box(min_ms=durations[row])))
        for row in range(0, rows, every)
    )


def _slowest(
    cells: Sequence[Cell], durations: Sequence[str], link: Callable[[Box], str]
) -> tuple[int, float, str] | None:
    """
    Give (traces, ms, URL) of the topmost rows that hold at most `SLOWEST` of the traces, or of the top one; None if that is most.

    Where they are a group of their own, with a gap below, they end with it.
    """
    rows = len(durations) - 1
    counts = [0] * rows
    for cell in cells:
        counts[cell.y] += cell.traces
    slow, gap, floor = 0, 0, ""
    for y, count in enumerate(counts):
        if slow and count and (slow + count > SLOWEST * sum(counts) or (gap >= GAP and slow >= GROUP)):
            break
        gap = 0 if count else gap + 1
        if count:
            slow, floor = slow + count, durations[rows - 1 - y]
    return (slow, _ms(floor), link(Box(min_ms=floor))) if 0 < slow <= sum(counts) / 2 else None


def _area(selected: Box, times: Sequence[str], durations: Sequence[str]) -> Area | None:
    if selected == Box():
        return None
    columns, rows = len(times) - 1, len(durations) - 1
    left = sum(1 for each in times[1:] if selected.start and each <= selected.start)
    right = columns - sum(1 for each in times[:-1] if selected.end and each >= selected.end)
    low = sum(1 for each in durations[1:] if selected.min_ms and _ms(each) <= _ms(selected.min_ms))
    high = rows - sum(1 for each in durations[:-1] if selected.max_ms and _ms(each) >= _ms(selected.max_ms))
    if right <= left or high <= low:
        return None
    return Area(left, rows - high, right - left, high - low)


def _ms(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
