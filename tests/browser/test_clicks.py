"""The two stories of an on-call night, clicked through in a real Chromium and counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Opener
from tests.dashboards.recorded_shop import TRACE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

Recorded = Callable[..., str]


class Hand:
    """Whoever clicks, counting."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, place: Locator) -> None:
        """Click once."""
        place.first.click()
        self.clicks += 1


def test_from_a_slow_payment_to_its_cause(opened: Opener, recorded: Recorded) -> None:
    """The front page says what, since when, because of what, who is affected and whose it is; the failing span and every service's logs of it are at most four clicks away."""
    page = opened(recorded("shop"), "/")
    hand = Hand(page)
    expect(page.get_by_test_id("verdict")).to_contain_text("1 breaker open")
    expect(page.get_by_test_id("verdict")).to_contain_text("since 03:10:40")
    answers = page.get_by_test_id("answers")
    expect(answers).to_contain_text("payment")
    expect(answers).to_contain_text("gateway")
    expect(answers).to_contain_text("team-pay")

    hand.click(page.get_by_test_id("breaker-tile-checkout-payment").get_by_role("link", name="payment"))
    expect(page.get_by_test_id("breaker-cause")).to_contain_text("card processor: connection refused")
    hand.click(page.get_by_test_id("cause-trace"))
    page.wait_for_url(f"**/traces/{TRACE}?*")
    expect(page.locator("[data-first-failure=true]")).to_contain_text("payment")
    page.go_back()
    hand.click(page.get_by_test_id("cause-logs"))
    expect(page.get_by_test_id("log-rows")).to_contain_text("charge failed")

    assert hand.clicks <= 4


def test_can_get_v1_cart_be_deleted(opened: Opener, recorded: Recorded) -> None:
    """The palette finds the endpoint by what people say; its page gives the verdict with the evidence."""
    page = opened(recorded("shop"), "/")
    page.keyboard.press("/")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    page.keyboard.type("get /v1/cart")
    expect(page.get_by_role("option", name="endpoint GET /v1/cart")).to_be_visible()
    page.keyboard.press("Enter")

    page.wait_for_url("**/endpoints?*")
    verdict = page.get_by_test_id("endpoint").filter(has_text="GET /v1/cart").first
    expect(verdict).to_have_attribute("data-verdict", "safe_to_delete")
    expect(verdict).to_contain_text("safe to delete")
