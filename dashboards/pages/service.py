"""One service: its verdict with evidence, RED over time, breakers, neighbours, latest errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, environments, quoted, rows_of
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help

RECENT_ERRORS = 15
RECENT_TRACES = 10


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
    log_counts: Annotated[tuple[Row, ...], Help("Log records per bucket: error, warn, total.")]
    breakers: Annotated[Section, Help("GET /breakers; its problem stands in place of the tiles.")]
    own: Annotated[tuple[Tile, ...], Help("Breakers this service holds.")]
    held_on_it: Annotated[tuple[Tile, ...], Help("Breakers others hold on this service: outside evidence.")]
    callers: Annotated[tuple[Row, ...], Help("Edges from services that call this one.")]
    callees: Annotated[tuple[Row, ...], Help("Edges to what this service calls.")]
    errors: Annotated[Section, Help("GET /logs: the newest error records.")]
    traces: Annotated[Section, Help("GET /traces: the newest failing traces.")]
    logs_url: Annotated[str, Help("All logs of the service in this time range.")]
    errors_url: Annotated[str, Help("Its error logs in this time range.")]
    traces_url: Annotated[str, Help("Its failing traces in this time range.")]


async def load(visit: Visit) -> ServiceContext:
    """Ask for the service, the breakers around it, its newest errors and failing traces."""
    if len(visit.segments) != 2:
        raise HTTPException(404)
    service, question, api = visit.segments[1], visit.question, visit.api
    errors_query = f"service:{quoted(service)} severity:>=error"
    failing = {"service": service, "error": "true"}
    answer, breakers, errors, traces = await asyncio.gather(
        api.get("services", service, params=question),
        api.get("breakers", params=question),
        api.get("logs", params={**question, "query": errors_query, "limit": str(RECENT_ERRORS)}),
        api.get("traces", params={**question, **failing, "limit": str(RECENT_TRACES)}),
    )
    row = answer.first or {}
    made = tiles(breakers.rows, visit.window)
    return ServiceContext(
        answer=answer,
        environments=environments(answer, visit.window, "services", service),
        service=service,
        row=answer.first,
        series=rows_of(row.get("series")),
        log_counts=rows_of(row.get("logs")),
        breakers=breakers,
        own=tuple(each for each in made if each.service == service),
        held_on_it=tuple(
            each for each in made if each.row.get("target") == service and each.service != service
        ),
        callers=rows_of(row.get("callers")),
        callees=rows_of(row.get("callees")),
        errors=errors,
        traces=traces,
        logs_url=visit.window.url("logs", query=f"service:{quoted(service)}"),
        errors_url=visit.window.url("logs", query=errors_query),
        traces_url=visit.window.url("traces", **failing),
    )


PAGE = Page("/services/{rest:path}", "service.html", "overview", ServiceContext, load)
