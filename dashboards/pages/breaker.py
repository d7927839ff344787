"""One breaker: what it is doing, what tripped it, who loses what, and its time line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.pages.lanes import Lane, at_ns, lanes
from dashboards.pages.page import Page, Visit, environments, quoted, rows_of
from dashboards.pages.tile import Tile, tile
from dashboards.render import Help


@dataclass(frozen=True)
class BreakerContext:
    """Everything the page of one breaker shows."""

    answer: Annotated[Section, Help("GET /breakers/{service}/{breaker}.", decides_status=True)]
    environments: Annotated[
        tuple[tuple[str, str], ...], Help("(env, link) of each environment that has it, the shown one first.")
    ]
    service: Annotated[str, Help("The service that holds the breaker.")]
    breaker: Annotated[str, Help("The breaker's name.")]
    tile: Annotated[Tile | None, Help("State, instances, cause; None if there is no such breaker.")]
    timeline: Annotated[tuple[Row, ...], Help("Transitions, newest first.")]
    lanes: Annotated[tuple[Lane, ...], Help("One time line per instance over the page's time range.")]
    blast: Annotated[Row | None, Help("Who loses this dependency: callers, endpoints, share of traffic.")]
    upstream: Annotated[tuple[Row, ...], Help("Services further up that feel it, nearest first.")]
    entries: Annotated[tuple[Row, ...], Help("Services where users come in, with the routes that fail.")]
    logs_url: Annotated[str, Help("Warnings and errors of the service in this time range.")]


async def load(visit: Visit) -> BreakerContext:
    """Ask for one breaker with its time line."""
    if len(visit.segments) != 3:
        raise HTTPException(404)
    service, breaker = visit.segments[1:]
    answer = await visit.api.get("breakers", service, breaker, params=visit.question)
    row = answer.first
    timeline = tuple(sorted(rows_of((row or {}).get("timeline")), key=at_ns, reverse=True))
    told = (row or {}).get("blast_radius")
    blast = told if isinstance(told, dict) else None
    return BreakerContext(
        answer=answer,
        environments=environments(answer, visit.window, "breakers", service, breaker),
        service=service,
        breaker=breaker,
        tile=tile(row, visit.window) if row else None,
        timeline=timeline,
        lanes=lanes(timeline, rows_of((row or {}).get("instances")), visit.window),
        blast=blast,
        upstream=rows_of((blast or {}).get("upstream")),
        entries=rows_of((blast or {}).get("entries")),
        logs_url=visit.window.url("logs", query=f"service:{quoted(service)} severity:>=warn"),
    )


PAGE = Page("/breakers/{rest:path}", "breaker.html", "breakers", BreakerContext, load)
