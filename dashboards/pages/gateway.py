"""Gateway: who calls from outside, what, and who feels an outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Visit
from dashboards.render import Help

MOST = "300"
BY = ("auto", "client", "user", "agent", "address")


@dataclass(frozen=True)
class GatewayContext:
    """Everything the Gateway page shows."""

    answer: Annotated[
        Section,
        Help("GET /gateway in the time range: clients of services at the entry.", decides_status=True),
    ]
    service: Annotated[str, Help("Only this service; empty: every one at the entry.")]
    by: Annotated[str, Help("What tells clients apart.")]
    choices: Annotated[tuple[str, ...], Help("What may tell clients apart.")]
    feeling: Annotated[int, Help("How many clients feel an outage.")]


async def load(visit: Visit) -> GatewayContext:
    """Ask who calls."""
    service, by = visit.text("service"), visit.text("by") or "auto"
    asked = {**visit.question, "service": service, "by": by, "limit": MOST}
    answer = await visit.api.get("gateway", params=asked)
    feeling = sum(row.get("feels_outage") is True for row in answer.rows)
    return GatewayContext(answer, service, by, BY, feeling)


PAGE = Page("/gateway", "gateway.html", "gateway", GatewayContext, load)
