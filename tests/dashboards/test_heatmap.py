"""A heatmap's cells, the links that select, and what is selected."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.heatmap import Area, Box, Heatmap, lay_out

TIMES = [f"2026-11-22T03:0{minute}:00.000000000Z" for minute in range(5)]
DURATIONS = [10.0, 100.0, 1000.0, 10_000.0]


def made(cells: list[tuple[int, int, int, int]], selected: Box | None = None) -> Heatmap | None:
    """Lay out a map of four minutes and three decades."""
    rows = [
        {"column": column, "row": row, "traces": traces, "errors": errors}
        for column, row, traces, errors in cells
    ]
    answer: dict[str, Any] = {
        "times": TIMES,
        "durations_ms": DURATIONS,
        "cells": rows,
        "traces": sum(each[2] for each in cells),
        "errors": sum(each[3] for each in cells),
    }
    return lay_out(answer, lambda box: repr(box.parameters()), selected or Box())


def test_a_cell_links_to_what_it_holds() -> None:
    """The shortest stand at the bottom; the link names the cell's edges; one trace among thousands is seen, one failure too."""
    heatmap = made([(0, 0, 5000, 1), (3, 2, 1, 1)])

    assert heatmap is not None
    low, high = heatmap.cells
    assert (low.x, low.y, low.shade, low.failed) == (0, 2, 5, 0.3)
    assert (high.x, high.y, high.shade, high.failed) == (3, 0, 1, 1)
    assert high.box == Box(TIMES[3], TIMES[4], "1000", "10000")
    assert high.url == repr(high.box.parameters())


def test_the_slowest_are_the_topmost_rows_within_a_tenth() -> None:
    """Rows are taken from the top while they hold at most a tenth; where the top row holds most of all there is nothing to compare with."""
    few = made([(0, 0, 100, 0), (0, 1, 8, 0), (0, 2, 2, 0)])
    many = made([(0, 0, 100, 0), (0, 1, 80, 0), (0, 2, 2, 0)])
    most = made([(0, 0, 1, 0), (0, 2, 9, 0)])

    assert few is not None
    assert many is not None
    assert most is not None
    assert few.slowest is not None
    assert many.slowest is not None
    assert few.slowest[:2] == (10, 100.0)
    assert many.slowest[:2] == (2, 1000.0)
    assert most.slowest is None


def test_what_is_selected_is_framed() -> None:
    """Open sides reach the edge of the map; a selection between two edges takes the bucket it lies in; outside there is no frame."""
    cells = [(0, 0, 1, 0)]
    areas = {
        Box(): None,
        Box(min_ms="100"): Area(0, 0, 4, 2),
        Box(TIMES[1], TIMES[3], "10", "100"): Area(1, 2, 2, 1),
        Box(min_ms="150", max_ms="700"): Area(0, 1, 4, 1),
        Box(start="2027-01-01T00:00:00Z"): None,
    }
    for box, area in areas.items():
        heatmap = made(cells, box)
        assert heatmap is not None
        assert heatmap.area == area


def test_without_traces_there_is_no_map() -> None:
    """An empty answer, no answer, and one that is not of this API."""
    assert lay_out(None, repr, Box()) is None
    assert made([]) is None
    assert lay_out({"times": "x", "durations_ms": None, "cells": [1]}, repr, Box()) is None


@given(
    st.lists(
        st.tuples(st.integers(-2, 9), st.integers(-2, 9), st.integers(0, 10**9), st.integers(0, 9)),
        max_size=9,
    )
)
def test_cells_lie_inside_whatever_the_answer_says(cells: list[tuple[int, int, int, int]]) -> None:
    """A cell outside the edges is left out."""
    heatmap = made(cells)

    for cell in heatmap.cells if heatmap else ():
        assert 0 <= cell.x < 4
        assert 0 <= cell.y < 3
        assert 1 <= cell.shade <= 5
        assert 0 <= cell.failed <= 1 or cell.errors > cell.traces
