"""Metrics: PromQL as charts, one for each query, with exemplars; names to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.api import CallerApi, Row, Section
from dashboards.charts import UNITS
from dashboards.pages.page import Page, Visit, quoted, text_of
from dashboards.promql import Drawn, draw
from dashboards.render import Help
from dashboards.timestamps import rfc3339
from dashboards.window import Window, read_window

QUERIES = 6
NAMES_SHOWN = 300
NAMES_MOST = "5000"


@dataclass(frozen=True)
class MetricName:
    """One metric to choose."""

    row: Row
    url: str


@dataclass(frozen=True)
class MetricsContext:
    """Everything the Metrics page shows."""

    queries: Annotated[tuple[str, ...], Help("PromQL expressions, as typed, and an empty one to add.")]
    unit: Annotated[str, Help("How numbers are written; empty: as the names suggest.")]
    units: Annotated[tuple[str, ...], Help("Units to choose from.")]
    drawn: Annotated[tuple[Drawn, ...], Help("Each query's answer.")]
    problem: Annotated[
        Section, Help("The first query's problem: a wrong query is the page's 400.", decides_status=True)
    ]
    names: Annotated[Section, Help("GET /metrics/metadata, while no query is asked.")]
    chosen: Annotated[tuple[MetricName, ...], Help("Metrics whose name or help has what is looked for.")]
    find: Annotated[str, Help("What metrics are looked for, as typed.")]
    board_query: Annotated[dict[str, str], Help("The queries as parameters of a new panel.")]


async def load(visit: Visit) -> MetricsContext:
    """Draw each query; without one, offer the names."""
    asked = [query for number in range(1, QUERIES + 1) if (query := visit.text(f"q{number}"))]
    unit = visit.text("unit")
    drawings = [draw(visit.api, visit.window, f"q{n}", query, unit=unit) for n, query in enumerate(asked, 1)]
    names = [] if asked else [visit.api.prometheus("metadata", params={"limit": NAMES_MOST})]
    results = await asyncio.gather(*drawings, *names)
    drawn = tuple(each for each in results if isinstance(each, Drawn))
    metadata = next((each for each in results if isinstance(each, Section)), Section())
    find = visit.text("find")
    return MetricsContext(
        queries=(*asked, "")[:QUERIES],
        unit=unit,
        units=UNITS[1:],
        drawn=drawn,
        problem=next((each.answer for each in drawn if each.answer.problem), Section()),
        names=metadata,
        chosen=_chosen(metadata.rows, find, visit.window),
        find=find,
        board_query={f"q{number}": query for number, query in enumerate(asked, 1)},
    )


def _chosen(rows: tuple[Row, ...], find: str, window: Window) -> tuple[MetricName, ...]:
    fitting = [
        row for row in rows if find.lower() in f"{text_of(row, 'name')} {text_of(row, 'help')}".lower()
    ]
    ordered = sorted(fitting, key=lambda row: text_of(row, "name"))[:NAMES_SHOWN]
    return tuple(MetricName(row, window.url("graph", q1=first_query(row))) for row in ordered)


def first_query(row: Row) -> str:
    """Write what one asks of a metric first: counters per second, histograms their 95th percentile."""
    name, kind = text_of(row, "name"), text_of(row, "type")
    if kind == "counter":
        return f"sum by (job) (rate({name}[5m]))"
    if kind == "histogram":
        return f"histogram_quantile(0.95, sum by (le, job) (rate({name}_bucket[5m])))"
    return name


async def complete(api: CallerApi, request: Request, now: datetime) -> Response:
    """Answer what may be written at a place of a query: metrics, labels of one, values of a label."""
    asked = request.query_params
    window = read_window(asked, now)
    ends = {"start": rfc3339(window.start), "end": rfc3339(window.end), "limit": NAMES_MOST}
    selected = {"match[]": f"{{__name__={quoted(asked['metric'])}}}"} if asked.get("metric") else {}
    if asked.get("of") == "labels":
        found = await api.prometheus("labels", params={**ends, **selected})
    elif asked.get("of") == "values":
        found = await api.prometheus("label", asked.get("label", ""), "values", params={**ends, **selected})
    else:
        found = await api.prometheus("metadata", params={"limit": NAMES_MOST})
    status = found.problem.status if found.problem else 200
    options = [option for row in found.rows for option in _options(row)]
    return JSONResponse({"found": options}, status, {"Cache-Control": "no-store"})


def _options(row: Row) -> list[Mapping[str, str]]:
    """Give what may be written for one name; a histogram's series end in three ways."""
    if "value" in row:
        return [{"label": text_of(row, "value"), "about": ""}]
    about = " ".join(text for text in (text_of(row, "type"), text_of(row, "help")) if text)
    endings = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum")}.get(
        text_of(row, "type"), ("",)
    )
    return [{"label": text_of(row, "name") + ending, "about": about} for ending in endings]


PAGE = Page("/graph", "metrics.html", "metrics", MetricsContext, load)
