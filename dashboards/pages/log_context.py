"""One log record among its neighbours: what its source wrote before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.logs import LogRow, log_row
from dashboards.pages.page import Page, Visit
from dashboards.render import Help

NEIGHBOURS = 20
NEIGHBOURS_MOST = 500


@dataclass(frozen=True)
class LogContextContext:
    """Everything the page shows."""

    id: Annotated[str, Help("The record, as batch and line.")]
    answer: Annotated[Section, Help("GET /logs/{id}/context: neighbours, oldest first.", decides_status=True)]
    rows: Annotated[tuple[LogRow, ...], Help("The record among its neighbours, with their links.")]
    more_url: Annotated[str, Help("More neighbours on both sides; empty at the most.")]


async def load(visit: Visit) -> LogContextContext:
    """Ask for the neighbours of one record."""
    identifier = visit.text("id")
    around = visit.count("around", NEIGHBOURS, NEIGHBOURS_MOST)
    answer = await visit.api.get(
        "logs", identifier or "-", "context", params={"before": str(around), "after": str(around)}
    )
    more = min(around * 4, NEIGHBOURS_MOST)
    return LogContextContext(
        id=identifier,
        answer=answer,
        rows=tuple(log_row(row, visit.window, identifier) for row in answer.rows),
        more_url=visit.window.url("logs", "context", id=identifier, around=more) if more > around else "",
    )


PAGE = Page("/logs/context", "log_context.html", "logs", LogContextContext, load)
