"""What stands around every page, in a real Chromium: time range, charts that choose it, the palette, sharing, pausing."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opener
from tests.dashboards.recorded_shop import TRACE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

Recorded = Callable[..., str]


def asked(page: Page) -> dict[str, str]:
    """Give the parameters of the page's address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_drag_over_a_chart_chooses_the_range_of_the_site(opened: Opener, recorded: Recorded) -> None:
    """The dragged minutes are the page's range and that of its links; back brings the old range."""
    page = opened(recorded("shop"), "/services/checkout?start=-1h&end=now&env=demo")
    plot = page.locator("#chart-errors .u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60, steps=5)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=5)
    page.mouse.up()

    page.wait_for_url("**start=2026-11-22T02%3A4*")
    chosen = asked(page)
    assert "2026-11-22T02:44" < chosen["start"] < "2026-11-22T02:46"
    assert "2026-11-22T02:59" < chosen["end"] < "2026-11-22T03:01"
    assert chosen["env"] == "demo"
    assert chosen["start"][:19].replace(":", "%3A") in (
        page.get_by_role("link", name="Logs", exact=True).get_attribute("href") or ""
    )
    page.go_back()
    assert asked(page)["start"] == "-1h"


def test_the_crosshair_stands_on_every_chart(opened: Opener, recorded: Recorded) -> None:
    """Pointing at one chart tells the values of that moment under all of them; a click offers the logs around it."""
    page = opened(recorded("shop"), "/services/checkout")
    plot = page.locator("#chart-rate .u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50)

    values = [page.locator(f"#chart-{name} .u-value").first for name in ("rate", "errors", "latency")]
    for value in values:
        expect(value).to_have_text(re.compile("^02:5"))
    times = [value.inner_text() for value in values]
    assert len(set(times)) == 1
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 50)
    logs = page.get_by_test_id("chart-rate").get_by_role("link", name="logs", exact=True)
    expect(logs).to_be_visible()
    assert "2026-11-22T02%3A5" in (logs.get_attribute("href") or "")


def test_deploys_and_openings_stand_on_charts(opened: Opener, recorded: Recorded) -> None:
    """Each chart has the marks of the service, and a list says them to whoever does not point."""
    page = opened(recorded("shop"), "/services/payment")

    expect(page.locator("#chart-rate .chart-mark.m-deploy")).to_have_count(1)
    expect(page.locator("#chart-latency .chart-mark.m-breaker")).to_have_count(2)
    page.get_by_test_id("marks").locator("summary").click()
    expect(page.get_by_test_id("marks")).to_contain_text("payment 1.4.2 deployed")
    expect(page.get_by_test_id("marks")).to_contain_text("breaker payment of checkout open")


def test_the_palette_finds_by_a_few_letters(opened: Opener, recorded: Recorded) -> None:
    """Slash opens it, letters narrow it, arrows choose, Enter opens; the range stays."""
    page = opened(recorded("shop"), "/?start=-6h&end=now&env=demo")
    page.keyboard.press("/")
    palette = page.get_by_role("dialog")
    expect(palette.get_by_role("option", name="service payment")).to_be_visible()
    page.keyboard.type("check pay")
    expect(palette.get_by_role("option").first).to_contain_text("checkout › payment")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    page.wait_for_url("**/breakers/checkout/payment?*")
    assert asked(page)["start"] == "-6h"
    page.keyboard.press("Control+k")
    page.keyboard.type(TRACE)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{TRACE}?*")
    page.keyboard.press("Control+k")
    page.keyboard.type("connection refused")
    page.keyboard.press("Enter")
    page.wait_for_url("**/logs?*query=connection*")
    page.keyboard.press("/")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_range_is_chosen_with_the_keyboard(opened: Opener, recorded: Recorded) -> None:
    """The picker opens, takes relative and absolute times, and keeps the page's own parameters."""
    page = opened(recorded("shop"), "/logs?query=charge&start=-1h&end=now")
    picker = page.get_by_test_id("picker")
    picker.locator("summary").focus()
    page.keyboard.press("Enter")
    picker.get_by_label("from", exact=False).first.fill("-3h")
    page.keyboard.press("Enter")

    page.wait_for_url("**start=-3h*")
    assert asked(page)["query"] == "charge"
    expect(page.get_by_test_id("picker").locator("summary")).to_contain_text("last 3h")
    page.get_by_role("link", name="zoom out").click()
    page.wait_for_url("**start=-21600s*")
    page.get_by_role("link", name="earlier by half").click()
    page.wait_for_url("**end=2026-11-22T00*")


def test_refreshing_waits_for_whoever_reads(opened: Opener, recorded: Recorded) -> None:
    """Scrolling down, opening a menu or typing pauses it, with the reason; going back to the top goes on."""
    page = opened(recorded("shop"), "/services/checkout", height=500)
    status = page.locator("[data-live-text]")
    expect(status).to_have_text("refreshing")
    page.evaluate("scrollTo(0, 400)")
    expect(status).to_have_text("paused: you have scrolled")
    page.evaluate("scrollTo(0, 0)")
    page.get_by_test_id("picker").locator("summary").click()
    expect(status).to_have_text("paused: you are choosing")
    page.keyboard.press("Escape")
    expect(status).to_have_text("refreshing")


def test_sharing_copies_an_absolute_link(opened: Opener, recorded: Recorded) -> None:
    """Share puts the page's address with absolute times onto the clipboard; the page stays."""
    page = opened(
        recorded("shop"), "/breakers?start=-1h&end=now", permissions=["clipboard-read", "clipboard-write"]
    )

    page.get_by_role("link", name="Share").click()

    expect(page.locator("[data-share-said]")).to_have_text("link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(recorded("shop") + "/breakers?start=2026-11-22T02%3A15")
    assert asked(page)["start"] == "-1h"


def test_everything_is_found_without_scripts(opened: Opener, recorded: Recorded) -> None:
    """The box in the header is a form, the picker opens, charts are tables."""
    page = opened(recorded("shop"), "/services/checkout", java_script_enabled=False)
    page.get_by_test_id("chart-latency").locator("summary").click()
    expect(page.locator("#table-latency")).to_contain_text("2.1 s")
    page.get_by_label("Find a service, breaker, trace or page").fill("inventory")
    page.keyboard.press("Enter")

    expect(page.get_by_test_id("found")).to_contain_text("checkout › inventory")
    page.get_by_test_id("picker").locator("summary").click()
    expect(page.get_by_test_id("picker").get_by_role("button", name="Show")).to_be_visible()


def test_parts_come_after_the_page(opened: Opener, recorded: Recorded) -> None:
    """Owner, endpoints and deploys arrive in their own places; one that fails says so there, and without scripts they are links."""
    page = opened(recorded("shop"), "/services/payment")
    about = page.get_by_test_id("part-about")
    expect(about).to_contain_text("team-pay")
    expect(about.get_by_role("link", name="runbook")).to_have_attribute(
        "href", "https://wiki.example/payment"
    )
    expect(about).to_contain_text("POST /v1/charge")
    expect(page.get_by_test_id("part-deploys")).to_contain_text("regressed")
    page.route("**part=deploys*", lambda route: route.abort())
    page.reload()
    expect(page.get_by_test_id("part-deploys")).to_contain_text("no answer came")
    expect(page.get_by_test_id("part-about")).to_contain_text("team-pay")

    plain = opened(recorded("shop"), "/services/payment", java_script_enabled=False)
    plain.get_by_role("link", name="Owner and endpoints").click()
    expect(plain.get_by_role("heading", name="Whose it is")).to_be_visible()
