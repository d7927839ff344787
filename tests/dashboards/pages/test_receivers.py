"""Receivers: tests, enabling and retries are one call each, and buttons stand only before those who may."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.dashboards.document import Element, read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import answer
from tests.dashboards.test_incident_forms import Listening, send


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/receivers/on-call/test", ("POST", "receivers/on-call/test", None)),
        ("/receivers/chat/enable", ("POST", "receivers/chat/enable", None)),
        ("/deliveries/2/retry", ("POST", "deliveries/2/retry", None)),
    ],
)
def test_a_button_is_one_call(path: str, told: tuple[str, str, Any]) -> None:
    """And the way back keeps the time range."""
    listening = Listening()
    sent = send(listening, "POST", f"{path}?start=-6h&end=now&env=demo")

    assert (sent.status_code, sent.headers["location"].split("?")[0]) == (303, "/receivers")
    assert "start=-6h" in sent.headers["location"]
    assert listening.told == [told]


def test_a_refused_test_says_why() -> None:
    """The collector's own words."""
    sent = send(Listening(403), "POST", "/receivers/on-call/test")

    assert sent.status_code == 403
    assert "No test was sent" in sent.text


def test_only_a_disabled_receiver_can_be_enabled_and_only_a_failed_delivery_sent_again() -> None:
    """Each has a test."""
    assert _actions(read(pages_over("shop"), "/receivers").page) == [
        "/receivers/on-call/test",
        "/receivers/chat/test",
        "/receivers/chat/enable",
        "/deliveries/2/retry",
    ]


@pytest.mark.parametrize(
    ("may", "actions"),
    [(["read"], []), (["read", "change"], ["/deliveries/2/retry"])],
    ids=["viewer", "editor"],
)
def test_buttons_stand_before_those_who_may(may: list[str], actions: list[str]) -> None:
    """A viewer looks; an editor sends again; tests are for admins, and that is said."""
    page = read(_as(may), "/receivers").page

    assert _actions(page) == actions
    assert "Tests and enabling are for admins" in page.text


def test_one_delivery_shows_what_came_back_and_what_it_tells() -> None:
    """Where a test and a retry lead to."""
    (one,) = read(pages_over("shop"), "/receivers?delivery=2").page.having(data_testid="one-delivery")

    assert "410 after 41.5 ms" in one.text
    assert '"rule": "BreakerOpen"' in one.text


def _actions(page: Element) -> list[str]:
    actions = [
        form.attributes["action"].split("?")[0]
        for form in page.tags("form")
        if form.attributes.get("method") == "post"
    ]
    return [action for action in actions if action != "/sign-out"]


def _as(may: list[str]) -> Starlette:
    async def api(request: Request) -> JSONResponse:
        path = request.path_params["path"]
        who = [{"kind": "person", "name": "vi", "role": "", "may": may}]
        return JSONResponse({"data": who if path == "session" else answer(path, {})})

    inner = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", api)]))
    return create_app(Api(httpx.AsyncClient(transport=inner, base_url="http://api")))
