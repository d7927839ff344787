"""
A visitor who leaves: what is asked for a page that nobody waits for any more is given up.

The page's task is cancelled, with it its calls of the API, and with those what runs for them in ClickHouse. A call through ASGI is cancelled as it is;
one over the network by its connection, which is closed.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Leaving:
    """
    The middleware. Forms that are sent are let through: what they do is not done by halves.

    Args:
        app: The pages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        visitor = _Visitor(receive)
        gone = asyncio.create_task(visitor.until_gone())
        work = asyncio.create_task(_run(self._app, scope, visitor.receive, send))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
                return
            await work
        finally:
            work.cancel()
            gone.cancel()


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Visitor:
    """Whoever sent a request without a body, until they are gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = asyncio.Event()
        self._told = False

    async def until_gone(self) -> None:
        """Read until the connection is closed."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def receive(self) -> Message:
        """Give the request's body, which is empty, then its end."""
        if not self._told:
            self._told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}
