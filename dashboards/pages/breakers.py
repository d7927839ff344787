"""The board: one tile per breaker, trouble first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Visit, changes
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help

RECENT_TRANSITIONS = 30
ASKED_TRANSITIONS = 200
"""More are asked for than shown: starts of processes are left out."""


@dataclass(frozen=True)
class BreakersContext:
    """Everything the board shows."""

    breakers: Annotated[Section, Help("GET /breakers; its problem stands in place of the tiles.")]
    transitions: Annotated[Section, Help("GET /breakers/transitions, newest first.")]
    troubled: Annotated[tuple[Tile, ...], Help("Tiles a person should look at, most urgent first.")]
    calm: Annotated[tuple[Tile, ...], Help("Closed breakers about which nothing is remarkable.")]
    counts: Annotated[tuple[tuple[str, int], ...], Help("(state, how many breakers), states that occur.")]


async def load(visit: Visit) -> BreakersContext:
    """Ask for the breakers and their newest transitions."""
    question = visit.question
    breakers, transitions = await asyncio.gather(
        visit.api.get("breakers", params=question),
        visit.api.get("breakers", "transitions", params={**question, "limit": str(ASKED_TRANSITIONS)}),
    )
    made = tiles(breakers.rows, visit.window)
    states = [each.state for each in made]
    return BreakersContext(
        breakers=breakers,
        transitions=changes(transitions, RECENT_TRANSITIONS),
        troubled=tuple(each for each in made if each.troubled),
        calm=tuple(each for each in made if not each.troubled),
        counts=tuple((state, states.count(state)) for state in dict.fromkeys(states)),
    )


PAGE = Page("/breakers", "breakers.html", "breakers", BreakersContext, load)
