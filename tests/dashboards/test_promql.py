"""PromQL's answers as charts: gaps, names, units, exemplars."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.pages.sql import as_csv, as_ndjson
from dashboards.promql import SERIES_SHOWN, Drawn, draw, step_s, suggested_unit, told_apart
from dashboards.window import read_window
from tests.dashboards.document import get
from tests.dashboards.recorded_api import pages_over

NOW = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
END = NOW.timestamp()


def drawn(result: list[Any], exemplars: object = (), status: int = 200) -> Drawn:
    """Draw what an API answers."""

    async def answer(request: Request) -> JSONResponse:
        data: Any = (
            exemplars if "exemplars" in request.url.path else {"resultType": "matrix", "result": result}
        )
        return JSONResponse({"status": "success", "data": data}, status)

    async def ask() -> Drawn:
        transport = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", answer)]))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await draw(Api(client).of_caller(""), read_window({}, NOW), "q1", "up")

    return asyncio.run(ask())


def series(values: list[Any], **labels: str) -> dict[str, Any]:
    """One series of a matrix."""
    return {"metric": labels, "values": values}


def test_what_is_missing_is_a_gap() -> None:
    """NaN, infinities, texts that are no number and missing points are None; the times are those of all series."""
    made = drawn([
        series([[END - 120, "1"], [END - 60, "NaN"], [END, "+Inf"]], a="x"),
        series([[END - 120, "2"], [END, "bad"]], a="y"),
    ])  # fmt: skip

    assert made.chart is not None
    assert made.chart.times == (END - 120, END - 60, END)
    assert {line.label: line.values for line in made.chart.lines} == {
        "a=x": (1, None, None),
        "a=y": (2, None, None),
    }


def test_the_largest_series_are_shown() -> None:
    """Of more than fifty; how many are left out is said."""
    made = drawn([series([[END, str(number)]], n=str(number)) for number in range(60)])

    assert made.chart is not None
    assert (len(made.chart.lines), made.hidden) == (SERIES_SHOWN, 10)
    assert made.chart.lines[0].label == "n=59"


@pytest.mark.parametrize(
    "result", [[], [{}], [{"metric": 1, "values": "x"}], [series([[1], "x", [None, "1"]])], ["text"]]
)
def test_answers_nobody_can_read_draw_nothing_and_break_nothing(result: list[Any]) -> None:
    """Half-finished and other shapes."""
    made = drawn(
        result, [{"exemplars": [{"labels": {}}, "x", {"labels": {"trace_id": "a"}, "value": "NaN"}]}, {}]
    )

    assert made.chart is None or made.chart.empty


def test_exemplars_lead_to_their_traces() -> None:
    """Whatever spelling the trace's id has; those without one are left out."""
    one = {"labels": {"traceID": "ab" * 16}, "value": "3", "timestamp": END - 5}
    made = drawn(
        [series([[END, "1"]])],
        [{"seriesLabels": {"service_name": "cart"}, "exemplars": [one, {**one, "labels": {"x": "y"}}]}],
    )

    assert made.chart is not None
    (exemplar,) = made.chart.exemplars
    assert (exemplar.value, exemplar.label) == (3, "service_name=cart")
    assert exemplar.url.startswith("/traces/abab")


def test_labels_that_all_have_are_left_out() -> None:
    """What tells series apart stays; one series has all of it; equal ones have something."""
    assert told_apart([{"a": "1", "b": "x"}, {"a": "1", "b": "y"}], "q") == ["b=x", "b=y"]
    assert told_apart([{"__name__": "up", "a": "1"}], "q") == ["up a=1"]
    assert told_apart([{}], "sum(up)") == ["sum(up)"]
    assert told_apart([{"a": "1"}, {"a": "1"}], "q") == ["a=1", "a=1"]


@pytest.mark.parametrize(
    ("query", "unit"),
    [
        ("up", ""),
        ("rate(http_requests_total[5m])", "per_second"),
        ("process_resident_memory_bytes", "bytes"),
        ("rate(net_bytes_total[5m])", "bytes_per_second"),
        ("histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", "s"),
        ("rate(a_total[5m]) / rate(b_total[5m])", ""),
        ("rate(d_seconds_sum[5m]) / rate(d_seconds_count[5m])", ""),
    ],
)
def test_names_suggest_units(query: str, unit: str) -> None:
    """Seconds, bytes, rates; nothing where two rates are divided."""
    assert suggested_unit(query) == unit


def test_steps_fit_the_range() -> None:
    """About 240 points from a minute to a year."""
    for start, step in (("-1m", 1), ("-1h", 15), ("-1d", 600), ("-30d", 14_400), ("-365d", 172_800)):
        assert step_s(read_window({"start": start}, NOW)) == step, start
    assert timedelta(days=365).total_seconds() / 172_800 < 240


def test_completion_asks_the_api_as_the_visitor() -> None:
    """Metrics with what they are, labels of one, values of a label."""
    app = pages_over("shop")

    assert get(app, "/graph/complete").json()["found"] == [
        {"label": "http_requests_total", "about": "counter Requests served."}
    ]
    labels = get(app, "/graph/complete?of=labels&metric=up").json()["found"]
    assert [each["label"] for each in labels] == ["__name__", "service_name", "route"]
    values = get(app, "/graph/complete?of=values&label=service_name").json()["found"]
    assert [each["label"] for each in values] == ["cart", "payment"]
    assert get(pages_over("locked"), "/graph/complete").status_code == 401
    assert get(app, "/graph/complete?of=values&label=..%2F..%2Fx").status_code == 404


def test_rows_are_taken_away_as_files() -> None:
    """CSV that no spreadsheet runs, NDJSON as it is; wrong formats and statements are told."""
    rows = [
        {"a": "=1+1", "b": None, "c": {"k": [1]}, "d": 1.5},
        {"a": 'x"\n,', "b": "@y", "c": {}, "d": True},
    ]

    assert "".join(as_csv(rows)) == 'a,b,c,d\r\n\'=1+1,,"{""k"": [1]}",1.5\r\n"x""\n,",\'@y,{},True\r\n'
    assert "".join(as_ndjson(rows)).count("\n") == 2
    answer = get(pages_over("shop"), "/sql/export?query=SELECT+1&format=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="fuseboard.csv"'
    assert answer.text.splitlines()[0] == "service,n,body"
    assert get(pages_over("shop"), "/sql/export?query=SELECT+1&format=exe").status_code == 400
    assert get(pages_over("down"), "/sql/export?query=SELECT+1").status_code == 503
