"""Composing a dashboard: adding, moving, sizing, importing, and nobody's change lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from dashboards.pages.board import edited
from tests.dashboards.document import get, read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_panels import PANELS

BOARD = {
    "id": "b1",
    "name": "Cart",
    "description": "",
    "panels": PANELS,
    "revision": 3,
    "updated_at": "",
    "updated_by": "",
}


def sent(path: str, form: Mapping[str, str]) -> tuple[httpx.Response, list[tuple[str, str, Any]]]:
    """Send a form to the pages over an API with one dashboard; the answer and what the API was told."""
    told: list[tuple[str, str, Any]] = []

    async def api(request: Request) -> JSONResponse:
        if request.method != "GET":
            body = await request.body()
            told.append((request.method, request.path_params["path"], json.loads(body) if body else None))
        return JSONResponse({"data": [BOARD]})

    async def ask() -> httpx.Response:
        outer = httpx.ASGITransport(app=_over(api))
        async with httpx.AsyncClient(transport=outer, base_url="http://127.0.0.1") as client:
            return await client.post(path, data=dict(form), headers={"sec-fetch-site": "same-origin"})

    return asyncio.run(ask()), told


SHOWN = ("service_name=cart", "checkout › payment", "03:13:00 194 2 40", "charge failed")


@pytest.mark.parametrize(("index", "text"), [*enumerate(SHOWN)])
def test_each_panel_is_a_part_of_its_own(index: int, text: str) -> None:
    """The page reserves its place; its own address shows it."""
    page = read(pages_over("shop"), "/boards/b0a2d1?start=-6h")
    (place,) = page.page.having(data_testid=f"part-panel-{index}")
    part = read(pages_over("shop"), place.attributes["hx-get"])

    assert place.attributes["hx-get"].startswith("/boards/b0a2d1?")
    assert text in part.page.text
    assert not part.page.having(data_testid="problem")


def test_without_scripts_all_panels_come_with_the_page() -> None:
    """A link leads there, in the same time range."""
    page = read(pages_over("shop"), "/boards/b0a2d1?start=-6h")
    (link,) = [a.attributes["href"] for a in page.page.tags("a") if "all panels" in a.text]
    whole = read(pages_over("shop"), link)

    assert "start=-6h" in link
    for text in (*SHOWN, "Whom to call: team-pay"):
        assert text in whole.page.text


def test_a_board_waits_for_none_of_its_panels() -> None:
    """The frame asks for the dashboard alone: with everything else never answering, it comes."""
    asked: list[str] = []

    async def api(request: Request) -> JSONResponse:
        asked.append(request.path_params["path"])
        return JSONResponse({"data": [BOARD]})

    answer = get(_over(api), "/boards/b1")

    assert answer.status_code == 200
    assert sorted(asked) == ["dashboards/b1", "pipeline", "session"]


def test_a_panel_that_fails_says_so_in_its_place() -> None:
    """The others are not asked again, and stand."""

    async def api(request: Request) -> JSONResponse:
        if request.path_params["path"].startswith("logs"):
            return JSONResponse({"error": {"code": "query_too_expensive", "message": "too much"}}, 422)
        return JSONResponse({"data": [BOARD]})

    kinds = [panel["kind"] for panel in PANELS]
    failed = get(_over(api), f"/boards/b1?part=panel-{kinds.index('logs')}")
    fine = get(_over(api), f"/boards/b1?part=panel-{kinds.index('breakers')}")

    assert "too much" in failed.text
    assert "too much" not in fine.text


@pytest.mark.parametrize(
    "which", ["panel", "panel-", "panel-9", "panel--1", "panel-x", "panel-" + "9" * 5000]
)
def test_a_panel_that_is_not_there_any_more_says_so(which: str) -> None:
    """Somebody removed it while the page stood."""
    assert "This panel was removed" in get(pages_over("shop"), f"/boards/b0a2d1?part={which}").text


def _over(api: Any) -> Starlette:
    inner = httpx.ASGITransport(
        app=Starlette(routes=[Route("/api/v1/{path:path}", api, methods=["GET", "POST", "PUT", "DELETE"])])
    )
    return create_app(Api(httpx.AsyncClient(transport=inner, base_url="http://127.0.0.1")))


def test_a_panel_is_added_at_the_end() -> None:
    """Queries one a line; back to the form, at the new panel, in the same time range."""
    form = {"kind": "metric", "title": "Up", "queries": "up\n\n sum(up) \n", "unit": "count", "text": "no"}
    answer, told = sent("/boards/b1/panels?start=-6h", form)

    assert answer.headers["location"].startswith("/boards/b1?start=-6h")
    assert answer.headers["location"].endswith("edit=1#panel-last")
    ((method, path, body),) = told
    assert (method, path, body["revision"], len(body["panels"])) == ("PUT", "dashboards/b1", 3, 6)
    assert body["panels"][-1] == {
        "kind": "metric",
        "title": "Up",
        "queries": ["up", "sum(up)"],
        "text": "",
        "unit": "count",
    }


def test_a_button_moves_the_panel_of_the_revision_that_was_shown() -> None:
    """The revision of the form goes along, so that the API refuses what somebody else changed."""
    _, told = sent("/boards/b1/panels/0", {"do": "down", "revision": "2"})

    ((_, _, body),) = told
    assert body["revision"] == 2
    assert [panel["title"] for panel in body["panels"]][:2] == ["", "Requests"]


@pytest.mark.parametrize(
    ("index", "do", "expected"),
    [
        (0, "up", "ABC"), (0, "down", "BAC"), (2, "down", "ABC"), (2, "up", "ACB"), (1, "remove", "AC"), (7, "remove", "ABC"),
        (0, "nonsense", "ABC"), (0, "", "ABC"),
    ],
)  # fmt: skip
def test_what_buttons_do_to_the_order(index: int, do: str, expected: str) -> None:
    """Ends stay ends; what is not there is not changed."""
    panels = [{"title": title, "width": 6, "height": 2} for title in "ABC"]

    assert "".join(panel["title"] for panel in edited(panels, index, do, {})) == expected


@pytest.mark.parametrize(
    ("do", "width", "height", "expected"),
    [("wider", 6, 2, (7, 2)), ("wider", 12, 2, (12, 2)), ("narrower", 2, 2, (2, 2)), ("taller", 6, 6, (6, 6)), ("shorter", 6, 1, (6, 1)), ("shorter", 6, 2, (6, 1))],
)  # fmt: skip
def test_what_buttons_do_to_the_size(do: str, width: int, height: int, expected: tuple[int, int]) -> None:
    """One step, within the bounds."""
    (panel,) = edited([{"width": width, "height": height}], 0, do, {})

    assert (panel["width"], panel["height"]) == expected


def test_an_export_can_be_imported() -> None:
    """The file has what a POST takes; importing leaves out what belongs to another one, and may rename it."""
    exported = get(pages_over("shop"), "/boards/b0a2d1/export")
    assert exported.headers["content-disposition"] == 'attachment; filename="Cart-at-a-glance.json"'
    assert set(exported.json()) == {"name", "description", "panels"}

    text = json.dumps({**exported.json(), "id": "x", "revision": 9})
    _, told = sent("/boards/import", {"json": text, "name": "Copy"})

    ((method, path, body),) = told
    assert (method, path) == ("POST", "dashboards")
    assert body == {**exported.json(), "name": "Copy"}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, '"<script>"'])
def test_what_is_no_export_is_told(text: str) -> None:
    """400, and the API is not asked."""
    answer, told = sent("/boards/import", {"json": text})

    assert answer.status_code == 400
    assert told == []


@pytest.mark.parametrize("number", ["x", "-1", "%00", "1e3", "9" * 40])
def test_panels_that_are_not_there(number: str) -> None:
    """Nothing happens to the others."""
    answer, told = sent(f"/boards/b1/panels/{number}", {"do": "remove"})

    assert answer.status_code in (303, 404)
    assert all(body["panels"] == PANELS for _, _, body in told)


def test_a_query_is_put_on_a_dashboard_that_is_chosen_or_new() -> None:
    """From the Metrics page."""
    _, on_it = sent("/boards/put", {"kind": "metric", "q1": "up", "q3": "x", "board": "b1"})
    _, on_new = sent("/boards/put", {"kind": "metric", "q1": "up", "name": "New"})

    assert on_it[0][2]["panels"][-1]["queries"] == ["up", "x"]
    assert (on_new[0][0], on_new[0][2]["name"]) == ("POST", "New")


def test_deleting_and_renaming() -> None:
    """Back to the list; back to the form."""
    deleted, told = sent("/boards/b1/delete", {})
    renamed, told_too = sent("/boards/b1/change", {"name": "Other", "description": "d"})

    assert deleted.headers["location"].startswith("/boards?")
    assert told == [("DELETE", "dashboards/b1", None)]
    assert renamed.status_code == 303
    assert told_too[0][2]["name"] == "Other"
