"""The forms of Silences and Incident say to the API what stands in them, and go back to their page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app


class Listening:
    """An API that remembers what it was told."""

    def __init__(self, status: int = 200) -> None:
        self.told: list[tuple[str, str, Any]] = []
        self.status = status

    async def answer(self, request: Request) -> Response:
        """Take anything."""
        body = await request.body()
        if request.method != "GET":
            self.told.append(
                (request.method, request.path_params["path"], json.loads(body) if body else None)
            )
            if self.status != 200:
                error = {"code": "bad_silence", "message": "comment: say why", "param": "comment"}
                return JSONResponse({"error": error}, self.status)
        if request.path_params["path"].endswith("/export"):
            return PlainTextResponse("# payment is in trouble\n", media_type="text/markdown")
        return JSONResponse({"data": []})


def send(listening: Listening, method: str, path: str, **form: str) -> httpx.Response:
    """Send a form, as a browser does from our own page."""
    inner = Starlette(
        routes=[Route("/api/v1/{path:path}", listening.answer, methods=["GET", "POST", "DELETE"])]
    )
    app = create_app(Api(httpx.AsyncClient(transport=httpx.ASGITransport(app=inner), base_url="http://api")))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fuse") as client:
            headers = {"sec-fetch-site": "same-origin"}
            return await client.request(method, path, data=form or None, headers=headers)

    return asyncio.run(ask())


FORM = {"matchers": "service=cart", "created_by": "ana", "comment": "deploy", "duration": "2h", "ends_at": ""}


def test_a_silence_is_made_as_the_form_says() -> None:
    """Empty fields are left out; the way back keeps the time range."""
    listening = Listening()
    answer = send(listening, "POST", "/silences?start=-6h&end=now&env=demo", **FORM)

    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/silences")
    assert "env=demo" in answer.headers["location"]
    content = {"matchers": "service=cart", "created_by": "ana", "comment": "deploy", "duration": "2h"}
    assert listening.told == [("POST", "silences", content)]


def test_a_window_that_comes_back_needs_no_end() -> None:
    """Its days, times and zone; the duration of the other form is not meant."""
    listening = Listening()
    window = {
        "window_start": "22:00",
        "window_end": "04:00",
        "timezone": "Europe/Berlin",
        "sat": "1",
        "sun": "1",
    }
    send(listening, "POST", "/silences", **{**FORM, **window, "id": "5f0c"})

    ((_, _, content),) = listening.told
    assert content["schedule"] == {
        "weekdays": ["sat", "sun"],
        "start": "22:00",
        "end": "04:00",
        "timezone": "Europe/Berlin",
    }
    assert content["id"] == "5f0c"
    assert "duration" not in content


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("/silences/5f0c/end", {"x": ""}, ("DELETE", "silences/5f0c", None)),
        ("/incidents/1f3a/ack", {"by": "ana"}, ("POST", "incidents/1f3a/ack", {"by": "ana", "text": ""})),
        (
            "/incidents/1f3a/note",
            {"by": "ana", "text": "disk full"},
            ("POST", "incidents/1f3a/note", {"by": "ana", "text": "disk full"}),
        ),
        (
            "/incidents/1f3a/resolve",
            {"by": "ana"},
            ("POST", "incidents/1f3a/resolve", {"by": "ana", "text": ""}),
        ),
        (
            "/incidents/1f3a/merge",
            {"by": "ana", "into": "77aa"},
            ("POST", "incidents/1f3a/merge", {"by": "ana", "text": "", "into": "77aa"}),
        ),
    ],
)
def test_what_people_do_reaches_the_api(path: str, form: dict[str, str], told: tuple[str, str, Any]) -> None:
    """Each button is one call."""
    listening = Listening()
    answer = send(listening, "POST", path, **form)

    assert answer.status_code == 303
    assert listening.told == [told]


def test_a_refusal_is_shown_with_its_reason() -> None:
    """Nothing was silenced, and why."""
    answer = send(Listening(400), "POST", "/silences", **FORM)

    assert answer.status_code == 400
    assert "Nothing was silenced" in answer.text
    assert "comment: say why" in answer.text


def test_the_export_is_a_file() -> None:
    """Markdown under a name, inert in the browser."""
    answer = send(Listening(), "GET", "/incidents/1f3a/export")

    assert answer.text == "# payment is in trouble\n"
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["content-security-policy"].startswith("sandbox")
