"""Bodies of the API are small: what is larger is refused before it is read, or where it is found to be."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.api.failure import error_response
from collector.errors import TooLarge

# A statement is at most 256 KiB, a dashboard with all its panels less.
BODY_BYTES = 1 << 20


class Bodies:
    """
    The middleware: a body over `BODY_BYTES` is a 413.

    Args:
        app: The API.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"")
        size = int(declared) if declared.isdigit() else 0
        parts: list[bytes] = []
        ended = size > BODY_BYTES
        while not ended:
            message = await receive()
            if message["type"] != "http.request":
                return
            parts.append(message.get("body", b""))
            size = sum(map(len, parts))
            ended = size > BODY_BYTES or not message.get("more_body")
        if size > BODY_BYTES:
            error = TooLarge("body_too_large", f"a body of the API is at most {BODY_BYTES} bytes")
            await error_response(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, _again(b"".join(parts), receive), send)


def _again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def give() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
