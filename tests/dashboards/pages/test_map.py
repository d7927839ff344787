"""The map's page: focus, moments, the panel without scripts."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.pages.map_page import STEPS, moment_of
from dashboards.window import read_window
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over

WINDOW = read_window({}, datetime(2026, 11, 22, 3, 15, tzinfo=UTC))


def test_a_moment_is_a_piece_of_the_range() -> None:
    """The last stop is the whole range, the first one is not before it."""
    assert moment_of(WINDOW, STEPS) == WINDOW
    first = moment_of(WINDOW, 1)
    assert first.start == WINDOW.start
    assert (first.end - first.start).total_seconds() == 150


def test_the_neighbourhood_of_a_service() -> None:
    """Two calls up and down; an unknown name says so and leads back."""
    near = read(pages_over("shop"), "/map?focus=notifications").page
    nothing = read(pages_over("shop"), "/map?focus=nobody").page

    names = {each.attributes["data-node"] for each in near.tags("a") if "data-node" in each.attributes}
    assert names == {"notifications", "order-placed", "checkout"}
    assert "Nothing called nobody" in nothing.text


def test_the_panel_is_a_page_without_scripts() -> None:
    """A node's link opens it framed: health with evidence, callers, next steps; a queue has no service page."""
    page = read(pages_over("shop"), "/map?part=side&side=payment").page
    queue = read(pages_over("shop"), "/map?part=side&side=order-placed").page
    unknown = read(pages_over("shop"), "/map?part=side&side=").page

    assert "62 % of requests fail" in page.text
    assert "failing traces" in page.text
    assert "queue" in queue.text
    assert "notifications" in queue.text
    assert "Nothing chosen" in unknown.text


def test_a_stop_that_is_none_is_refused() -> None:
    """The slider has 24 of them."""
    assert read(pages_over("shop"), "/map?step=25").status == 400
