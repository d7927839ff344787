"""An answer of two parts: the frame before the content, in one response; and what never comes in parts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from dashboards.answers import Answers
from dashboards.api import Api
from dashboards.documents import PAGE_HEADERS
from dashboards.failures import Failures
from dashboards.pages import gateway
from dashboards.pages.page import Page, Visit
from dashboards.render import Renderer
from dashboards.site import existing
from dashboards.visits import PATHS, Site
from dashboards.window import BadParameterError
from tests.dashboards.document import get, parse, read
from tests.dashboards.gated_api import Gate, gated_api, gated_pages
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import NOW
from tests.dashboards.test_pages import URLS

_LIVE = re.compile(r'<div id="live".*?>(.*)</main>', re.DOTALL)


class Visitor:
    """A browser as ASGI sees it: takes what is sent, and may leave."""

    def __init__(self, app: Starlette, url: str, **how: Any) -> None:
        path, _, query = url.partition("?")
        accept = how.pop("accept", b"text/html,application/xhtml+xml,*/*;q=0.8")
        headers = [(b"host", b"127.0.0.1"), (b"accept", accept), *how.pop("headers", ())]
        self._scope = {
            "type": "http", "method": "GET", "http_version": "1.1", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": headers, "root_path": "", "scheme": "http", **how,
        }  # fmt: skip
        self._app = app
        self._left = asyncio.Event()
        self._part = asyncio.Event()
        self.head: dict[str, Any] = {}
        self.parts: list[str] = []

    def open(self) -> asyncio.Task[None]:
        """Send the request."""
        return asyncio.create_task(_run(self._app, self._scope, self._receive, self._send))

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def first_part(self) -> str:
        """Wait for the first part of the answer's body."""
        await asyncio.wait_for(self._part.wait(), 30)
        return self.parts[0]

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer."""
        return {name.decode(): value.decode() for name, value in self.head["headers"]}

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.head = message
            return
        self.parts.append(message.get("body", b"").decode())
        self._part.set()


async def _run(app: Starlette, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


@cache
def site() -> tuple[Gate, Starlette]:
    """Build the pages once: compiling their templates takes longer than any visit."""
    gate = Gate()
    return gate, gated_pages(gate)


def closed_site() -> tuple[Gate, Starlette]:
    """Give the pages with the gate shut."""
    gate, app = site()
    gate.close()
    return gate, app


async def both_parts(url: str) -> Visitor:
    """Visit a page whose answers come only when its frame has been taken."""
    gate, app = closed_site()
    visitor = Visitor(app, url)
    work = visitor.open()
    await visitor.first_part()
    gate.open()
    await asyncio.wait_for(work, 60)
    return visitor


@pytest.mark.parametrize("url", URLS.values())
def test_the_frame_goes_out_before_the_content(url: str) -> None:
    """One response of two parts: navigation, range and a skeleton; then the very content of the page that is answered whole."""
    visitor = asyncio.run(both_parts(url))
    whole = get(pages_over("shop"), url).text

    frame, rest = visitor.parts
    assert visitor.head["status"] == 200
    assert 'aria-label="Pages"' in frame
    assert 'aria-label="Quick ranges"' in frame
    assert 'id="live"' not in frame
    assert len(parse(frame).having(data_testid="coming")) == 1
    assert len(parse(frame).tags("h1")) == 1
    assert _content(frame + rest) == _content(whole)
    assert _scripts(frame) == _scripts(whole)
    assert rest.rstrip().endswith("</html>")


def _content(html: str) -> str:
    found = _LIVE.search(html)
    assert found is not None
    return found[1]


def _scripts(html: str) -> list[str]:
    head = html.partition("</head>")[0]
    return re.findall(r"(?:src|href)=\"(/static/[^\"]+)", head)


def test_the_frame_says_what_is_coming() -> None:
    """Title and heading are of the address until the content brings its own title; headers are those of every page, and of no known length."""
    visitor = asyncio.run(both_parts("/services/checkout"))

    frame, page = parse(visitor.parts[0]), parse("".join(visitor.parts))
    assert frame.tags("title")[0].text == "checkout · Services · Fuseboard"
    assert frame.tags("h1")[0].text == "checkout"
    assert page.having(id="live")[0].attributes["data-title"] == "degraded · checkout · Fuseboard"
    assert PAGE_HEADERS.items() <= {_cased(name): value for name, value in visitor.headers.items()}.items()
    assert visitor.headers["x-accel-buffering"] == "no"
    assert "content-length" not in visitor.headers


def _cased(name: str) -> str:
    return next((each for each in PAGE_HEADERS if each.lower() == name), name)


def test_the_frame_tells_under_which_name_its_page_is_asked() -> None:
    """What the skeleton's script asks for is what the questions are called."""
    frame = asyncio.run(both_parts("/traces")).parts[0]

    (coming,) = parse(frame).having(data_testid="coming")
    assert re.fullmatch(r"[0-9a-f]{24}", coming.attributes["data-coming"])


