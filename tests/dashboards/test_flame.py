"""The other two ways to see a trace: a flame and a list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.flame import LANES, MOST_BOXES, lay_flame
from dashboards.span_list import SHOWN, list_spans
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import TRACE
from tests.dashboards.test_waterfall import span


def url_of(row: Any) -> str:
    """Lead somewhere."""
    return f"/{row['span_id']}"


def test_children_stand_below_and_neighbours_side_by_side() -> None:
    """A child is one lane below; two at the same time have two lanes, one after the other shares one."""
    flame = lay_flame(
        [span("a", ms=100), span("b", "a", 0, 50), span("c", "a", 10, 20), span("d", "a", 60, 20)], url_of
    )

    assert {box.row["span_id"]: box.lane for box in flame.boxes} == {"a": 0, "b": 1, "c": 2, "d": 1}
    assert [(box.x, box.width) for box in flame.boxes if box.row["span_id"] == "d"] == [(60.0, 20.0)]
    assert flame.services == (("s", 1),)


def test_what_is_too_thin_or_too_deep_is_counted() -> None:
    """A thousand calls at once and a microsecond in a minute are not drawn, and said to be missing; a failure always is."""
    spans = [
        span("root", ms=60_000),
        span("thin", "root", 5, 0.001),
        span("failed", "root", 9, 0.001, "error"),
    ]
    spans += [span(f"at-once-{i}", "root", 100, 1000) for i in range(1000)]

    flame = lay_flame(spans, url_of)

    drawn = {box.row["span_id"] for box in flame.boxes}
    assert "failed" in drawn
    assert "thin" not in drawn
    assert flame.lanes == LANES
    assert len(flame.boxes) + flame.left_out == len(spans)
    assert len(flame.boxes) <= MOST_BOXES


SPANS = st.lists(
    st.builds(
        span,
        st.sampled_from("abcdef"),
        st.sampled_from(["", "a", "b", "c", "z"]),
        st.floats(0, 900),
        st.floats(0, 900),
    ),
    max_size=12,
)


@given(SPANS)
def test_boxes_never_overlap(spans: list[dict[str, Any]]) -> None:
    """Whatever spans say of their parents, cycles and twins included."""
    flame = lay_flame(spans, url_of)

    for number, one in enumerate(flame.boxes):
        for other in flame.boxes[:number]:
            apart = one.x + one.width <= other.x + 1e-6 or other.x + other.width <= one.x + 1e-6
            assert one.lane != other.lane or apart
    assert len(flame.boxes) + flame.left_out == len(spans)


def test_the_list_is_sorted_narrowed_and_paged() -> None:
    """The longest first, those of a name only, so many at a time."""
    spans = [span(f"span-{i}", "", i, i) for i in range(SHOWN + 5)]

    longest = list_spans(spans, "duration", "", 1, url_of)
    rest = list_spans(spans, "duration", "", SHOWN + 1, url_of)
    one = list_spans(spans, "start", "s span-7", 1, url_of)

    assert longest.rows[0].duration_ms == SHOWN + 4
    assert (longest.last, longest.total, len(rest.rows)) == (SHOWN, SHOWN + 5, 5)
    assert [each.row["span_id"] for each in one.rows][:1] == ["span-7"]


def test_the_three_views_are_links() -> None:
    """Each view has the others beside it; a span of the list leads to its row in the waterfall."""
    page = read(pages_over("shop"), f"/traces/{TRACE}?view=list&sort=duration").page

    (row, *_) = page.having(data_testid="listed-span")
    assert "#span-" in row.tags("a")[0].attributes["href"]
    assert "view=flame" in " ".join(a.attributes["href"] for a in page.tags("a"))
    assert read(pages_over("shop"), f"/traces/{TRACE}?view=flame").page.having(data_testid="flame")


@pytest.mark.parametrize("asked", ["view=pie", "view=list&sort=colour", "view=list&from=0"])
def test_other_views_and_orders_are_refused(asked: str) -> None:
    """The value is quoted and what may stand there is said."""
    assert read(pages_over("shop"), f"/traces/{TRACE}?{asked}").status == 400


@pytest.mark.parametrize("view", ["flame", "list"])
@pytest.mark.parametrize("variant", ["hostile", "empty", "down"])
def test_the_other_views_stand_whatever_comes(view: str, variant: str) -> None:
    """Markup in names is text; without the trace the page says so."""
    page = read(pages_over(variant), f"/traces/{TRACE}?view={view}").page

    assert not page.tags("img")
    assert page.tags("h1")
