"""
A page whose answers take long, in a real Chromium over real HTTP: its frame is painted before its content is known.

The API is behind a gate that the test opens: nothing here depends on how quick a machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.browser.conftest import ARGUMENTS, served
from tests.browser.test_every_page import violations
from tests.dashboards.gated_api import Gate, gated_pages
from tests.dashboards.recorded_shop import TRACE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

# Pages of every kind: tables, tiles, charts, a form, parts that come later, a graph, a waterfall.
URLS = (
    "/",
    "/services/checkout",
    "/breakers",
    "/logs?query=charge",
    "/map",
    f"/traces/{TRACE}",
    "/graph?q1=up",
)
_WATCH = """
  window.shifts = 0;
  new PerformanceObserver((list) => { for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts += each.value; })
    .observe({ type: "layout-shift", buffered: true });
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint').length"
# What Lighthouse calls good: pages have their own small ones once scripts run; the skeleton standing above the content would be 0.24.
_MOST_SHIFT = 0.1
_TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Gate, str]]:
    """The pages over the gated shop, and its gate."""
    gate = Gate()
    with served(gated_pages(gate)) as url:
        yield gate, url
        gate.open()


@pytest.fixture
def gate(site: tuple[Gate, str]) -> Gate:
    """The gate, shut."""
    site[0].close()
    return site[0]


@pytest.fixture
def url(site: tuple[Gate, str]) -> str:
    """Where the pages are."""
    return site[1]


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Open a page and return when its answer has begun."""
    contexts = []

    def begin(path: str, width: int = 1280, script: str = _WATCH, **how: Any) -> Page:
        context = chromium.new_context(base_url=url, viewport={"width": width, "height": 900}, **how)
        contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.goto(path, wait_until="commit")
        return page

    yield begin
    for context in contexts:
        context.close()


@pytest.mark.parametrize("path", URLS)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_the_frame_is_painted_first_and_nothing_moves(
    visit: Callable[..., Page], gate: Gate, path: str, width: int, theme: str
) -> None:
    """Before any answer: navigation, range, skeleton, nothing for axe to find; with it the skeleton is gone, and what stood stands where it stood."""
    page = visit(path, width, color_scheme=theme)
    coming = page.get_by_test_id("coming")
    expect(coming).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    page.wait_for_function(_PAINTED)
    before = _places(page)
    found_before = violations(page)
    assert page.locator("#live").count() == 0

    gate.open()

    page.wait_for_load_state("load")
    expect(page.locator("#live h1").first).to_be_visible()
    expect(coming).to_be_hidden()
    page.evaluate(_TWO_FRAMES)
    assert _places(page) == before
    assert page.evaluate("window.shifts") <= _MOST_SHIFT
    assert found_before == []
    assert violations(page) == []


def _places(page: Page) -> list[Any]:
    """Say where header, range and content begin."""
    boxes = [page.locator(each).bounding_box() for each in (".top", ".search", ".range", ".picker", "main")]
    return [(box["x"], box["y"], box["width"]) for box in boxes if box is not None]


def test_the_frame_stands_on_a_screen_with_scrollbars(url: str, gate: Gate, chromium: Browser) -> None:
    """A page that grows longer than the screen makes nothing narrower."""
    started = chromium.browser_type.launch(
        executable_path="/usr/bin/chromium", args=ARGUMENTS, ignore_default_args=["--hide-scrollbars"]
    )
    try:
        page = started.new_context(base_url=url, viewport={"width": 1280, "height": 500}).new_page()
        page.goto("/", wait_until="commit")
        expect(page.get_by_test_id("coming")).to_be_visible()
        before = _places(page)
        gate.open()
        page.wait_for_load_state("load")

        assert page.evaluate("document.documentElement.scrollHeight > innerHeight")
        assert page.evaluate("innerWidth > document.documentElement.clientWidth")
        assert _places(page) == before
    finally:
        started.close()


def test_a_page_in_parts_is_read_without_scripts(visit: Callable[..., Page], gate: Gate) -> None:
    """The style sheet alone puts the content in the skeleton's place."""
    page = visit("/services", java_script_enabled=False, script="")
    coming = page.get_by_test_id("coming")
    expect(coming).to_be_visible()
    expect(coming.get_by_role("status")).to_have_text("Reading…")
    expect(coming.get_by_role("button")).to_have_count(0)

    gate.open()

    expect(page.locator("#live").get_by_role("link", name="payment").first).to_be_visible()
    expect(coming).to_be_hidden()


