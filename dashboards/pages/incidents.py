"""Incidents: what wakes people, as stories instead of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.overview import in_env
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help

LIVING = ("open", "acknowledged")


@dataclass(frozen=True)
class IncidentsContext:
    """Everything the Incidents page shows."""

    answer: Annotated[Section, Help("GET /incidents: the newest first.", decides_status=True)]
    living: Annotated[tuple[Row, ...], Help("Open and acknowledged ones.")]
    ended: Annotated[tuple[Row, ...], Help("Resolved ones.")]


async def load(visit: Visit) -> IncidentsContext:
    """Ask for the incidents."""
    answer = await visit.api.get("incidents")
    rows = [row for row in answer.rows if in_env(row, visit.window.env)]
    return IncidentsContext(
        answer,
        tuple(row for row in rows if text_of(row, "state") in LIVING),
        tuple(row for row in rows if text_of(row, "state") not in LIVING),
    )


PAGE = Page("/incidents", "incidents.html", "incidents", IncidentsContext, load)
