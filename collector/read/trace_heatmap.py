"""Traces counted per bucket of time and of duration: what a heatmap shows, and the edges by which part of it is selected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from collector.query.window import rfc_3339
from collector.read.log_counts import step_ns
from collector.read.sql import Reader, Row
from collector.read.traces import SETTINGS, Wanted, matching

# Edges that people read off an axis, so many to a decade; equally far apart on a logarithmic scale, about.
_STEPS = {6: (1, 1.5, 2, 3, 5, 7), 3: (1, 2, 5), 1: (1,)}
# From 1 µs to 11 days; shorter ones fall between 0 and the first.
_DECADES_NS = range(3, 16)


def edges_ns(per_decade: int) -> list[int]:
    """Give the lower edges of duration buckets, ns, rising, 0 first."""
    return [0, *(round(step * 10**decade) for decade in _DECADES_NS for step in _STEPS[per_decade])]


_HEATMAP = """
SELECT intDiv(toUnixTimestamp64Nano(began), {{step:Int64}}) AS bucket, roundDown(duration_ns, {{edges:Array(UInt64)}}) AS floor_ns,
       count() AS traces, countIf(failed) AS errors
FROM ({matching})
GROUP BY bucket, floor_ns
ORDER BY bucket, floor_ns
LIMIT 100000
"""


def heatmap(reader: Reader, wanted: Wanted, columns: int, rows: int) -> Row:
    """
    Count the traces that fit.

    Args:
        reader: The store.
        wanted: Which traces.
        columns: About so many buckets of time.
        rows: At most so many of duration, if one to a decade is few enough.

    Returns:
        ``{times, durations_ms, cells: [{column, row, traces, errors}], traces, errors}``: the edges, one more than buckets, and the cells
        that are not empty. A cell holds what began in ``[times[column], times[column + 1])`` and took
        ``[durations_ms[row], durations_ms[row + 1])``.
    """
    step, finest = step_ns(wanted.window, columns), edges_ns(6)
    params = {**wanted.params(), "step": step, "edges": finest}
    found = reader.rows(_HEATMAP.format(matching=matching(wanted)), params, SETTINGS)
    edges = _shown_edges([row["floor_ns"] for row in found], rows)
    first, last = wanted.window.start_ns // step, (wanted.window.end_ns - 1) // step
    cells: dict[tuple[int, int], list[int]] = {}
    for row in found:
        cell = cells.setdefault((row["bucket"] - first, _bucket(edges, row["floor_ns"])), [0, 0])
        cell[0] += row["traces"]
        cell[1] += row["errors"]
    return {
        "times": [rfc_3339(number * step) for number in range(first, last + 2)],
        "durations_ms": [edge / 1e6 for edge in edges],
        "cells": [
            {"column": column, "row": row, "traces": traces, "errors": errors}
            for (column, row), (traces, errors) in sorted(cells.items())
        ],
        "traces": sum(row["traces"] for row in found),
        "errors": sum(row["errors"] for row in found),
    }


def _shown_edges(floors_ns: Sequence[int], rows: int) -> list[int]:
    """Give the finest edges around all of *floors_ns* that make at most *rows* buckets, or one to a decade."""
    if not floors_ns:
        return []
    shown: list[int] = []
    for per_decade in _STEPS:
        edges = [*edges_ns(per_decade), 10**16]
        low, high = _bucket(edges, min(floors_ns)), _bucket(edges, max(floors_ns))
        shown = edges[low : high + 2]
        if high - low < rows:
            break
    return shown


def _bucket(edges: Sequence[int], value: int) -> int:
    return bisect_left(edges, value + 1) - 1
