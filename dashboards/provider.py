"""
Signing in through a provider: the browser is sent there, and comes back with a code.

What the API wants back with the code is kept in a cookie of its own (HttpOnly, ten minutes, for these addresses alone; SameSite=Lax lets it come along when the
provider sends the browser back). A browser that comes back without it did not leave from here.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards.api import Api, Problem
from dashboards.doors import LASTS_S, inside, is_https, sendable, sign_in_page, signed_in
from dashboards.render import Renderer

PATH = "/sign-in/oidc"
_COOKIE = "fuseboard-sign-in"
_KEPT_S = 600
_TO_CHARS = 1500


async def leave(api: Api, renderer: Renderer, request: Request, headers: dict[str, str]) -> Response:
    """Send the browser to the provider."""
    to = inside(request.query_params.get("to", "/"))
    asked = await api.of_caller("").change("POST", "session", "oidc", "begin")
    begun = asked.first or {}
    if asked.problem is not None or not str(begun.get("url", "")).startswith(("https://", "http://")):
        problem = asked.problem or Problem(502, "not_our_api", "The collector did not say where to sign in.")
        return await sign_in_page(api, renderer, request, problem.status, headers, problem, to)
    answer = RedirectResponse(str(begun["url"]), 303, headers)
    kept = f"{begun.get('flow', '')}~{quote(to, safe='') if len(to) <= _TO_CHARS else ''}"
    answer.set_cookie(
        _COOKIE, kept, _KEPT_S, path=PATH, httponly=True, samesite="lax", secure=is_https(request)
    )
    return answer


async def come_back(api: Api, renderer: Renderer, request: Request, headers: dict[str, str]) -> Response:
    """Begin a session for whoever the provider sends back; go on to the page that was asked for."""
    flow, _, to = request.cookies.get(_COOKIE, "").partition("~")
    told = request.query_params
    error = " ".join(filter(None, (told.get("error", ""), told.get("error_description", ""))))
    content = {
        "flow": flow[:4000],
        "state": told.get("state", "")[:200],
        "code": told.get("code", "")[:4000],
        "error": error[:1000],
    }
    asked = await api.of_caller("").change("POST", "session", "oidc", content=content)
    token = str((asked.first or {}).get("token", ""))
    if asked.problem is not None or not sendable(token):
        problem = asked.problem or Problem(502, "not_our_api", "The collector gave no session.")
        answer = await sign_in_page(
            api, renderer, request, problem.status, headers, problem, inside(unquote(to) or "/")
        )
    else:
        answer = signed_in(request, token, unquote(to) or "/", LASTS_S, headers)
    answer.delete_cookie(_COOKIE, path=PATH, httponly=True, samesite="lax", secure=is_https(request))
    return answer
