"""Queues: who sends, who takes, how far behind they are and whether that grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Visit
from dashboards.render import Help

MOST = "500"
STATES = {
    "stuck": "unhealthy", "growing": "unhealthy", "behind": "degraded", "draining": "degraded", "keeping_up": "healthy",
}  # fmt: skip


@dataclass(frozen=True)
class QueuesContext:
    """Everything the Queues page shows."""

    answer: Annotated[Section, Help("GET /queues in the time range, the worst first.", decides_status=True)]
    states: Annotated[dict[str, str], Help("Verdict -> the health whose shape it has.")]
    troubled: Annotated[int, Help("How many are stuck or growing.")]


async def load(visit: Visit) -> QueuesContext:
    """Ask for the queues."""
    answer = await visit.api.get("queues", params={**visit.question, "limit": MOST})
    troubled = sum(row.get("verdict") in ("stuck", "growing") for row in answer.rows)
    return QueuesContext(answer, STATES, troubled)


PAGE = Page("/queues", "queues.html", "queues", QueuesContext, load)
