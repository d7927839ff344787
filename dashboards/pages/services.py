"""Services: every one of them, to be sorted and narrowed, with the course of its numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.charts import amount
from dashboards.pages.page import Page, Visit
from dashboards.pages.service_row import HEALTH_ORDER, ServiceRow, service_rows
from dashboards.render import Help
from dashboards.window import BadParameterError

SHOWN = 300
"""More rows than anybody reads; the rest is found by narrowing."""

Key = Callable[[ServiceRow], tuple[object, ...]]


def _largest(name: str) -> Key:
    def key(each: ServiceRow) -> tuple[object, ...]:
        value = amount(each.row.get(name))
        return (value is None, -(value or 0.0), each.service, each.env)

    return key


SORTS: Mapping[str, Key] = {
    "health": lambda each: (HEALTH_ORDER.index(each.health), each.service, each.env),
    "service": lambda each: (each.service, each.env),
    "owner": lambda each: (each.owner == "", each.owner, each.service),
    "rate": _largest("rate"),
    "errors": _largest("error_ratio"),
    "p95": _largest("p95_ms"),
}
"""How the list may be ordered: numbers largest first, what is unknown last."""


@dataclass(frozen=True)
class ServicesContext:
    """Everything the Services page shows."""

    services: Annotated[Section, Help("GET /services.")]
    courses: Annotated[Section, Help("GET /courses/services: without it the small pictures are missing.")]
    rows: Annotated[tuple[ServiceRow, ...], Help("What matches, in the chosen order.")]
    more: Annotated[int, Help("How many more match than are shown.")]
    counts: Annotated[
        tuple[tuple[str, int, str], ...], Help("(health, how many, link to only these), of all.")
    ]
    sort: Annotated[str, Help("How the list is ordered.")]
    sort_urls: Annotated[Mapping[str, str], Help("This page in each other order.")]
    named: Annotated[str, Help("Letters that a name or an owner must have; empty: any.")]
    health: Annotated[str, Help("Only services of this health; empty: any.")]
    everything_url: Annotated[str, Help("This page without filters.")]


async def load(visit: Visit) -> ServicesContext:
    """Ask for the services and their courses, keep and order what is asked for."""
    sort, named, health = visit.text("sort") or "health", visit.text("named"), visit.text("health")
    if sort not in SORTS:
        raise BadParameterError("sort", sort, f"write one of {', '.join(SORTS)}")
    if health not in ("", *HEALTH_ORDER):
        raise BadParameterError("health", health, f"write one of {', '.join(HEALTH_ORDER)}")
    services, courses = await asyncio.gather(
        visit.api.get("services", params=visit.question),
        visit.api.get("courses", "services", params=visit.question),
    )
    every = service_rows(services.rows, courses.rows, visit.window)
    rows = [each for each in every if _fits(each, named, health)]
    kept = {"named": named, "health": health}
    states = [each.health for each in every]
    return ServicesContext(
        services=services,
        courses=courses,
        rows=tuple(sorted(rows, key=SORTS[sort]))[:SHOWN],
        more=max(0, len(rows) - SHOWN),
        counts=tuple(
            (state, states.count(state), visit.window.url("services", health=state, sort=sort, named=named))
            for state in HEALTH_ORDER
            if state in states
        ),
        sort=sort,
        sort_urls={name: visit.window.url("services", sort=name, **kept) for name in SORTS},
        named=named,
        health=health,
        everything_url=visit.window.url("services"),
    )


def _fits(each: ServiceRow, named: str, health: str) -> bool:
    text = f"{each.service} {each.owner}".casefold()
    return (not health or each.health == health) and all(word in text for word in named.casefold().split())


PAGE = Page("/services", "services.html", "services", ServicesContext, load)
