"""One breaker: what it is doing, what tripped it, who loses what, and its time line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.filters import state_slug
from dashboards.pages.page import Page, Visit, environments, quoted, rows_of, text_of
from dashboards.pages.tile import Tile, tile
from dashboards.render import Help
from dashboards.timestamps import NS_PER_S, nanoseconds
from dashboards.window import Window


@dataclass(frozen=True)
class Stretch:
    """A piece of an instance's time line in one state, in percent of the page's time range."""

    state: str
    x: float
    width: float
    since: str


@dataclass(frozen=True)
class Lane:
    """The time line of one instance."""

    instance: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class BreakerContext:
    """Everything the page of one breaker shows."""

    answer: Annotated[Section, Help("GET /breakers/{service}/{breaker}.", decides_status=True)]
    environments: Annotated[
        tuple[tuple[str, str], ...], Help("(env, link) of each environment that has it, the shown one first.")
    ]
    service: Annotated[str, Help("The service that holds the breaker.")]
    breaker: Annotated[str, Help("The breaker's name.")]
    tile: Annotated[Tile | None, Help("State, instances, cause; None if there is no such breaker.")]
    timeline: Annotated[tuple[Row, ...], Help("Transitions, newest first.")]
    lanes: Annotated[tuple[Lane, ...], Help("One time line per instance over the page's time range.")]
    blast: Annotated[Row | None, Help("Who loses this dependency: callers, endpoints, share of traffic.")]
    logs_url: Annotated[str, Help("Warnings and errors of the service in this time range.")]


async def load(visit: Visit) -> BreakerContext:
    """Ask for one breaker with its time line."""
    if len(visit.segments) != 3:
        raise HTTPException(404)
    service, breaker = visit.segments[1:]
    answer = await visit.api.get("breakers", service, breaker, params=visit.question)
    row = answer.first
    timeline = tuple(sorted(rows_of((row or {}).get("timeline")), key=_at, reverse=True))
    blast = (row or {}).get("blast_radius")
    return BreakerContext(
        answer=answer,
        environments=environments(answer, visit.window, "breakers", service, breaker),
        service=service,
        breaker=breaker,
        tile=tile(row, visit.window) if row else None,
        timeline=timeline,
        lanes=lanes(timeline, rows_of((row or {}).get("instances")), visit.window),
        blast=blast if isinstance(blast, dict) else None,
        logs_url=visit.window.url("logs", query=f"service:{quoted(service)} severity:>=warn"),
    )


def lanes(timeline: tuple[Row, ...], instances: tuple[Row, ...], window: Window) -> tuple[Lane, ...]:
    """
    Lay out when each instance was in which state.

    Before its first transition in the range an instance was in that transition's ``from``; without
    any transition it was in its present state since it has been (unknown before).
    """
    by_instance: dict[str, list[Row]] = {text_of(row, "instance"): [] for row in instances}
    for row in sorted(timeline, key=_at):
        by_instance.setdefault(text_of(row, "instance"), []).append(row)
    present = {text_of(row, "instance"): row for row in instances}
    return tuple(
        Lane(name, _stretches(rows, present.get(name, {}), window))
        for name, rows in sorted(by_instance.items())
    )


def _stretches(rows: list[Row], present: Row, window: Window) -> tuple[Stretch, ...]:
    start, end = (round(at.timestamp() * NS_PER_S) for at in (window.start, window.end))
    first = rows[0].get("from") if rows else present.get("state")
    changes = [(start, first, ""), *((_at(row), row.get("to"), text_of(row, "at")) for row in rows)]
    ends = [*(at for at, _, _ in changes[1:]), end]
    made = []
    for (begin, state, since), until in zip(changes, ends, strict=True):
        left, right = max(begin, start), min(until, end)
        if right > left:
            scale = 100 / (end - start)
            made.append(Stretch(state_slug(state), (left - start) * scale, (right - left) * scale, since))
    return tuple(made)


def _at(row: Row) -> int:
    try:
        return nanoseconds(text_of(row, "at"))
    except ValueError:
        return 0


PAGE = Page("/breakers/{rest:path}", "breaker.html", "breakers", BreakerContext, load)