def test_a_visitor_who_leaves_before_the_content_ends_the_questions() -> None:
    """The frame has been sent; what would follow is given up, and nothing more is said."""

    async def leave() -> tuple[int, int]:
        gate, app = closed_site()
        visitor = Visitor(app, "/services")
        work = visitor.open()
        await visitor.first_part()
        visitor.leave()
        await asyncio.wait_for(work, 30)
        return gate.given_up, len(visitor.parts)

    given_up, parts = asyncio.run(leave())
    assert given_up >= 1
    assert parts == 1


@pytest.mark.parametrize(
    "how",
    [
        {"method": "HEAD"},
        {"headers": [(b"hx-request", b"true")]},
        {"http_version": "1.0"},
        {"accept": b"*/*"},
    ],
    ids=["HEAD", "htmx", "HTTP/1.0", "curl"],
)
def test_what_is_no_browsers_navigation_is_answered_whole(how: dict[str, Any]) -> None:
    """One part with its length, however long it takes."""

    async def visit() -> Visitor:
        gate, app = closed_site()
        visitor = Visitor(app, "/breakers", **how)
        work = visitor.open()
        await asyncio.to_thread(gate.waiting.wait, 30)
        gate.open()
        await asyncio.wait_for(work, 60)
        return visitor

    visitor = asyncio.run(visit())
    assert len(visitor.parts) == 1
    assert "content-length" in visitor.headers
    assert "data-coming" not in visitor.parts[0]


@pytest.mark.parametrize(
    ("url", "status"),
    [("/breakers", 200), ("/services/nobody", 404), ("/logs?query=service:(a", 400), ("/nothing", 404)],
)
def test_what_is_quick_is_answered_whole_with_its_status(url: str, status: int) -> None:
    """What is there before the patience ends needs no skeleton, and what is refused says so in its first line."""

    async def visit() -> Visitor:
        visitor = Visitor(pages_over("shop", patience_s=60.0), url)
        await asyncio.wait_for(visitor.open(), 60)
        return visitor

    visitor = asyncio.run(visit())
    assert visitor.head["status"] == status
    assert len(visitor.parts) == 1
    assert "data-coming" not in visitor.parts[0]


def test_who_has_to_sign_in_gets_no_frame() -> None:
    """The frame waits for who asks: 401 and the form, as if there were no patience."""
    answer = read(pages_over("locked", patience_s=0), "/breakers", accept="text/html")

    assert answer.status == 401
    assert answer.page.having(name="to")[0].attributes["value"] == "/breakers"
    assert not answer.page.having(data_testid="coming")


def test_what_is_refused_after_the_frame_is_said_in_the_page() -> None:
    """A name nobody knows, told late: 200 is sent already, the words are the same."""
    visitor = asyncio.run(both_parts("/services/nobody"))

    assert visitor.head["status"] == 200
    assert "Nothing is called services/nobody" in visitor.parts[1]


class Broken(Exception):
    """A fault of a page."""


def raising(error: Exception, gate: Gate) -> Starlette:
    """Build a site of one page, which raises once its frame is out."""

    async def load(_: Visit) -> gateway.GatewayContext:
        await gate.passed()
        raise error

    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=gated_api(gate)), base_url="http://127.0.0.1"
    )
    site = Site(Api(client), Renderer(existing(PATHS)), lambda: NOW)
    failures = Failures(site)
    page = Page("/gateway", "gateway.html", "gateway", gateway.GatewayContext, load)
    endpoint = Answers(site, failures, 0).page(page)
    handlers: dict[Any, Callable[..., Any]] = dict.fromkeys((HTTPException, BadParameterError, Exception), failures.raised)  # fmt: skip
    return Starlette(routes=[Route("/gateway", endpoint)], exception_handlers=handlers)


async def seen(error: Exception) -> tuple[Visitor, BaseException | None]:
    """Visit it; what was sent, and what the server has to log."""
    gate = Gate()
    visitor = Visitor(raising(error, gate), "/gateway")
    work = visitor.open()
    await visitor.first_part()
    gate.open()
    await asyncio.wait({work}, timeout=60)
    return visitor, work.exception()


def test_a_page_that_breaks_after_its_frame_says_so_in_its_place() -> None:
    """The document is complete, the other pages are linked, and the server's log gets the error as ever."""
    visitor, raised = asyncio.run(seen(Broken("division")))

    page = parse("".join(visitor.parts))
    assert page.having(id="live")[0].tags("h1")[0].text == "This page broke"
    assert "division" not in visitor.parts[1]
    assert visitor.parts[1].rstrip().endswith("</html>")
    assert isinstance(raised, Broken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadParameterError("limit", "x", "write a number"), "This page cannot be shown: limit"),
        (HTTPException(404), "404: Not Found"),
    ],
)
def test_what_a_visitor_did_wrong_is_said_after_the_frame_and_not_logged(error: Exception, said: str) -> None:
    """It is no fault of ours, also where it is found late."""
    visitor, raised = asyncio.run(seen(error))

    assert parse("".join(visitor.parts)).having(id="live")[0].tags("h1")[0].text == said
    assert raised is None
