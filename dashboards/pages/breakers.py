"""The board: one tile per breaker, trouble first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.lanes import Swimlanes, swimlanes
from dashboards.pages.page import Page, Visit, changes
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help

RECENT_TRANSITIONS = 30
ASKED_TRANSITIONS = 1000
"""More are asked for than listed: the time lines show them all."""


@dataclass(frozen=True)
class BreakersContext:
    """Everything the board shows."""

    breakers: Annotated[Section, Help("GET /breakers; its problem stands in place of the tiles.")]
    courses: Annotated[Section, Help("GET /courses/breakers: without it the small pictures are missing.")]
    transitions: Annotated[Section, Help("GET /breakers/transitions, newest first.")]
    swimlanes: Annotated[
        tuple[Swimlanes, ...], Help("Every breaker that changed in the range on one time axis, by service.")
    ]
    service: Annotated[str, Help("Only this service's breakers; empty: all.")]
    everything_url: Annotated[str, Help("The board of all services.")]
    troubled: Annotated[tuple[Tile, ...], Help("Tiles a person should look at, most urgent first.")]
    calm: Annotated[tuple[Tile, ...], Help("Closed breakers about which nothing is remarkable.")]
    counts: Annotated[tuple[tuple[str, int], ...], Help("(state, how many breakers), states that occur.")]


async def load(visit: Visit) -> BreakersContext:
    """Ask for the breakers, how they fared, and their transitions."""
    question, service = visit.question, visit.text("service")
    asked = {**question, "service": service}
    breakers, courses, transitions = await asyncio.gather(
        visit.api.get("breakers", params=asked),
        visit.api.get("courses", "breakers", params=question),
        visit.api.get("breakers", "transitions", params={**asked, "limit": str(ASKED_TRANSITIONS)}),
    )
    made = tiles(breakers.rows, visit.window, courses.rows)
    states = [each.state for each in made]
    return BreakersContext(
        breakers=breakers,
        courses=courses,
        transitions=changes(transitions, RECENT_TRANSITIONS),
        swimlanes=swimlanes(transitions.rows, breakers.rows, visit.window),
        service=service,
        everything_url=visit.window.url("breakers"),
        troubled=tuple(each for each in made if each.troubled),
        calm=tuple(each for each in made if not each.troubled),
        counts=tuple((state, states.count(state)) for state in dict.fromkeys(states)),
    )


PAGE = Page("/breakers", "breakers.html", "breakers", BreakersContext, load)
