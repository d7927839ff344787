"""
Signing in and out: a form, and a cookie that stands for the visitor.

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


def sign_in_page(
    renderer: Renderer,
    request: Request,
    status: int,
    headers: dict[str, str],
    problem: Problem | None = None,
    to: str = "",
) -> Response:
    """Show the form, in the place of the page that was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.url.path == "/sign-in":
        asked = to or request.query_params.get("to", "/")
    html = renderer.html("sign_in.html", to=inside(asked), problem=problem)
    return HTMLResponse(html, status, headers)


async def sign_in(api: Api, renderer: Renderer, request: Request, headers: dict[str, str]) -> Response:
    """Begin a session, or take a key; go on to the page that was asked for."""
    form = await read_form(request)
    if form is None:
        problem = Problem(403, "cross_site", "The form came from another site, or is too large.")
        return sign_in_page(renderer, request, 403, headers, problem)
    key = form.get("key", "").strip()
    if key:
        asked = await api.of_caller(f"Bearer {key}" if _sendable(key) else "Bearer -").get("session")
        token, lasts_s = key, None
    else:
        content = {"name": form.get("name", "").strip(), "password": form.get("password", "")}
        asked = await api.of_caller("").change("POST", "session", content=content)
        token, lasts_s = str((asked.first or {}).get("token", "")), 400 * 86_400
    if asked.problem is not None or not _sendable(token):
        problem = asked.problem or Problem(502, "not_our_api", "The collector gave no session.")
        return sign_in_page(renderer, request, problem.status, headers, problem, form.get("to", ""))
    answer = RedirectResponse(inside(form.get("to", "/")), 303, headers)
    answer.set_cookie(COOKIE, token, lasts_s, httponly=True, samesite="lax", secure=_https(request))
    return answer


async def sign_out(api: Api, request: Request, headers: dict[str, str]) -> Response:
    """End the session and forget the cookie."""
    if await read_form(request) is not None:
        await api.of_caller(request.headers.get("authorization", "")).change("DELETE", "session")
    answer = RedirectResponse("/sign-in", 303, headers)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_https(request))
    return answer


def inside(address: str) -> str:
    """Keep an address that leads to a page of this site; ``/`` for any other."""
    parts = urlsplit(address)
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if own and not parts.netloc and not address.startswith("/sign-") else "/"


def _https(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def _sendable(token: str) -> bool:
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
    return found.value if found is not None and _sendable(found.value) else ""
