"""The map in a real Chromium: the panel beside it, the slider, two hundred nodes, and a layout that does not move."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.browser.conftest import Opener, served
from tests.dashboards.recorded_shop import PIPELINE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

Recorded = Callable[..., str]


def large(nodes: int, edges: int) -> Starlette:
    """Give the pages over a system of *nodes* services whose API tells nodes and edges in another order each time."""
    chance = random.Random(8)
    names = [f"service-{number:03d}" for number in range(nodes)]
    told: list[dict[str, Any]] = [
        {"id": name, "service": name, "kind": "service", "health": "healthy", "rate": 1.5} for name in names
    ]
    calls = [(chance.randrange(1, nodes), chance.randrange(0, nodes)) for _ in range(edges)]
    drawn: list[dict[str, Any]] = [
        {
            "caller": names[min(pair)],
            "callee": names[max(pair)],
            "protocol": "http",
            "rate": 1.0,
            "error_ratio": 0.0,
        }
        for pair in {tuple(sorted(each)) for each in calls}
    ]

    async def api(request: Request) -> JSONResponse:
        if request.url.path.endswith("/pipeline"):
            return JSONResponse({"data": [PIPELINE]})
        random.shuffle(told)
        random.shuffle(drawn)
        return JSONResponse(
            {"data": [{"nodes": told, "edges": drawn}] if request.url.path.endswith("/map") else []}
        )

    transport = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", api)]))
    return create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")))


def test_a_node_opens_the_panel_beside_the_map(opened: Opener, recorded: Recorded) -> None:
    """Its numbers, who calls it with the breakers, and next steps; the address says it, back and Escape close it."""
    page = opened(recorded("shop"), "/map?start=-1h&end=now&env=demo")
    page.locator("[data-node=payment]").click()

    side = page.get_by_test_id("side")
    expect(side).to_contain_text("62 % of requests fail")
    expect(side).to_contain_text("checkout")
    expect(side.get_by_role("link", name="open")).to_be_visible()
    page.wait_for_url("**side=payment*")
    page.reload()
    expect(side).to_contain_text("62 % of requests fail")
    page.keyboard.press("Escape")
    expect(side).to_be_hidden()
    page.go_back()
    expect(side).to_be_visible()
    side.get_by_role("link", name="only what is near it").click()
    expect(page.locator("[data-node=notifications]")).to_have_count(0)
    expect(page.locator("[data-node=gateway]")).to_have_count(1)


def test_the_slider_shows_an_earlier_moment(opened: Opener, recorded: Recorded) -> None:
    """Let go, the map is that of the moment, at the same places, and says which moment it is."""
    page = opened(recorded("shop"), "/map")
    before = page.locator("[data-node=payment] g").get_attribute("transform")
    slider = page.get_by_role("slider", name="as it was")
    slider.focus()
    page.keyboard.press("ArrowLeft")

    page.wait_for_url("**step=23*")
    expect(page.locator("output")).to_contain_text("03:07:30 to 03:12:30")
    assert page.locator("[data-node=payment] g").get_attribute("transform") == before


def test_two_hundred_services_have_their_place(opened: Opener) -> None:
    """No two boxes touch, names are readable after a click on +, and another answer of the same graph moves nothing."""
    with served(large(200, 420)) as url:
        page = opened(url, "/map")
        places = "[...document.querySelectorAll('[data-node]')].map(n => n.dataset.node + n.querySelector('g').getAttribute('transform')).sort().join()"
        first = page.evaluate(places)
        boxes = page.evaluate(
            "[...document.querySelectorAll('[data-node] rect')].map(r => { const b = r.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })"
        )
        page.reload()

        assert page.evaluate(places) == first
        assert len(boxes) == 200
        for number, (x, y, width, height) in enumerate(boxes):
            assert not [b for b in boxes[:number] if abs(b[0] - x) < width - 1 and abs(b[1] - y) < height - 1]
        assert boxes[0][2] > 150
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.get_by_role("button", name="larger").click()
        assert (
            page.evaluate("document.querySelector('[data-node] rect').getBoundingClientRect().width")
            > boxes[0][2] * 1.2
        )
