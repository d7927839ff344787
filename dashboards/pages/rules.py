"""Rules: what is watched, by group, and whether each is evaluated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help

NOISE_SINCE = "-7d"
NOISE_RULES = "1000"
"""The most that the API gives; rules beyond them are among the quietest."""
_URGENCY = ("err", "firing", "pending")


@dataclass(frozen=True)
class Group:
    """The rules of one group, in the order of its file."""

    name: str
    file: str
    interval_s: object
    """Seconds between evaluations, as the API says it."""
    rules: tuple[Row, ...]


@dataclass(frozen=True)
class RulesContext:
    """Everything the Rules page shows."""

    answer: Annotated[Section, Help("GET /rules.", decides_status=True)]
    noise: Annotated[Section, Help("GET /alerts/noise of seven days.")]
    groups: Annotated[tuple[Group, ...], Help("Rules by group, as written.")]
    counts: Annotated[tuple[tuple[str, int], ...], Help("(what, how many): failing, firing, pending rules.")]
    fired: Annotated[Mapping[str, Row], Help("Rule id -> its row of the noise report.")]


async def load(visit: Visit) -> RulesContext:
    """Ask for the rules and how noisy they are."""
    answer, noise = await asyncio.gather(
        visit.api.get("rules"),
        visit.api.get("alerts", "noise", params={"start": NOISE_SINCE, "limit": NOISE_RULES}),
    )
    found = [word for row in answer.rows for word in (text_of(row, "health"), text_of(row, "state"))]
    words = zip(_URGENCY, ("failing", "firing", "pending"), strict=True)
    return RulesContext(
        answer=answer,
        noise=noise,
        groups=tuple(_groups(answer.rows)),
        counts=tuple((word, found.count(value)) for value, word in words if value in found),
        fired={text_of(row, "rule_id"): row for row in noise.rows},
    )


def _groups(rows: Iterable[Row]) -> Iterable[Group]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((text_of(row, "group"), text_of(row, "file")), []).append(row)
    for (name, file), rules in found.items():
        yield Group(name, file, rules[0].get("interval_s"), tuple(rules))


PAGE = Page("/rules", "rules.html", "rules", RulesContext, load)
