"""One service: its verdict with evidence, RED over time, breakers, neighbours; the rest of it is in ``service_parts.py``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.charts import Chart, chart_of_rows
from dashboards.pages.page import Page, Visit, environments, quoted, rows_of
from dashboards.pages.service_parts import PARTS, errors_query, failing
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help
from dashboards.window import Window


@dataclass(frozen=True)
class ServiceContext:
    """Everything the page of one service shows."""

    answer: Annotated[Section, Help("GET /services/{service}.", decides_status=True)]
    environments: Annotated[
        tuple[tuple[str, str], ...], Help("(env, link) of each environment that has it, the shown one first.")
    ]
    service: Annotated[str, Help("The service's name, verbatim.")]
    row: Annotated[Row | None, Help("The service; None if nobody knows it.")]
    series: Annotated[
        tuple[Row, ...], Help("Rate (req/s), error ratio and latency quantiles (ms) per bucket.")
    ]
    charts: Annotated[tuple[Chart, ...], Help("Requests, errors and duration, then log records.")]
    log_counts: Annotated[tuple[Row, ...], Help("Log records per bucket: error, warn, total.")]
    breakers: Annotated[Section, Help("GET /breakers; its problem stands in place of the tiles.")]
    own: Annotated[tuple[Tile, ...], Help("Breakers this service holds.")]
    held_on_it: Annotated[tuple[Tile, ...], Help("Breakers others hold on this service: outside evidence.")]
    callers: Annotated[tuple[Row, ...], Help("Edges from services that call this one.")]
    callees: Annotated[tuple[Row, ...], Help("Edges to what this service calls.")]
    logs_url: Annotated[str, Help("All logs of the service in this time range.")]
    errors_url: Annotated[str, Help("Its error logs in this time range.")]
    traces_url: Annotated[str, Help("Its failing traces in this time range.")]


async def load(visit: Visit) -> ServiceContext:
    """Ask for the service and the breakers around it; what else the page shows comes as parts."""
    if len(visit.segments) != 2:
        raise HTTPException(404)
    service, question, api = visit.segments[1], visit.question, visit.api
    answer, breakers = await asyncio.gather(
        api.get("services", service, params=question), api.get("breakers", params=question)
    )
    row = answer.first or {}
    made = tiles(breakers.rows, visit.window)
    log_url, failing_url = (
        visit.window.url("logs", query=f"service:{quoted(service)}"),
        visit.window.url("traces", **failing(service)),
    )
    return ServiceContext(
        answer=answer,
        environments=environments(answer, visit.window, "services", service),
        service=service,
        row=answer.first,
        series=rows_of(row.get("series")),
        charts=charts(
            rows_of(row.get("series")),
            rows_of(row.get("logs")),
            visit.window,
            (("logs", log_url), ("failing traces", failing_url)),
        ),
        log_counts=rows_of(row.get("logs")),
        breakers=breakers,
        own=tuple(each for each in made if each.service == service),
        held_on_it=tuple(
            each for each in made if each.row.get("target") == service and each.service != service
        ),
        callers=rows_of(row.get("callers")),
        callees=rows_of(row.get("callees")),
        logs_url=log_url,
        errors_url=visit.window.url("logs", query=errors_query(service)),
        traces_url=failing_url,
    )


def charts(
    series: tuple[Row, ...], logs: tuple[Row, ...], window: Window, links: tuple[tuple[str, str], ...]
) -> tuple[Chart, ...]:
    """Draw rate, errors and duration over time, and the log records where there are any."""
    duration = (("p50_ms", "p50", "main"), ("p95_ms", "p95", "weak"), ("p99_ms", "p99", "bad"))
    counts = (("total", "all", "main"), ("warn", "warn", "weak"), ("error", "error", "bad"))
    made = (
        chart_of_rows(
            "rate", "Requests", "per_second", series, [("rate", "requests/s", "main")], window, links=links
        ),
        chart_of_rows(
            "errors", "Errors", "ratio", series, [("error_ratio", "errors", "bad")], window, links=links
        ),
        chart_of_rows("latency", "Duration", "ms", series, duration, window, links=links),
        chart_of_rows("logs", "Log records", "count", logs, counts, window, links=links[:1]),
    )
    return made if logs else made[:3]


PAGE = Page("/services/{rest:path}", "service.html", "services", ServiceContext, load, parts=PARTS)
