"""Rows of a trace: order, depth, axis, and where the trouble began."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.waterfall import first_failure, lay_out
from tests.dashboards.recorded_shop import trace

T0 = "2026-11-22T03:00:00.%09dZ"


def span(
    span_id: str, parent: str = "", start_ms: float = 0, ms: float = 10, status: str = "unset"
) -> dict[str, Any]:
    """Give a span of service s, *start_ms* after the trace began."""
    return {
        "span_id": span_id,
        "parent_span_id": parent,
        "service": "s",
        "name": span_id,
        "start": T0 % int(start_ms * 1e6),
        "duration_ns": int(ms * 1e6),
        "status": status,
    }


def test_the_story_reads_downwards() -> None:
    """Children stand under parents by time, a span's logs and the breaker's transition among them."""
    row = trace()

    made = lay_out(reversed(row["spans"]), row["logs"], row["transitions"])

    shown = [
        (each.kind, each.depth, each.row.get("name", each.row.get("body", each.row.get("to"))))
        for each in made.rows
    ]
    assert shown == [
        ("span", 0, "POST /checkout"),
        ("span", 1, "POST /v1/checkout"),
        ("span", 2, "GET /v1/cart"),
        ("span", 3, "SELECT cart"),
        ("span", 2, "POST /v1/reserve"),
        ("span", 2, "charge"),
        ("span", 3, "POST /v1/charge"),
        ("log", 4, "charge failed: card processor: connection refused"),
        ("log", 3, "charge failed: card processor: connection refused"),
        ("transition", 3, "open"),
        ("missing", 0, None),
        ("span", 1, "publish order"),
    ]
    assert made.first_failure == row["spans"][6]


def test_positions_are_percent_of_the_whole_trace() -> None:
    """A span from 25 to 75 ms of a 100 ms trace starts at 25 % and is half as wide."""
    made = lay_out([span("a", ms=100), span("b", "a", 25, 50)], [], [])

    assert [(row.x, row.width, row.offset_ms) for row in made.rows] == [(0, 100, 0), (25, 50, 25)]
    assert made.duration_ms == 100


def test_nanoseconds_survive() -> None:
    """Spans of a few hundred nanoseconds keep their places."""
    made = lay_out([span("a", ms=0.001), span("b", "a", 0.0005, 0.0005)], [], [])

    assert [(row.x, row.width) for row in made.rows] == [(0, 100), (50, 50)]


def test_a_log_far_outside_does_not_squeeze_the_spans() -> None:
    """A record an hour later is drawn at the edge; the axis stays the spans'."""
    late = {"occurred_at": "2026-11-22T04:00:00Z", "span_id": "a", "body": "late"}

    made = lay_out([span("a", ms=100)], [late], [])

    assert made.duration_ms == 100
    assert [row.x for row in made.rows] == [0, 99.85]


def test_the_first_failure_is_where_an_error_arose() -> None:
    """Not the root that failed because its child failed; of two origins, the one that ended first."""
    root = span("root", "", 0, 100, "error")
    passed = span("passed", "root", 1, 90, "error")
    origin = span("origin", "passed", 2, 50, "error")
    later = span("later", "root", 60, 30, "error")

    assert first_failure([root, passed, origin, later]) is origin
    assert first_failure([span("fine")]) is None


def test_a_ring_of_parents_is_shown_once() -> None:
    """Spans that are each other's parents hang under no root and are still shown."""
    made = lay_out([span("a", "b"), span("b", "a", 1), span("c", "c", 2)], [], [])

    assert sorted(row.row["span_id"] for row in made.rows) == ["a", "b", "c"]


def test_a_thousand_levels_are_no_trouble() -> None:
    """Depth does not exhaust the stack; indentation stops where names still have room."""
    made = lay_out([span(str(i), str(i - 1) if i else "") for i in range(3000)], [], [])

    assert len(made.rows) == 3000
    assert made.rows[-1].depth == 2999
    assert made.rows[-1].indent == 12


def test_unreadable_times_and_durations_are_survived() -> None:
    """A span without a readable time is shown at the start rather than losing the trace."""
    made = lay_out([{"span_id": "a", "start": "?", "duration_ns": "x"}], [{"body": "no time"}], [])

    assert len(made.rows) == 2


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(-1, 8), st.integers(0, 999), st.integers(0, 999)),
        max_size=12,
    )
)
def test_every_span_is_shown_and_inside_the_axis(shape: list[tuple[int, int, int, int]]) -> None:
    """Whatever the parents say, each span id appears, and bars stay between 0 and 100 percent."""
    spans = [
        span(str(own), str(parent) if parent >= 0 else "", start, ms) for own, parent, start, ms in shape
    ]

    made = lay_out(spans, [], [])

    assert sorted(row.row["name"] for row in made.rows if row.kind == "span") == sorted(
        each["name"] for each in spans
    )
    for row in made.rows:
        assert 0 <= row.x <= 100
        assert 0 < row.width <= 100
