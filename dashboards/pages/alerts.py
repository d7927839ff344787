"""Alerts: what fires, the rules behind it, and whether anyone was told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.overview import in_env
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help

ORDER = ("firing", "pending", "resolved")


@dataclass(frozen=True)
class AlertsContext:
    """Everything the Alerts page shows."""

    alerts: Annotated[Section, Help("GET /alerts in this environment: firing, pending, then resolved.")]
    rules: Annotated[Section, Help("GET /rules: what is watched.")]
    deliveries: Annotated[Section, Help("GET /deliveries: each webhook and what became of it.")]
    firing: Annotated[int, Help("How many alerts fire now.")]


async def load(visit: Visit) -> AlertsContext:
    """Ask for alerts, rules and deliveries."""
    alerts, rules, deliveries = await asyncio.gather(
        visit.api.get("alerts"), visit.api.get("rules"), visit.api.get("deliveries")
    )
    shown = sorted((row for row in alerts.rows if in_env(row, visit.window.env)), key=_urgency)
    firing = sum(1 for row in shown if row.get("state") == "firing")
    return AlertsContext(replace(alerts, rows=tuple(shown)), rules, deliveries, firing)


def _urgency(row: Row) -> tuple[int, str]:
    state = text_of(row, "state")
    return ORDER.index(state) if state in ORDER else len(ORDER), text_of(row, "rule")


PAGE = Page("/alerts", "alerts.html", "alerts", AlertsContext, load)
