"""
An HTML document as an answer: whole, or its frame first and its content when that is known.

A page whose questions take longer than a moment begins without their answers: head, navigation, time range and a skeleton are one part of the answer, the
content is the next part of the same one, and CSS alone takes the skeleton away. What is quick, and what is refused, goes out whole with its own status;
so does whatever is no browser's navigation: ``HEAD``, htmx, HTTP/1.0, which knows no parts, and whoever does not say that it reads HTML (curl, a
probe, a client library), for whom a status is worth more than a first paint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No inline script or style runs, nothing is loaded from or sent to another host."""

PATIENCE_S = 0.03
"""What a page is waited for before its frame goes out: most of what asks ClickHouse nothing is there by then, and a first paint has a tenth of its 300 ms left to give."""
_IN_PARTS = {**PAGE_HEADERS, "X-Accel-Buffering": "no"}
"""A proxy that gathers answers would hold the frame back."""


def whole(html: str, status: int = 200) -> Response:
    """Answer with a document that is known."""
    return HTMLResponse(html, status, PAGE_HEADERS)


def takes_parts(request: Request) -> bool:
    """Say whether a browser opens a page: what is shown before the end of the answer helps somebody."""
    scripted = request.headers.get("hx-request") == "true"
    reads = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and reads and not scripted and request.scope.get("http_version") != "1.0"


@dataclass(frozen=True)
class Rest:
    """What follows a frame: the content, or in its place what went wrong; *error* is raised once it is sent, for the server's log."""

    html: str
    error: Exception | None = None


class FrameFirst(Response):
    """
    An answer of two parts.

    Args:
        frame: The first, sent at once.
        rest: Makes the second; whoever leaves meanwhile cancels it.
    """

    media_type = "text/html"

    def __init__(self, frame: str, rest: Callable[[], Awaitable[Rest]]) -> None:
        self.status_code = 200
        self.background = None
        self._frame = frame
        self._rest = rest
        self.init_headers(_IN_PARTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._frame.encode(), "more_body": True})
        rest = await self._rest()
        await send({"type": "http.response.body", "body": rest.html.encode(), "more_body": False})
        if rest.error is not None:
            raise rest.error


async def given_up(work: asyncio.Task[Any]) -> None:
    """Cancel what nobody waits for any more; return when it has ended."""
    work.cancel()
    await asyncio.wait({work})
