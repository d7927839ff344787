"""Open to local programs, closed to web pages."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from collector.receive.asgi import send_response
from collector.receive.guard import Guard
from collector.receive.protocol import Response


async def _reached(scope, receive, send) -> None:
    del scope, receive
    await send_response(send, Response(200, b"{}"))


def _ask(
    headers: dict[str, str], path: str = "/v1/lines", method: str = "POST", allowed: tuple[str, ...] = ()
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Guard(_reached, allowed))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4318") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, ()),
        ({"host": "localhost:4318"}, ()),
        ({"host": "LOCALHOST"}, ()),
        ({"host": "[::1]:4318"}, ()),
        ({"host": "fuseboard.internal:4318"}, ("Fuseboard.internal",)),
        ({"host": "anything"}, ("*",)),
        ({"origin": "http://127.0.0.1:4318", "sec-fetch-site": "same-origin"}, ()),
        ({"sec-fetch-site": "none"}, ()),
    ],
)
def test_local_programs_and_our_own_pages_pass(headers: dict[str, str], allowed: tuple[str, ...]) -> None:
    """Programs send neither Origin nor Sec-Fetch-Site; our pages name ourselves."""
    assert _ask(headers, allowed=allowed).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "param"),
    [
        ({"host": "evil.example"}, "bad_host", "Host"),
        ({"host": "127.0.0.1.evil.example"}, "bad_host", "Host"),
        ({"host": "127.0.0.1@evil.example"}, "bad_host", "Host"),
        ({"host": ""}, "bad_host", "Host"),
        ({"host": "[::1"}, "bad_host", "Host"),
        ({"origin": "http://evil.example"}, "cross_site", "Origin"),
        ({"origin": "null"}, "cross_site", "Origin"),
        ({"origin": "http://127.0.0.1:8080"}, "cross_site", "Origin"),
        ({"sec-fetch-site": "cross-site"}, "cross_site", "Sec-Fetch-Site"),
    ],
)
def test_web_pages_are_refused(headers: dict[str, str], code: str, param: str) -> None:
    """403 with the common error body, on ingest too."""
    answer = _ask(headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "forbidden"


@pytest.mark.parametrize(
    ("method", "path", "mode", "status"),
    [
        ("GET", "/breakers", "navigate", 200),
        ("GET", "/breakers", "no-cors", 403),
        ("POST", "/breakers", "navigate", 403),
        ("GET", "/api/v1/logs", "navigate", 403),
    ],
)
def test_only_a_link_to_a_page_may_be_followed(method: str, path: str, mode: str, status: int) -> None:
    """From chat to a dashboard page, yes; from another site to the API, no."""
    answer = _ask({"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}, path, method)

    assert answer.status_code == status
