"""The collector in this process: answers arrive in parts, and end when nobody reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from dashboards.inprocess import InProcess


class Endless:
    """An application with an answer that never ends by itself."""

    def __init__(self) -> None:
        self.made = 0
        self.ended = asyncio.Event()
        self._inner = Starlette(
            routes=[
                Route("/endless", self.endless),
                Route("/echo", self.echo, methods=["POST"]),
                Route("/breaks", self.breaks),
                Route("/breaks-later", self.breaks_later),
            ]
        )

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, and note its end."""
        try:
            await self._inner(scope, receive, send)
        finally:
            self.ended.set()

    async def endless(self, request: Request) -> Response:
        """Answer for ever."""
        del request

        async def parts() -> AsyncIterator[bytes]:
            while True:
                self.made += 1
                yield b"part"

        return StreamingResponse(parts())

    async def echo(self, request: Request) -> Response:
        """Answer with what came."""
        return PlainTextResponse(await request.body(), 201, {"x-query": request.url.query})

    async def breaks(self, request: Request) -> Response:
        """Break before the head."""
        raise ZeroDivisionError(request.url.path)

    async def breaks_later(self, request: Request) -> Response:
        """Break in the middle."""

        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise ZeroDivisionError(request.url.path)

        return StreamingResponse(parts())


def test_a_stream_begins_at_once_and_ends_with_its_reader() -> None:
    """The first part is there while the application goes on; it makes no more than may wait, and ends when the answer is closed."""

    async def run() -> tuple[bytes, int]:
        endless = Endless()
        async with (
            httpx.AsyncClient(transport=InProcess(endless.app), base_url="http://here") as client,
            client.stream("GET", "/endless") as answer,
        ):
            first = await anext(answer.aiter_bytes())
        async with asyncio.timeout(30):
            await endless.ended.wait()
        return first, endless.made

    first, made = asyncio.run(run())

    assert first == b"part"
    assert made < 20


def test_an_ordinary_request_is_answered_whole() -> None:
    """Body, query, status and headers go through."""

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=InProcess(Endless().app), base_url="http://here") as client:
            return await client.post("/echo?a=b%20c", content="é")

    answer = asyncio.run(run())

    assert (answer.status_code, answer.text, answer.headers["x-query"]) == (201, "é", "a=b%20c")


@pytest.mark.parametrize("path", ["/breaks", "/breaks-later"])
def test_what_the_application_raises_is_raised(path: str) -> None:
    """Before the head and in the middle: half an answer is never taken for a whole one."""

    async def run() -> None:
        async with httpx.AsyncClient(transport=InProcess(Endless().app), base_url="http://here") as client:
            await client.get(path)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run())


def test_giving_up_before_the_head_ends_the_work() -> None:
    """A page that waits no longer leaves nothing running."""
    ended = []

    async def app(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def run() -> None:
        async with httpx.AsyncClient(transport=InProcess(app), base_url="http://here") as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.get("/")
            await asyncio.sleep(0)

    asyncio.run(run())

    assert ended == [True]
