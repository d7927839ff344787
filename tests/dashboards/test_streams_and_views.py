"""What the pages pass on to the API as the visitor: streams, and forms that save and delete views."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from dashboards.inprocess import InProcess
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over

FORM = {"page": "logs", "name": "Mine", "query": "a b", "env": "", "start": "-1h", "end": "now"}


class Recording:
    """An API that remembers what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes, str]] = []
        self._status = status
        self.app = Starlette(
            routes=[Route("/api/v1/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])]
        )

    async def _answer(self, request: Request) -> Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("authorization", "last-event-id")
        }
        self.asked.append(
            (request.method, request.path_params["path"], headers, await request.body(), request.url.query)
        )
        if self._status != 200:
            body = {"error": {"code": "no", "message": "not today", "param": None}}
            return JSONResponse(body, self._status, {"retry-after": "30"})
        if request.path_params["path"].startswith("logs/"):
            parts = iter([b"data: 1\n\n", b"data: 2\n\n"])
            return StreamingResponse(
                parts, media_type="text/event-stream", headers={"fuseboard-records": "2"}
            )
        return JSONResponse({"data": []})


def ask(recording: Recording, method: str, path: str, **more: Any) -> httpx.Response:
    """One request of a visitor."""
    api = Api(httpx.AsyncClient(transport=InProcess(recording.app), base_url="http://api"))

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **more)

    return asyncio.run(run())


@pytest.mark.parametrize("stream", ["tail", "export"])
def test_a_stream_is_passed_on_as_the_visitor(stream: str) -> None:
    """Parameters, the visitor's key and the last event's id go to the API, its bytes and kind come back, never to be kept or run."""
    recording = Recording()
    headers = {"authorization": "Bearer mine", "last-event-id": "AB.1"}

    answer = ask(recording, "GET", f"/logs/{stream}?query=a%20b&env=", headers=headers)

    assert answer.text == "data: 1\n\ndata: 2\n\n"
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["fuseboard-records"] == "2"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert recording.asked == [("GET", f"logs/{stream}", headers, b"", "query=a+b")]


def test_a_refused_stream_says_why() -> None:
    """The API's status and error come through."""
    answer = ask(Recording(429), "GET", "/logs/tail")

    assert (answer.status_code, answer.json()["error"]["message"]) == (429, "not today")
    assert answer.headers["retry-after"] == "30"


def test_a_view_is_saved_as_the_visitor_and_leads_back() -> None:
    """The form's fields become the API's, and the browser goes back to the page as it was."""
    recording = Recording()

    answer = ask(recording, "POST", "/views", data=FORM, headers={"authorization": "Bearer mine"})

    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    assert (back.path, back.netloc) == ("/logs", "")
    assert parse_qs(back.query) == {"query": ["a b"], "start": ["-1h"], "end": ["now"]}
    (method, path, headers, body, _) = recording.asked[0]
    assert (method, path, headers["authorization"]) == ("POST", "views", "Bearer mine")
    assert httpx.Response(200, content=body).json() == {name: value for name, value in FORM.items() if value}


def test_a_view_is_deleted() -> None:
    """Its button sends DELETE for it alone."""
    recording = Recording()

    answer = ask(recording, "POST", "/views/v%2F1/delete", data=FORM)

    assert answer.status_code in (303, 404)
    assert all(path.startswith("views/") for _, path, _, _, _ in recording.asked if path != "pipeline")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_forms_of_other_sites_change_nothing(headers: dict[str, str]) -> None:
    """A page elsewhere cannot save or delete in the visitor's name."""
    recording = Recording()

    answers = [
        ask(recording, "POST", path, data=FORM, headers=headers) for path in ("/views", "/views/v1/delete")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert [path for _, path, _, _, _ in recording.asked if path != "pipeline"] == []


def test_an_endless_form_is_refused() -> None:
    """Nothing is passed on."""
    recording = Recording()

    answer = ask(recording, "POST", "/views", content=b"name=" + b"x" * (2 << 20))

    assert answer.status_code == 403
    assert [path for _, path, _, _, _ in recording.asked if path != "pipeline"] == []


def test_where_a_form_leads_back_stays_on_this_site() -> None:
    """No value of the form sends the browser elsewhere."""
    for page in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = ask(Recording(), "POST", "/views", data={**FORM, "page": page})
        back = urlsplit(answer.headers["location"])
        assert (back.scheme, back.netloc) == ("", "")
        assert back.path.startswith("/")
        assert not back.path.startswith(("//", "/\\"))


def test_a_refusal_is_a_page_that_says_why() -> None:
    """A reader's key may not save: the page says so with the API's words."""
    answer = ask(Recording(403), "POST", "/views", data=FORM)

    assert answer.status_code == 403
    assert "The view was not saved" in answer.text
    assert "not today" in answer.text


def test_facets_asked_for_are_shown_and_can_be_taken_away() -> None:
    """A field of the list adds a facet; names that need it are escaped in searches."""
    page = read(pages_over("shop"), "/logs?query=charge&facets=order.id").page
    (place,) = page.having(data_testid="part-facets")
    part = read(pages_over("shop"), place.attributes["hx-get"]).page

    names = [a.text for a in part.having(data_testid="fields")[0].tags("a")]
    assert names == ["host.name"]
    saved = page.having(data_testid="saved")[0]
    assert "Payment errors" in saved.text
    assert saved.tags("a")[0].attributes["href"].startswith("/logs?query=service%3Apayment")


def test_links_to_the_whole_search() -> None:
    """Export takes the same search and range, the live tail the same search."""
    page = read(pages_over("shop"), "/logs?query=charge&start=-6h").page

    csv = parse_qs(urlsplit(page.having(data_testid="export-csv")[0].attributes["href"]).query)
    tail = next(element for element in page.all() if "data-tail" in element.attributes).attributes
    assert (csv["query"], csv["format"], csv["start"]) == (["charge"], ["csv"], ["2026-11-21T21:15:00.000Z"])
    assert parse_qs(urlsplit(tail["data-tail"]).query)["query"] == ["charge"]
    assert (tail["data-tail-live"], tail["data-tail-on"]) == ("yes", "no")
