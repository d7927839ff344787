"""
The collector in this process, as an HTTP client sees it: answers arrive as they are made.

httpx brings a transport for ASGI applications that gathers the whole answer first: a live tail would never begin, an export would be held
in memory. This one hands over each part, waits while nobody takes them, and ends the application's work when the answer is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
# Parts of an answer that may wait to be read.
_AHEAD = 8


class InProcess(httpx.AsyncBaseTransport):
    """
    A transport for httpx.

    Args:
        app: The ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; return when the head of its answer is there. What the application raises before that is raised."""
        exchange = _Exchange(_scope(request), await request.aread())
        task = asyncio.create_task(exchange.run(self._app))
        try:
            status, headers = await exchange.head
        except BaseException:
            task.cancel()
            raise
        return httpx.Response(status, headers=headers, stream=_Body(exchange, task))


class _Exchange:
    """One request and its answer, seen from the application."""

    def __init__(self, scope: Message, body: bytes) -> None:
        self._scope = scope
        self._body: bytes | None = body
        self.gone = asyncio.Event()
        self.head: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = (
            asyncio.get_running_loop().create_future()
        )
        self.parts: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_AHEAD)

    async def run(self, app: App) -> None:
        """Run the application to its end."""
        try:
            await app(self._scope, self._receive, self._send)
            if not self.head.done():
                self.head.set_exception(RuntimeError("the application gave no answer"))
        except Exception as error:  # noqa: BLE001 - raised where the answer is read
            if self.head.done():
                await self.parts.put(error)
            else:
                self.head.set_exception(error)
        await self.parts.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.head.set_result((message["status"], list(message.get("headers", ()))))
        elif message["type"] == "http.response.body" and message.get("body"):
            await self.parts.put(message["body"])


class _Body(httpx.AsyncByteStream):
    """The answer's parts."""

    def __init__(self, exchange: _Exchange, task: asyncio.Task[None]) -> None:
        self._exchange = exchange
        self._task = task

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the parts as they are made; raise what the application raises."""
        while (part := await self._exchange.parts.get()) is not None:
            if isinstance(part, Exception):
                raise part
            yield part

    async def aclose(self) -> None:
        """Tell the application that nobody reads any more."""
        self._exchange.gone.set()
        if not self._task.done():
            self._task.cancel()


def _scope(request: httpx.Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }
