"""
`Watched`: each request is a question, which ends in ClickHouse when its client goes away.

A client goes away by closing its connection (``http.disconnect``), or, where the dashboards ask through ASGI, by cancelling the task that waits. Handlers
run in threads, which nothing can stop; the statement they wait for can be ended, and then they end.

``X-Query-Id``, chosen by the client, names the question for ``GET /api/v1/queries/{id}``; without it there is a random one. The answer carries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.api.failure import error_response
from collector.errors import Malformed
from collector.store.limits import QueryLimits
from collector.store.question import Question, Questions

QUESTION = "fuseboard.question"
"""Where a request's scope has its `Question`."""
_SQL = "/v1/sql"


class Watched:
    """
    The middleware.

    Args:
        app: The API.
        questions: Those of this process.
        limits: What a request may take of ClickHouse.
        sql_limits: What one with a statement of a person may take.
    """

    def __init__(
        self, app: ASGIApp, questions: Questions, limits: QueryLimits, sql_limits: QueryLimits
    ) -> None:
        self._app = app
        self._questions = questions
        self._limits = limits
        self._sql_limits = sql_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"x-query-id", b"").decode("latin-1")
        limits = self._sql_limits if scope["path"].endswith(_SQL) else self._limits
        try:
            with self._questions.ask(name, limits) as question:
                await watched(self._app, scope, receive, _marked(send, question), question, self._questions)
        except Malformed as error:
            await error_response(Request(scope), error)(scope, receive, send)


async def watched(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, question: Question, questions: Questions
) -> None:
    """Serve one request with *question* in its scope, and end what runs for it when its client goes away."""
    scope[QUESTION] = question
    inbox = _Inbox(receive, lambda: questions.leave(question))
    reading = asyncio.create_task(inbox.fill())
    work: asyncio.Task[None] = asyncio.create_task(_run(app, scope, inbox.receive, send))
    # one that is cancelled goes on until its thread ends; what it says then concerns nobody
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        # not `await work`: who waits may be cancelled at once, the work ends when its thread does
        await asyncio.wait({work})
        await work
    except asyncio.CancelledError:
        questions.leave(question)
        work.cancel()
        raise
    finally:
        reading.cancel()


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Inbox:
    """What the client sends, read ahead by one so that its end is seen while the handler works."""

    def __init__(self, receive: Receive, on_gone: Callable[[], None]) -> None:
        self._receive = receive
        self._on_gone = on_gone
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(1)
        self._ended = False

    async def fill(self) -> None:
        """Read until the client is gone; a body that nobody takes is read no further."""
        while True:
            message = await self._receive()
            gone = message["type"] == "http.disconnect"
            if gone:
                self._on_gone()
            await self._waiting.put(message)
            if gone:
                return

    async def receive(self) -> MutableMapping[str, Any]:
        """Give the next of it, as ASGI does."""
        if self._ended:
            return {"type": "http.disconnect"}
        message = await self._waiting.get()
        self._ended = message["type"] == "http.disconnect"
        return message


def _marked(send: Send, question: Question) -> Send:
    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = (b"x-query-id", question.name.encode())
            message = {**message, "headers": [*message.get("headers", ()), named]}
        await send(message)

    return send_marked
