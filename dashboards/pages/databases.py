"""Databases: who uses them, and which several services share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Visit
from dashboards.render import Help


@dataclass(frozen=True)
class DatabasesContext:
    """Everything the Databases page shows."""

    answer: Annotated[
        Section, Help("GET /databases in the time range, shared ones first.", decides_status=True)
    ]
    shared: Annotated[int, Help("How many of them several services use.")]


async def load(visit: Visit) -> DatabasesContext:
    """Ask for the databases."""
    answer = await visit.api.get("databases", params=visit.question)
    return DatabasesContext(answer, sum(row.get("shared") is True for row in answer.rows))


PAGE = Page("/databases", "databases.html", "databases", DatabasesContext, load)
