"""Traces in a real Chromium over a recorded API: selecting by drag, folding, ten thousand spans, and nothing that the CSP would stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette

from tests.conftest import eventually
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import TRACE
from tests.dashboards.recorded_traces import pages_of_trace
from tests.dashboards.test_waterfall import span

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# From the answer's last byte to the page laid out; a quiet machine needs a tenth of it.
_RENDERED_MS = 3000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium with a fresh profile."""
    chromium = next(
        path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()
    )
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield started
        started.close()


@contextmanager
def shown(browser: Browser, app: Starlette, path: str, width: int = 1280) -> Iterator[Page]:
    """Open *path* of *app*; errors of scripts and of the CSP fail the test."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{port}", viewport={"width": width, "height": 900}
    )
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    try:
        page.goto(path)
        yield page
        assert errors == []
    finally:
        context.close()
        server.should_exit = True
        thread.join()


def rendered_ms(page: Page) -> float:
    """How long the page took to be laid out; where the machine stood still meanwhile the quickest of some counts."""
    took_ms = _laid_out_ms(page)
    for _ in range(3):
        if took_ms >= _RENDERED_MS:
            page.reload()
            took_ms = _laid_out_ms(page)
    return took_ms


def _laid_out_ms(page: Page) -> float:
    found: float = page.evaluate(
        "() => { const n = performance.getEntriesByType('navigation')[0]; return n.loadEventEnd - n.responseEnd; }"
    )
    return found


def test_a_drag_over_the_map_selects_what_it_covers(browser: Browser) -> None:
    """From the lower left to the upper right of the slow burst: its minutes and its durations, the comparison beside it, framed on the map."""
    with shown(browser, pages_over("shop"), "/traces") as page:
        box = page.locator("[data-heatmap]").bounding_box()
        assert box is not None
        column, row = box["width"] / 60, box["height"] / 12
        page.mouse.move(box["x"] + 49.5 * column, box["y"] + 1.5 * row)
        page.mouse.down()
        page.mouse.move(box["x"] + 55 * column, box["y"] + 1.2 * row, steps=4)
        page.mouse.move(box["x"] + 59.5 * column, box["y"] + 0.5 * row, steps=4)
        page.mouse.up()

        expect(page.get_by_test_id("comparison")).to_be_visible()
        asked = parse_qs(urlsplit(page.url).query)
        assert asked["selected_min_ms"] == ["500"]
        assert "selected_max_ms" not in asked
        assert asked["selected_start"][0] < asked["selected_end"][0]
        expect(page.locator(".heat-area")).to_have_attribute("width", "11")
        expect(page.get_by_test_id("pair").first).to_contain_text("replica-2")


def test_a_click_on_a_cell_selects_it(browser: Browser) -> None:
    """Without moving, a press on the map is a click on the link below it."""
    with shown(browser, pages_over("shop"), "/traces") as page:
        page.locator(".heat-cells a").last.click()

        expect(page.get_by_test_id("comparison")).to_be_visible()
        assert "selected_max_ms" in page.url


def test_rows_fold_and_a_link_opens_them_again(browser: Browser) -> None:
    """Folding hides what is below, also what is folded in it; a link to a hidden span shows it."""
    spans = [
        span("root", ms=100),
        span("a", "root", 1, 50),
        span("b", "a", 2, 20),
        span("c", "b", 3, 5),
        span("d", "root", 60, 5),
    ]
    with shown(browser, pages_of_trace(spans), f"/traces/{TRACE}") as page:
        names = page.get_by_test_id("trace-span")
        folds = page.locator("[data-fold]")
        expect(folds).to_have_count(3)
        folds.nth(2).click()
        folds.nth(1).click()
        assert [names.nth(number).is_visible() for number in range(5)] == [True, True, False, False, True]
        folds.nth(1).click()
        assert [names.nth(number).is_visible() for number in range(5)] == [True, True, True, False, True]
        folds.nth(0).click()
        page.evaluate("location.hash = 'span-c'")

        expect(names.nth(3)).to_be_visible()
        expect(page.locator("#span-c")).to_have_attribute("open", "")


@pytest.mark.parametrize("view", ["flame", "list"])
def test_ten_thousand_spans_in_the_other_views(browser: Browser, view: str) -> None:
    """The flame draws the wide ones and counts the others, the list has pages; both are laid out soon."""
    spans = [span("root", ms=10_000)] + [
        span(f"{i:016x}", "root" if i < 5 else f"{i // 5:016x}", i % 9000, 30 + i % 900)
        for i in range(1, 10_000)
    ]
    with shown(browser, pages_of_trace(spans), f"/traces/{TRACE}?view={view}") as page:
        assert rendered_ms(page) < _RENDERED_MS
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.locator(
            f"[data-testid={'flame' if view == 'flame' else 'span-list'}] a[href*=span-]"
        ).last.click()
        expect(page.get_by_test_id("waterfall")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_ten_thousand_spans_are_rendered_in_time(browser: Browser, width: int) -> None:
    """The page is laid out soon after its last byte and nothing of it is wider than the screen."""
    attributes = {f"key.{number}": "value" * 10 for number in range(12)}
    spans = [span("root", ms=10_000) | {"attributes": attributes}]
    spans += [span(f"{i:016x}", "root", i, 30) | {"attributes": attributes} for i in range(9999)]
    with shown(browser, pages_of_trace(spans), f"/traces/{TRACE}", width) as page:
        assert rendered_ms(page) < _RENDERED_MS
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        expect(page.get_by_test_id("fold").first).to_be_visible()
