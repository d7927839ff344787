"""Overview: is anything wrong, where, since when, because of what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.filters import health_slug, plural
from dashboards.pages.page import Page, Visit, changes, text_of
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help

HEALTH_ORDER = ("unhealthy", "degraded", "unknown", "healthy")
RECENT_TRANSITIONS = 12
CAUSES = 3
LIKELY_SCORE = 0.15
"""Below this a cause is a guess that costs more time than it saves."""
ASKED_TRANSITIONS = 100
"""More are asked for than shown: starts of processes are left out."""


@dataclass(frozen=True)
class OverviewContext:
    """Everything the front page shows."""

    services: Annotated[Section, Help("GET /services, worst health first.")]
    breakers: Annotated[Section, Help("GET /breakers: why the tiles are missing if it failed.")]
    alerts: Annotated[Section, Help("GET /alerts: pending, firing and resolved alerts.")]
    transitions: Annotated[Section, Help("GET /breakers/transitions, the newest few.")]
    tiles: Annotated[tuple[Tile, ...], Help("Breakers a person should look at, most urgent first.")]
    firing: Annotated[tuple[Row, ...], Help("Alerts that fire now, in the chosen environment.")]
    verdict: Annotated[
        str, Help("The state of the whole system in a word: healthy, degraded, unhealthy, unknown.")
    ]
    headline: Annotated[str, Help("One sentence: what is wrong, or that nothing is.")]
    since: Annotated[
        str, Help("When the earliest of the open breakers and firing alerts began; empty if none.")
    ]
    causes: Annotated[Section, Help("GET /causes, where something is wrong: the likeliest few.")]
    silent: Annotated[bool, Help("True if no service ever reported: show how to send something.")]


async def load(visit: Visit) -> OverviewContext:
    """Ask for services, breakers, alerts and the latest transitions at once."""
    api, question = visit.api, visit.question
    services, breakers, alerts, transitions = await asyncio.gather(
        api.get("services", params=question),
        api.get("breakers", params=question),
        api.get("alerts"),
        api.get("breakers", "transitions", params={**question, "limit": str(ASKED_TRANSITIONS)}),
    )
    services, transitions = worst_first(services), changes(transitions, RECENT_TRANSITIONS)
    troubled = tuple(each for each in tiles(breakers.rows, visit.window) if each.troubled)
    firing = tuple(
        row for row in alerts.rows if row.get("state") == "firing" and in_env(row, visit.window.env)
    )
    verdict, headline = summarise(services, breakers, troubled, firing)
    wrong = verdict in ("unhealthy", "degraded")
    causes = await api.get("causes", params={**question, "limit": str(CAUSES)}) if wrong else Section()
    silent = not services.problem and not services.rows and not breakers.rows
    return OverviewContext(
        services=services,
        breakers=breakers,
        alerts=alerts,
        transitions=transitions,
        tiles=troubled,
        firing=firing,
        verdict=verdict,
        headline=headline,
        since=began(troubled, firing),
        causes=likely(causes),
        silent=silent,
    )


def likely(causes: Section) -> Section:
    """Leave out what is too unlikely to look at."""
    rows = [
        row
        for row in causes.rows
        if isinstance(score := row.get("score"), int | float) and score >= LIKELY_SCORE
    ]
    return replace(causes, rows=tuple(rows))


def began(troubled: tuple[Tile, ...], firing: tuple[Row, ...]) -> str:
    """Say since when something is wrong: the earliest open breaker or firing alert; "" if none says."""
    opened = [text_of(each.row, "since") for each in troubled if each.state in ("open", "forced_open")]
    times = [text for text in [*opened, *(text_of(row, "since") for row in firing)] if text]
    return min(times, default="")


def worst_first(services: Section) -> Section:
    """Sort services by health, then by name."""

    def urgency(row: Row) -> tuple[int, str, str]:
        return (
            HEALTH_ORDER.index(health_slug(row.get("health"))),
            text_of(row, "service"),
            text_of(row, "env"),
        )

    return replace(services, rows=tuple(sorted(services.rows, key=urgency)))


def in_env(alert: Row, env: str) -> bool:
    """Say whether an alert concerns the chosen environment; one without an env concerns all."""
    labels = alert.get("labels")
    named = labels.get("env") if isinstance(labels, dict) else None
    return not env or named in (None, "", env)


def summarise(
    services: Section, breakers: Section, troubled: tuple[Tile, ...], firing: tuple[Row, ...]
) -> tuple[str, str]:
    """
    Say in one sentence what is wrong.

    Returns:
        (verdict, sentence). What could not be asked makes the verdict unknown, never healthy.
    """
    healths = [health_slug(row.get("health")) for row in services.rows]
    bad, weak = healths.count("unhealthy"), healths.count("degraded")
    opened = sum(1 for each in troubled if each.state in ("open", "forced_open"))
    parts = [
        plural(bad, "service") + " unhealthy" if bad else "",
        plural(weak, "service") + " degraded" if weak else "",
        plural(opened, "breaker") + " open" if opened else "",
        plural(len(firing), "alert") + " firing" if firing else "",
    ]
    said = ", ".join(part for part in parts if part)
    if said:
        return ("unhealthy" if bad or opened or firing else "degraded"), said
    if services.problem or breakers.problem:
        return "unknown", "The state of the system cannot be told"
    if not services.rows:
        return "unknown", "No service has reported in this time range"
    unknown = healths.count("unknown")
    if unknown:
        return "unknown", f"Nothing known to be wrong; {plural(unknown, 'service')} unknown"
    return "healthy", f"All {plural(len(healths), 'service')} healthy" if len(
        healths
    ) > 1 else "The service is healthy"


PAGE = Page("/", "overview.html", "overview", OverviewContext, load)
