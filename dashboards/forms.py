"""Forms that pages send: read with bounds, never one of another site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from dashboards.api import CallerApi, Problem

if TYPE_CHECKING:
    from dashboards.pages.page import Visit

FORM_BYTES = 1 << 20
"""A dashboard that is imported is the largest; the API takes no more either."""


@dataclass(frozen=True)
class Post:
    """One form that was sent."""

    fields: Mapping[str, str]
    visit: Visit
    """As a GET of the same path would have it; its parameters are those of the address, not of the form."""

    @property
    def api(self) -> CallerApi:
        """The API, as the visitor."""
        return self.visit.api

    def text(self, name: str) -> str:
        """One field without the space around it; "" if it was not sent."""
        return self.fields.get(name, "").strip()

    def names(self, name: str) -> list[str]:
        """One field as a list: separated by commas or line breaks."""
        return [each.strip() for each in self.text(name).replace("\n", ",").split(",") if each.strip()]


@dataclass(frozen=True)
class Outcome:
    """What became of a form: a place to go to, a page that says more, or a problem."""

    to: str = ""
    template: str = ""
    context: Any = None
    problem: Problem | None = None
    what: str = "Nothing was changed"


@dataclass(frozen=True)
class Action:
    """One address that takes a form."""

    path: str
    run: Callable[[Post], Awaitable[Outcome]]
    nav: str = field(default="")


async def read_form(request: Request) -> Mapping[str, str] | None:
    """Read a form of our own pages; None: of another site, or too large."""
    if not same_site(request):
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def same_site(request: Request) -> bool:
    """
    Say whether a page of ours sent *request*.

    Every browser marks a POST with ``Sec-Fetch-Site`` or ``Origin``; one with neither is a program's, which has no cookie of ours by accident: it brings its
    key itself.
    """
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if site and site not in ("same-origin", "none"):
        return False
    if origin and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        return False
    return bool(site or origin) or COOKIE not in request.cookies


COOKIE = "fuseboard-session"
"""Holds the token of a session, or a key that was shown at the sign-in."""