def test_the_content_brings_its_title(visit: Callable[..., Page], gate: Gate) -> None:
    """The tab is named by the address until it says how the service is."""
    page = visit("/services/checkout")
    expect(page).to_have_title("checkout · Services · Fuseboard")

    gate.open()

    expect(page).to_have_title("degraded · checkout · Fuseboard")


def test_a_page_in_parts_refreshes_itself_whole(visit: Callable[..., Page], gate: Gate) -> None:
    """What htmx asks for afterwards comes in one part, and takes the content's place; no skeleton returns."""
    gate.open()
    page = visit("/breakers")
    page.wait_for_load_state("load")
    page.evaluate("document.querySelector('#live h1').textContent = 'as it was'")

    page.evaluate("document.body.dispatchEvent(new CustomEvent('fuseboard:refresh'))")

    expect(page.locator("#live h1")).not_to_have_text("as it was")
    expect(page.get_by_test_id("coming")).to_be_hidden()
    assert page.locator("#live").count() == 1


def test_asking_how_far_it_is_ends_with_the_content(visit: Callable[..., Page], gate: Gate) -> None:
    """The last question of the skeleton is answered after the content: nothing of it stays open, nothing more is asked."""
    page = visit("/breakers?start=2026-11-22T02:00:00Z&end=2026-11-22T03:00:00Z")
    expect(page.get_by_test_id("coming").get_by_role("button", name="Stop")).to_be_visible(timeout=30_000)

    gate.open()

    page.wait_for_load_state("networkidle")
    expect(page.get_by_test_id("coming")).to_be_hidden()


def test_back_and_forward_meet_whole_pages(visit: Callable[..., Page], gate: Gate) -> None:
    """A page whose frame came first is one entry of the history, as any other."""
    gate.open()
    page = visit("/breakers")
    page.get_by_role("link", name="Services", exact=True).click()
    page.wait_for_url("**/services?*")
    page.go_back()
    page.wait_for_load_state("load")

    assert page.url.endswith("/breakers")
    expect(page.locator("#live h1")).to_contain_text("Breakers")
    page.go_forward()
    expect(page.locator("#live h1")).to_contain_text("Services")


def cut(app: ASGIApp) -> ASGIApp:
    """Lose the connection behind the first part of each page's answer."""

    async def cutting(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_first(message: Any) -> None:
            if (
                message["type"] == "http.response.body"
                and not message.get("more_body", False)
                and "html" in sent
            ):
                raise ConnectionResetError
            if message["type"] == "http.response.start" and not any(
                name == b"content-length" for name, _ in message["headers"]
            ):
                sent.append("html")
            await send(message)

        sent: list[str] = []
        await app(scope, receive, send_first)

    return cutting


def test_an_answer_that_is_cut_off_says_so(chromium: Browser) -> None:
    """The connection was lost behind the frame: no skeleton pretends that something still comes."""
    gate = Gate()
    with served(cut(gated_pages(gate))) as url:
        page = chromium.new_context(base_url=url).new_page()
        page.goto("/breakers", wait_until="commit")
        coming = page.get_by_test_id("coming")
        expect(coming).to_be_visible()

        gate.open()

        expect(coming.get_by_role("status")).to_contain_text("may have been cut off", timeout=60_000)
        expect(coming.get_by_role("link", name="Load it again")).to_be_visible()
        page.context.close()


def test_parts_travel_as_they_are_made(url: str, gate: Gate) -> None:
    """On the wire: chunked, the frame there while nothing else is; one response holds both."""
    with httpx.stream("GET", f"{url}/services", headers={"Accept": "text/html"}, timeout=60) as answer:
        parts = answer.iter_raw()
        frame = next(parts)
        assert gate.waiting.wait(30)
        gate.open()
        rest = b"".join(parts)

    assert answer.headers["transfer-encoding"] == "chunked"
    assert b'data-testid="coming"' in frame
    assert b'id="live"' not in frame
    assert b'id="live"' in rest
