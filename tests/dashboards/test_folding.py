"""Of a large trace the telling rows are shown, and nothing is lost without being said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.folding import Fold
from dashboards.waterfall import Choice, Waterfall, WaterfallRow, lay_out
from tests.dashboards.test_waterfall import T0, span


def names(made: Waterfall) -> list[str]:
    """Give the shown rows by name, folds by their number."""
    return [
        f"+{row.count}" if isinstance(row, Fold) else str(row.row.get("name") or row.row.get("to"))
        for row in made.rows
    ]


def loop(count: int) -> list[dict[str, Any]]:
    """Give a root with *count* short calls below it, each a millisecond."""
    return [span("root", ms=count), *(span(f"call {i}", "root", i, 0.5) for i in range(count))]


def test_a_loop_of_thousands_is_its_caller_and_a_number() -> None:
    """Ten thousand equal calls: a page of rows at most, and the fold says how many of what."""
    spans = [each | {"name": "SELECT" if each["parent_span_id"] else "root"} for each in loop(10_000)]

    made = lay_out(spans, [], [], choice=Choice(most=400))

    assert made.total == 10_001
    assert len(made.rows) < 130
    folds = [row for row in made.rows if isinstance(row, Fold)]
    assert sum(fold.count for fold in folds) + len(made.rows) - len(folds) == 10_001
    assert {fold.commonest[0][1] for fold in folds} == {"s SELECT"}


def test_what_failed_what_was_waited_for_and_what_was_asked_for_is_shown() -> None:
    """A failure, a breaker, a span on the critical path and the linked one stand among their callers, whatever their length."""
    spans = loop(5000)
    spans[700]["status"] = "error"
    spans[900]["critical_ns"] = 400 * 10**6
    transition = {"at": T0 % 10**9, "span_id": "call 1500", "to": "open"}

    shown = names(lay_out(spans, [], [transition], choice=Choice(most=60, span_id="call 2500")))

    assert {"root", "call 699", "call 899", "call 1500", "open", "call 2500"} <= set(shown)
    assert len([name for name in shown if not name.startswith("+")]) <= 60 + 3 * 60


def test_a_failure_at_the_end_of_a_chain_is_shown_with_the_nearest_callers() -> None:
    """Three thousand levels: the failing end, some above it, the top."""
    chain = [span(str(i), str(i - 1) if i else "") for i in range(3000)]
    chain[-1]["status"] = "error"

    shown = names(lay_out(chain, [], [], choice=Choice(most=100)))

    assert {"0", "2999", "2998", "2990"} <= set(shown)


def test_all_rows_are_read_page_by_page() -> None:
    """In order, none twice, none left out; a place beyond the end is an empty page."""
    spans = loop(950)
    pages = [lay_out(spans, [], [], choice=Choice(400, first)) for first in (0, 400, 800, 1200)]

    assert [len(page.rows) for page in pages] == [400, 400, 151, 0]
    assert len({name for page in pages for name in names(page)}) == 951
    assert [page.duration_ms for page in pages] == [950] * 4
    assert pages[0].ticks[:2] == [(0, 0), (20, 190)]
    assert pages[1].ticks[0] == (0, 399)
    assert pages[1].drawn_ms == (399, 798.5)


def test_parents_that_never_came_have_a_row() -> None:
    """It spans what stands below it and says how many; a parent that came late in the list is no missing one."""
    spans = [span("a", "gone", 10, 20), span("b", "gone", 50, 10), span("c", "d"), span("d")]

    made = lay_out(spans, [], [])

    (row,) = [each for each in made.rows if each.kind == "missing"]
    assert isinstance(row, WaterfallRow)
    assert (row.row["children"], row.offset_ms, row.duration_ms, row.depth) == (2, 10, 50, 0)


def test_clocks_are_told_where_they_change() -> None:
    """The first span that was moved says so, those moved along with it do not; a log moves with its span."""
    moved = {"skew_ns": 40_000_000}
    spans = [
        span("a", ms=100),
        span("b", "a", 500, 20) | moved | {"adjusted_start": T0 % 40_000_000},
        span("c", "b", 505, 5) | moved | {"adjusted_start": T0 % 45_000_000},
    ]
    log = {"occurred_at": T0 % 5_000_000, "span_id": "b", "body": "x"} | moved

    made = lay_out(spans, [log], [])

    rows = [row for row in made.rows if isinstance(row, WaterfallRow)]
    assert [(row.offset_ms, row.skew_ms) for row in rows] == [(0, 0), (40, 40), (45, 0), (45, 0)]


def test_the_critical_path_is_drawn_in_few_pieces() -> None:
    """Segments too near to be told apart are one piece: a caller of thousands has thousands of gaps."""
    path = [{"index": 0, "start": T0 % (i * 1000), "duration_ns": 500} for i in range(10_000)]
    path.append({"index": 0, "start": T0 % 50_000_000, "duration_ns": 10_000_000})

    (row,) = lay_out([span("a", ms=100)], [], [], path).rows

    assert isinstance(row, WaterfallRow)
    assert row.critical == ((0.0, 10.0), (50.0, 10.0)) or len(row.critical) <= 3


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 40), st.booleans()), max_size=40),
    st.integers(1, 20),
)
def test_shown_and_folded_are_all(shape: list[tuple[int, int, bool]], most: int) -> None:
    """Whatever the spans and the page's size: each row is shown or counted in a fold, in order."""
    spans = [
        span(str(own), str(parent) if parent >= 0 else "", own, own + 1, "error" if bad else "ok")
        for own, parent, bad in shape
    ]

    made = lay_out(spans, [], [], choice=Choice(most=most))

    counted = sum(row.count if isinstance(row, Fold) else 1 for row in made.rows)
    assert counted == made.total
