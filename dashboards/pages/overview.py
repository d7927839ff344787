"""Overview: is anything wrong, where, since when, because of what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.filters import health_slug, percent, plural, web_link
from dashboards.pages.page import Page, Part, Visit, changes, rows_of, text_of
from dashboards.pages.service_row import ServiceRow, service_rows
from dashboards.pages.tile import Tile, tiles
from dashboards.render import Help
from dashboards.window import Window

SHOWN_SERVICES = 25
SHOWN_OWNERS = 5
RECENT_TRANSITIONS = 12
CAUSES = 3
LIKELY_SCORE = 0.15
"""Below this a cause is a guess that costs more time than it saves."""
ASKED_TRANSITIONS = 100
"""More are asked for than shown: starts of processes are left out."""


@dataclass(frozen=True)
class Affected:
    """A service that feels what is broken, and how that is known."""

    service: str
    words: str
    url: str


@dataclass(frozen=True)
class Owner:
    """Whom to ask about a broken service; *owner* is "" where nobody said."""

    service: str
    owner: str
    url: str


@dataclass(frozen=True)
class TourStep:
    """One step of the sample shop's tour."""

    words: str
    command: str
    url: str
    link: str
    done: bool


@dataclass(frozen=True)
class OverviewContext:
    """Everything the front page shows."""

    services: Annotated[Section, Help("GET /services: why the table is missing if it failed.")]
    courses: Annotated[Section, Help("GET /courses/services: without it the small pictures are missing.")]
    rows: Annotated[tuple[ServiceRow, ...], Help("Services, worst health first, the worst few.")]
    more: Annotated[int, Help("How many services are not shown.")]
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
    affected: Annotated[
        tuple[Affected, ...],
        Help("Who feels it: callers of what lost a dependency, then the way to the cause."),
    ]
    owners: Annotated[tuple[Owner, ...], Help("Who owns the cause and what is broken.")]
    silent: Annotated[bool, Help("True if no service ever reported: show how to send something.")]
    tour: Annotated[tuple[TourStep, ...], Help("The sample shop's five steps; empty without the shop.")]


async def load(visit: Visit) -> OverviewContext:
    """Ask for alerts, then for services, breakers and the latest transitions at once; where something is wrong, for why and whose it is."""
    api, question, window = visit.api, visit.question, visit.window
    alerts = await api.get("alerts")  # read from memory: it says early whether anything is wrong
    firing = tuple(row for row in alerts.rows if row.get("state") == "firing" and in_env(row, window.env))
    services, courses, breakers, transitions, causes = await asyncio.gather(
        api.get("services", params=question),
        api.get("courses", "services", params=question),
        api.get("breakers", params=question),
        api.get("breakers", "transitions", params={**question, "limit": str(ASKED_TRANSITIONS)}),
        _explained(visit, wrong=bool(firing)),
    )
    changed = changes(transitions, RECENT_TRANSITIONS)
    rows = service_rows(services.rows, courses.rows, window)
    troubled = tuple(each for each in tiles(breakers.rows, window) if each.troubled)
    verdict, headline = summarise(services, breakers, troubled, firing)
    if not firing:
        causes = await _explained(visit, wrong=verdict in ("unhealthy", "degraded"))
    return OverviewContext(
        services=services,
        courses=courses,
        rows=rows[:SHOWN_SERVICES],
        more=max(0, len(rows) - SHOWN_SERVICES),
        breakers=breakers,
        alerts=alerts,
        transitions=changed,
        tiles=troubled,
        firing=firing,
        verdict=verdict,
        headline=headline,
        since=began(troubled, firing),
        causes=causes,
        affected=affected(troubled, causes, window),
        owners=owners(rows, causes, window),
        silent=not services.problem and not services.rows and not breakers.rows,
        tour=tour(visit, changed.rows, firing) if visit.tour else (),
    )


async def _explained(visit: Visit, *, wrong: bool) -> Section:
    """Ask why; of a healthy system nothing."""
    asked = {**visit.question, "limit": str(CAUSES)}
    return likely(await visit.api.get("causes", params=asked)) if wrong else Section()


@dataclass(frozen=True)
class RunbooksContext:
    """What to do about what is broken, as the catalogue says."""

    catalogue: Annotated[Section, Help("GET /catalogue.")]
    runbooks: Annotated[
        tuple[tuple[str, str], ...], Help("(service, address) of those asked for as `of`, comma between.")
    ]


async def load_runbooks(visit: Visit) -> RunbooksContext:
    """Ask the catalogue, which reads more than the page should wait for every few seconds."""
    wanted = visit.text("of").split(",")
    catalogue = await visit.api.get("catalogue", params=visit.question)
    known = {text_of(row, "service"): web_link(row.get("runbook")) for row in catalogue.rows}
    return RunbooksContext(catalogue, tuple((name, known[name]) for name in wanted if known.get(name)))


def affected(troubled: Iterable[Tile], causes: Section, window: Window) -> tuple[Affected, ...]:
    """Name who feels it: the callers of a service that lost a dependency, then whoever stands on the way to the cause."""
    found: dict[str, Affected] = {}
    for each in troubled:
        blast = each.row.get("blast_radius")
        for caller in rows_of(blast.get("callers")) if isinstance(blast, dict) else ():
            name = text_of(caller, "service")
            words = f"{percent(caller.get('share'))} of the requests to {each.service}"
            found.setdefault(name, Affected(name, words, window.url("services", name)))
    for cause in causes.rows[:1]:
        path = cause.get("path")
        for name in path[:-1] if isinstance(path, list) else ():
            found.setdefault(
                str(name),
                Affected(str(name), f"calls {text_of(cause, 'service')}", window.url("services", str(name))),
            )
    return tuple(found.values())


def owners(rows: Iterable[ServiceRow], causes: Section, window: Window) -> tuple[Owner, ...]:
    """Say whom to ask: about the likeliest cause first, then about each unhealthy service."""
    wrong = [text_of(row, "service") for row in causes.rows[:1] if row.get("kind") in (None, "service")]
    wrong += [each.service for each in rows if each.health == "unhealthy"]
    owned = {each.service: each.owner for each in rows}
    return tuple(
        Owner(name, owned.get(name, ""), window.url("services", name)) for name in dict.fromkeys(wrong)
    )[:SHOWN_OWNERS]


def tour(visit: Visit, transitions: Iterable[Row], firing: Iterable[Row]) -> tuple[TourStep, ...]:
    """Lead somebody who sees Fuseboard for the first time from a fault to its cause and back; done is what happened already."""
    newest_first = list(transitions)
    opened = any(row.get("to") == "open" for row in newest_first)
    healed = opened and newest_first[0].get("to") == "closed"
    window = visit.window
    return (
        TourStep("Break something: payment answers with errors.", visit.tour, "", "", opened),
        TourStep(
            "Within seconds checkout's breaker on payment opens.",
            "",
            window.url("breakers"),
            "the board",
            opened,
        ),
        TourStep(
            "Ask why: the cause stands here, its trace is one click away.",
            "",
            window.url("breakers", "checkout", "payment"),
            "the breaker",
            healed,
        ),
        TourStep(
            "See who was told.", "", window.url("alerts"), "alerts", healed or any(True for _ in firing)
        ),
        TourStep(
            "Heal it; the breaker closes by itself.",
            visit.tour.replace("--on", "--off"),
            window.url("map"),
            "the map",
            healed,
        ),
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


PAGE = Page(
    "/",
    "overview.html",
    "overview",
    OverviewContext,
    load,
    parts={"runbooks": Part("parts/runbooks.html", RunbooksContext, load_runbooks)},
)
