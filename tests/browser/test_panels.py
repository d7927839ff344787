"""Pages that are written into, in a real Chromium: completion, the keyboard, history, composing a dashboard, signing in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Opener
from tests.dashboards.recorded_api import PASSWORD
from tests.dashboards.recorded_shop import TRACE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

Recorded = Callable[..., str]


def test_a_query_is_completed_and_drawn_by_keyboard_alone(opened: Opener, recorded: Recorded) -> None:
    """Metric, label and value are offered as the cursor stands; Enter takes, Enter again draws; the exemplar leads to its trace."""
    page = opened(recorded("shop"), "/graph")
    query = page.locator("#q1")
    query.focus()
    page.keyboard.type("sum(http_re", delay=5)
    options = page.locator(".completions li")
    expect(options.first).to_contain_text("http_requests_total counter Requests served.")
    page.keyboard.press("Enter")
    expect(query).to_have_value("sum(http_requests_total")
    page.keyboard.type("{serv", delay=5)
    expect(options.first).to_contain_text("service_name")
    page.keyboard.press("Tab")
    page.keyboard.type('="ca', delay=5)
    expect(options.first).to_contain_text("cart")
    page.keyboard.press("Enter")
    page.keyboard.type('"})')
    expect(query).to_have_value('sum(http_requests_total{service_name="cart"})')
    page.keyboard.press("Enter")

    page.wait_for_url("**q1=sum**")
    exemplar = page.locator(".chart-exemplar").first
    expect(exemplar).to_be_attached()
    assert f"/traces/{TRACE}" in (exemplar.get_attribute("href") or "")


def test_escape_closes_what_is_offered(opened: Opener, recorded: Recorded) -> None:
    """The text stays as it was typed."""
    page = opened(recorded("shop"), "/graph")
    page.locator("#q1").focus()
    page.keyboard.type("http", delay=5)
    expect(page.locator(".completions li").first).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("listbox", name="What may be written here")).to_be_hidden()
    expect(page.locator("#q1")).to_have_value("http")


def test_hostile_words_are_offered_as_text(opened: Opener, recorded: Recorded) -> None:
    """Markup in what a metric says of itself does nothing."""
    page = opened(recorded("hostile"), "/graph")
    page.locator("#q1").focus()
    page.keyboard.type("http", delay=5)
    expect(page.locator(".completions li").first).to_contain_text("<script>")
    page.keyboard.press("Enter")

    assert page.evaluate("window.hacked") is None


def test_statements_are_remembered_in_this_browser(opened: Opener, recorded: Recorded) -> None:
    """What was run is offered again; a column goes where the cursor stands; forgetting forgets."""
    page = opened(recorded("shop"), "/sql")
    page.locator("#statement").fill("SELECT ")
    page.get_by_test_id("table").first.locator("summary").click()
    page.get_by_role("button", name="service", exact=True).click()
    expect(page.locator("#statement")).to_have_value("SELECT service")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**query=SELECT**")
    expect(page.get_by_test_id("sql-count")).to_contain_text("2 rows")

    history = page.locator("[data-sql-history]")
    history.locator("summary").click()
    expect(history.get_by_role("button", name="SELECT service")).to_be_visible()
    history.get_by_role("button", name="forget it").click()
    expect(history).to_be_hidden()


def test_a_dashboard_is_composed_without_a_script(opened: Opener, recorded: Recorded) -> None:
    """Forms and buttons: each panel has its tools, by name; reading needs no script either."""
    page = opened(recorded("shop"), "/boards/b0a2d1?edit=1", java_script_enabled=False)

    for words in ("earlier", "later", "wider", "narrower", "taller", "shorter", "remove"):
        expect(page.get_by_role("button", name=f"{words}: Requests")).to_be_visible()
    expect(page.get_by_test_id("add-panel")).to_be_visible()
    expect(page.get_by_test_id("panel")).to_have_count(5)
    expect(page.get_by_test_id("panel").nth(4)).to_contain_text("Whom to call: team-pay")


def test_a_slow_panel_leaves_the_others(opened: Opener, recorded: Recorded) -> None:
    """Its skeleton stands while they are shown; what never comes says so in its place; nothing moves."""
    page = opened(recorded("shop"), "/boards")
    held: list[Route] = []
    page.route("**/boards/b0a2d1?*part=panel-1*", lambda route: held.append(route))  # noqa: PLW0108 -- Playwright writes into it
    with page.expect_request("**/boards/b0a2d1?*part=panel-1*"):
        page.goto("/boards/b0a2d1")
    panels = page.get_by_test_id("panel")
    expect(panels.nth(3)).to_contain_text("charge failed")
    expect(panels.nth(0).locator("[data-drawn]")).to_be_attached()
    expect(panels.nth(1).locator(".skeleton")).to_be_visible()
    before = panels.nth(4).bounding_box()
    held[0].abort()

    expect(panels.nth(1).get_by_test_id("problem")).to_contain_text("could not be shown")
    expect(panels.nth(3)).to_contain_text("charge failed")
    assert panels.nth(4).bounding_box() == before


def test_signing_in_and_out(opened: Opener, recorded: Recorded) -> None:
    """The page that was asked for comes after the form, for as long as nobody signs out."""
    page = opened(recorded("locked"), "/breakers?start=-6h")
    page.get_by_label("name").fill("ana")
    page.get_by_label("password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("sign-in-problem")).to_contain_text("not its password")
    page.get_by_label("name").fill("ana")
    page.get_by_label("password").fill(PASSWORD)
    page.keyboard.press("Enter")

    page.wait_for_url("**/breakers?start=-6h")
    expect(page.get_by_test_id("breaker-tile-checkout-payment")).to_be_visible()
    assert page.evaluate("document.cookie") == ""


def test_can_get_v1_cart_be_deleted(opened: Opener, recorded: Recorded) -> None:
    """From anywhere: type it, open it, read the verdict, when it was called last and by whom."""
    page = opened(recorded("shop"), "/endpoints?query=GET+/v1/cart")

    endpoint = page.get_by_test_id("endpoint")
    expect(endpoint).to_have_count(1)
    expect(endpoint).to_contain_text("safe to delete")
    expect(endpoint).to_contain_text("0 calls in this range, the last 2 d ago")
