"""
Signing in and out: a form, or a way through a provider (``provider.py``), and a cookie that stands for the visitor.

The cookie (HttpOnly, SameSite=Lax, Secure on https) holds the token of a session, or the key that somebody showed; `Doors` turns it into the
``Authorization`` header that the rest of the site passes on. A header that was sent itself comes first.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.api import Api, Problem
from dashboards.forms import COOKIE, read_form
from dashboards.render import Renderer

_TOKEN_CHARS = 512
LASTS_S = 400 * 86_400
"""Seconds that a browser keeps the cookie of a session; the session itself ends sooner."""


class Doors:
    """
    The middleware: cookie -> ``Authorization``.

    Args:
        app: The pages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            names = {name for name, _ in scope["headers"]}
            token = _token(scope) if b"authorization" not in names else ""
            if token:
                scope = {
                    **scope,
                    "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode("latin-1"))],
                }
        await self._app(scope, receive, send)


async def sign_in_page(
    api: Api,
    renderer: Renderer,
    request: Request,
    status: int,
    headers: dict[str, str],
    problem: Problem | None = None,
    to: str = "",
) -> Response:
    """Show the form, in the place of the page that was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.url.path.startswith("/sign-in"):
        asked = request.query_params.get("to", "/")
    offered = await api.of_caller("").get("session", "oidc")
    html = renderer.html(
        "sign_in.html", to=inside(to or asked), problem=problem, provider=(offered.first or {}).get("label")
    )
    return HTMLResponse(html, status, headers)


async def sign_in(api: Api, renderer: Renderer, request: Request, headers: dict[str, str]) -> Response:
    """Begin a session, or take a key; go on to the page that was asked for."""
    form = await read_form(request)
    if form is None:
        problem = Problem(403, "cross_site", "The form came from another site, or is too large.")
        return await sign_in_page(api, renderer, request, 403, headers, problem)
    key = form.get("key", "").strip()
    if key:
        asked = await api.of_caller(f"Bearer {key}" if sendable(key) else "Bearer -").get("session")
        token, lasts_s = key, None
    else:
        content = {"name": form.get("name", "").strip(), "password": form.get("password", "")}
        asked = await api.of_caller("").of(_came_through(request)).change("POST", "session", content=content)
        token, lasts_s = str((asked.first or {}).get("token", "")), LASTS_S
    if asked.problem is not None or not sendable(token):
        problem = asked.problem or Problem(502, "not_our_api", "The collector gave no session.")
        to = form.get("to", "")
        return await sign_in_page(api, renderer, request, problem.status, headers, problem, to)
    return signed_in(request, token, form.get("to", "/"), lasts_s, headers)


def signed_in(
    request: Request, token: str, to: str, lasts_s: int | None, headers: dict[str, str]
) -> Response:
    """Go on to the page that was asked for, as somebody."""
    answer = RedirectResponse(inside(to), 303, headers)
    answer.set_cookie(COOKIE, token, lasts_s, httponly=True, samesite="lax", secure=is_https(request))
    return answer


async def sign_out(api: Api, request: Request, headers: dict[str, str]) -> Response:
    """End the session and forget the cookie."""
    if await read_form(request) is not None:
        await api.of_caller(request.headers.get("authorization", "")).change("DELETE", "session")
    answer = RedirectResponse("/sign-in", 303, headers)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_https(request))
    return answer


def inside(address: str) -> str:
    """Keep an address that leads to a page of this site; ``/`` for any other."""
    parts = urlsplit(address)
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if own and not parts.netloc and not address.startswith("/sign-") else "/"


def is_https(request: Request) -> bool:
    """Say whether the browser speaks https, to us or to a proxy before us."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def _came_through(request: Request) -> str:
    """Give the addresses a request came through, as ``X-Forwarded-For`` has them: the last is who is connected to us."""
    hops = [request.headers.get("x-forwarded-for", ""), request.client.host if request.client else ""]
    return ", ".join(hop for hop in hops if hop and hop.isascii() and hop.isprintable())


def sendable(token: str) -> bool:
    """Say whether a token can stand in a header and a cookie."""
    return (
        bool(token)
        and token.isascii()
        and token.isprintable()
        and " " not in token
        and len(token) <= _TOKEN_CHARS
    )


def _token(scope: Scope) -> str:
    sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    try:
        found = SimpleCookie(sent.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None and sendable(found.value) else ""
