"""A visitor who leaves, names of questions, and their progress."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from dashboards.leaving import Leaving
from tests.dashboards.recorded_api import reply


class Asked:
    """An API that remembers under which names it was asked, and whether a question was given up."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.begun = asyncio.Event()
        self.given_up = 0

    async def answer(self, request: Request) -> JSONResponse:
        """Answer at once, but for services: never."""
        self.names.append(request.headers.get("x-query-id", ""))
        path = request.path_params["path"]
        if path == "services":
            self.begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        if path.startswith("queries/"):
            return reply([{"id": path[8:], "state": "running", "percent": 12.5}])
        return reply([])


def pages(asked: Asked) -> Starlette:
    """The pages over it."""
    api = Starlette(routes=[Route("/api/v1/{path:path}", asked.answer)])
    return create_app(Api(httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://api")))


async def visit(app: Starlette, path: str, **headers: str) -> httpx.Response:
    """One request."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:  # fmt: skip
        return await client.get(path, headers=headers)


def test_questions_of_a_page_that_is_left_are_given_up() -> None:
    """When the connection closes, the page's calls are cancelled; nothing is answered."""

    async def leave() -> tuple[int, list[str]]:
        asked = Asked()
        sent: list[str] = []
        closed = asyncio.Event()

        async def receive() -> dict[str, object]:
            await closed.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(str(message["type"]))

        scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [(b"host", b"x")], "root_path": ""}  # fmt: skip
        work = asyncio.create_task(pages(asked)(scope, receive, send))
        await asyncio.wait_for(asked.begun.wait(), 30)
        closed.set()
        await asyncio.wait_for(work, 30)
        return asked.given_up, sent

    assert asyncio.run(leave()) == (1, [])


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-query-id": "abcdef0123456789"}, "abcdef0123456789"),
        ({"x-query-id": "x" * 65}, ""),
        ({"x-query-id": "../../etc/passwd"}, ""),
    ],
)
def test_a_scripts_questions_have_the_name_it_chose(headers: dict[str, str], name: str) -> None:
    """From the header; what cannot be a name is left out, not passed on."""
    asked = Asked()

    answer = asyncio.run(visit(pages(asked), "/breakers", **headers))

    assert answer.status_code == 200
    assert set(asked.names) == {name}


def test_a_pages_questions_have_one_name_of_its_own() -> None:
    """Each visit has another; a cookie chooses none."""
    asked = Asked()

    asyncio.run(visit(pages(asked), "/breakers", cookie="fuseboard-query=abcdef0123456789"))
    first = set(asked.names)
    asyncio.run(visit(pages(asked), "/breakers"))

    assert len(first) == 1
    assert len(set(asked.names)) == 2
    assert first != {"abcdef0123456789"}
    assert all(len(name) == 24 for name in asked.names)


def test_progress_is_the_apis_word() -> None:
    """As JSON for the script, not kept by anybody."""
    answer = asyncio.run(visit(pages(Asked()), "/progress/abcdef0123456789"))

    assert answer.json() == {"id": "abcdef0123456789", "state": "running", "percent": 12.5}
    assert answer.headers["cache-control"] == "no-store"


def test_an_error_of_a_page_is_still_an_error() -> None:
    """The watch for a visitor who leaves swallows nothing."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def connected() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def sent(message: object) -> None:
        del message

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Leaving(broken)({"type": "http", "method": "GET"}, connected, sent))
