"""The Traces page: what is selected, what is asked for it, and what the links say."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over, shop
from tests.dashboards.recorded_shop import TRACE
from tests.dashboards.recorded_traces import pages_of_trace
from tests.dashboards.test_waterfall import span

SELECTED = "/traces?selected_min_ms=300&service=checkout&selected_start=2026-11-22T03:00:00.000000000Z"


def listening() -> tuple[Starlette, list[tuple[str, dict[str, str]]]]:
    """Give the pages over the shop, and what they ask it."""
    asked: list[tuple[str, dict[str, str]]] = []

    async def api(request: Request) -> JSONResponse:
        asked.append((request.path_params["path"], dict(request.query_params)))
        return await shop(request)

    transport = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", api)]))
    return create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"))), asked


def test_without_a_selection_nothing_is_compared() -> None:
    """The map offers what can be compared: the failing, the slowest, any cell, any duration."""
    page = read(pages_over("shop"), "/traces").page

    assert not page.having(data_testid="comparison")
    (failing,) = page.having(data_testid="select-failing")
    (slowest,) = page.having(data_testid="select-slowest")
    assert "selected_error=true" in failing.attributes["href"]
    assert "selected_min_ms=500" in slowest.attributes["href"]
    assert len([a for a in page.tags("a") if "selected_max_ms" in a.attributes["href"]]) == 60 * 4 + 11


def test_a_selection_narrows_the_list_and_not_the_map() -> None:
    """The list asks for the narrower of filter and selection, the map for the filters, the comparison for both."""
    app, asked = listening()

    read(app, SELECTED + "&min_duration_ms=20&start=2026-11-22T02:00:00Z&end=2026-11-22T04:00:00Z")

    said = dict(asked)
    assert said["traces"]["min_duration_ms"] == "300"
    assert said["traces"]["start"] == "2026-11-22T03:00:00.000000000Z"
    assert said["traces/heatmap"]["min_duration_ms"] == "20"
    assert said["traces/heatmap"]["start"].startswith("2026-11-22T02:00")
    assert said["traces/compare"]["selected_min_ms"] == "300"
    assert {each["service"] for path, each in asked if path.startswith("traces")} == {"checkout"}


def test_what_sets_them_apart_is_one_click_from_its_traces() -> None:
    """Each value links to the traces of its service that have it, other filters kept; the selection can be undone."""
    page = read(pages_over("shop"), SELECTED).page

    pairs = page.having(data_testid="pair")
    assert [pair.tags("td")[1].text for pair in pairs] == [
        "db.instance", "service.version", "customer.tier", "cache.hit",
    ]  # fmt: skip
    link = parse_qs(urlsplit(pairs[0].tags("a")[0].attributes["href"]).query)
    assert (link["query"], link["service"]) == (['db.instance:"replica-2"'], ["payment"])
    (undo,) = page.having(data_testid="unselect")
    assert "selected" not in undo.attributes["href"]
    assert "service=checkout" in undo.attributes["href"]


@pytest.mark.parametrize(
    "parameter",
    [
        "min_duration_ms=soon",
        "max_duration_ms=-1",
        "selected_min_ms=nan",
        "selected_start=noon",
        "order=oldest",
    ],
)
def test_what_cannot_be_read_is_said(parameter: str) -> None:
    """A wrong parameter is a 400 that names it."""
    answer = read(pages_over("shop"), f"/traces?{parameter}")

    assert answer.status == 400
    assert parameter.partition("=")[0] in answer.page.text


def test_a_trace_of_ten_thousand_spans_is_a_page_one_can_read() -> None:
    """The telling rows, folds that lead to the others, and all rows in order behind a link."""
    spans = [span("root", ms=10_000), *(span(f"{i:016x}", "root", i, 0.5) for i in range(9999))]
    app = pages_of_trace(spans)

    telling = read(app, f"/traces/{TRACE}").page
    part = read(app, f"/traces/{TRACE}?row=401").page

    assert len(telling.having(data_testid="trace-span")) <= 400
    fold = telling.having(data_testid="fold")[0].tags("a")[0]
    assert "row=" in fold.attributes["href"]
    assert len(part.having(data_testid="trace-span")) == 400
    assert "rows 401 to 800 of 10,000" in part.having(data_testid="part")[0].text
    assert read(app, f"/traces/{TRACE}?row=0").status == 400


def test_what_is_wrong_with_a_trace_is_said_at_its_top() -> None:
    """Missing parents, moved clocks, spans left out, one sent twice; huge values are cut and say so."""
    spans = [
        span("a", ms=100) | {"attributes": {"sql": "x" * 9000}},
        span("b", "a", 5) | {"skew_ns": 5_000_000, "adjusted_start": "2026-11-22T03:00:00.005Z"},
        span("a", "", 1) | {"duplicate": True},
        span("c", "gone", 5),
    ]

    page = read(
        pages_of_trace(spans, missing_parents=[{"span_id": "gone", "children": 1}], spans_total=30_000),
        f"/traces/{TRACE}",
    ).page

    assert (
        "29,996 later spans of this trace are stored but not read here"
        in page.having(data_testid="left-out")[0].text
    )
    assert "1 parent not received" in page.having(data_testid="missing-parents")[0].text
    assert "clocks differ: 1 span moved" in page.having(data_testid="skewed")[0].text
    assert "clock +5 ms" in page.text
    assert "sent twice" in page.text
    assert "(5,000 more characters)" in page.text
    assert len(page.having(data_testid="missing-parent")) == 1
