"""Signing in and out: the cookie stands for the visitor, forms of other sites do nothing, nobody is led elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from dashboards.doors import inside
from dashboards.forms import COOKIE
from tests.dashboards.recorded_api import KEY, PASSWORD, pages_over

ANA = {"name": "ana", "password": PASSWORD, "to": "/breakers?start=-6h"}


def sent(
    path: str,
    form: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    base: str = "http://fuse.example",
    variant: str = "locked",
) -> httpx.Response:
    """Send a form as a browser that is on the site does, unless *headers* say otherwise."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=pages_over(variant))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            own = {"sec-fetch-site": "same-origin"} if headers is None else headers
            return await client.post(path, data=dict(form), headers=dict(own))

    return asyncio.run(ask())


def test_whoever_signs_in_gets_a_cookie_and_the_page(caplog: pytest.LogCaptureFixture) -> None:
    """HttpOnly, SameSite=Lax, Secure on https; back to the page that was asked for."""
    del caplog
    answer = sent("/sign-in", ANA)

    assert (answer.status_code, answer.headers["location"]) == (303, "/breakers?start=-6h")
    cookie = answer.headers["set-cookie"].lower()
    assert f"{COOKIE}={KEY}" in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert "secure" in sent("/sign-in", ANA, base="https://fuse.example").headers["set-cookie"].lower()
    proxied = {"sec-fetch-site": "same-origin", "x-forwarded-proto": "https"}
    assert "secure" in sent("/sign-in", ANA, proxied).headers["set-cookie"].lower()


def test_the_cookie_opens_pages_and_their_parts() -> None:
    """What was 401 is 200; a header of one's own comes first."""

    async def ask(headers: Mapping[str, str]) -> int:
        transport = httpx.ASGITransport(app=pages_over("locked"))
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        async with httpx.AsyncClient(transport=transport, base_url="http://fuse.example") as client:
            return (await client.get("/breakers", headers=raw)).status_code

    cookie = {"cookie": f"other=1; {COOKIE}={KEY}"}
    assert asyncio.run(ask(cookie)) == 200
    assert asyncio.run(ask({**cookie, "authorization": "Bearer wrong"})) == 401
    for hostile in ("wrong", "", '"a b"', "x" * 5000, "\xe9", "a;b=\x01"):
        assert asyncio.run(ask({"cookie": f"{COOKIE}={hostile}"})) == 401


def test_a_key_opens_the_pages_until_the_browser_is_closed() -> None:
    """A key that holds becomes the cookie, without a time of its own; one that does not is told."""
    answer = sent("/sign-in", {"key": KEY, "to": "/"})
    assert answer.status_code == 303
    assert "max-age" not in answer.headers["set-cookie"].lower()

    for wrong in ("wrong", "bad\r\nheader: x", "\xfc", "x" * 5000):
        refused = sent("/sign-in", {"key": wrong})
        assert refused.status_code == 401
        assert 'data-testid="sign-in-problem"' in refused.text
        assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "form", [{}, {"name": "ana"}, {**ANA, "password": "wrong"}, {**ANA, "name": "<script>"}]
)
def test_who_is_wrong_stays_outside(form: Mapping[str, str]) -> None:
    """401, the form again, nothing of the password in it."""
    answer = sent("/sign-in", form)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert PASSWORD not in answer.text
    assert "to" not in form or 'value="/breakers?start=-6h"' in answer.text
    assert "<script>" not in answer.text.replace("<script src=", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"cookie": f"{COOKIE}={KEY}"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/keys", "/users", "/catalogue/payment", "/views", "/password"])
def test_forms_of_other_sites_do_nothing(headers: Mapping[str, str], path: str) -> None:
    """Neither signing somebody in nor changing anything; without either mark a cookie alone is not enough."""
    answer = sent(path, ANA, headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_forgets_the_cookie() -> None:
    """The browser drops it; the sign-in is shown."""
    answer = sent("/sign-out", {}, {"sec-fetch-site": "same-origin", "cookie": f"{COOKIE}={KEY}"})

    assert answer.headers["location"] == "/sign-in"
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "",
        "/a\r\nb",
        "/sign-out",
        "evil",
    ],
)
def test_nobody_is_led_elsewhere(address: str) -> None:
    """Only to pages of this site."""
    assert inside(address) == "/"
    assert sent("/sign-in", {**ANA, "to": address}).headers["location"] == "/"


def test_a_secret_is_shown_once_and_forms_lead_back() -> None:
    """The answer to making a key has its secret; revoking and editing lead back to their page."""
    made = sent("/keys", {"name": "cart", "kind": "ingest", "services": "cart, web"}, variant="shop")
    assert made.status_code == 200
    assert 'data-testid="made"' in made.text

    assert sent("/keys/x/revoke", {}, variant="shop").status_code in (303, 404)
    edited = sent("/catalogue/payment?env=demo", {"owner": "team-pay"}, variant="shop")
    assert edited.status_code in (303, 404)


def test_a_form_of_any_size_is_refused() -> None:
    """403 beyond a mebibyte."""
    assert sent("/keys", {"name": "x" * (2 << 20)}, variant="shop").status_code == 403
