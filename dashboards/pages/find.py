"""Find: services, breakers, endpoints, rules, traces by id and pages by a few letters; the command palette is this page's list."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Part, Visit, text_of
from dashboards.render import Help
from dashboards.site import existing
from dashboards.window import Window

CANDIDATES = 1000
"""Of each kind; the palette filters them in the browser, so that a letter costs no question."""
SHOWN = 60
_TRACE = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?\Z")


@dataclass(frozen=True)
class Found:
    """One thing that can be opened."""

    kind: str
    label: str
    about: str
    url: str
    state: str = ""
    """A breaker's state or a service's health."""

    def matches(self, words: list[str]) -> bool:
        """Say whether every word occurs in what is shown of it."""
        text = f"{self.kind} {self.label} {self.about}".casefold()
        return all(word in text for word in words)


@dataclass(frozen=True)
class FindContext:
    """Everything the Find page shows."""

    query: Annotated[str, Help("What was typed; empty in the palette, which filters by itself.")]
    found: Annotated[tuple[Found, ...], Help("What matches, pages first; all candidates without a query.")]
    more: Annotated[int, Help("How many more match than are shown.")]
    trace_url: Annotated[str, Help("The trace, if the query is a trace id; else empty.")]
    logs_url: Annotated[str, Help("The log search for what was typed.")]
    services: Annotated[Section, Help("GET /services.")]
    breakers: Annotated[Section, Help("GET /breakers.")]
    endpoints: Annotated[Section, Help("GET /endpoints; installations without traces have none.")]
    rules: Annotated[Section, Help("GET /rules.")]


async def load(visit: Visit) -> FindContext:
    """Ask for what has a name and keep what matches."""
    made = await candidates(visit)
    query = visit.text("query")
    words = query.casefold().split()
    found = [each for each in made.found if each.matches(words)]
    return FindContext(
        query=query,
        found=tuple(found[:SHOWN]),
        more=max(0, len(found) - SHOWN),
        trace_url=visit.window.url("traces", query.lower()) if _TRACE.match(query.lower()) else "",
        logs_url=visit.window.url("logs", query=query),
        services=made.services,
        breakers=made.breakers,
        endpoints=made.endpoints,
        rules=made.rules,
    )


async def candidates(visit: Visit) -> FindContext:
    """Ask for everything that has a name."""
    asked = {**visit.question, "limit": str(CANDIDATES)}
    services, breakers, endpoints, rules = await asyncio.gather(
        visit.api.get("services", params=visit.question),
        visit.api.get("breakers", params=visit.question),
        visit.api.get("endpoints", params=asked),
        visit.api.get("rules"),
    )
    window = visit.window
    found = (
        *_places(window, visit.paths),
        *_services(services, window),
        *_breakers(breakers, window),
        *_endpoints(endpoints, window, visit.paths),
        *_rules(rules, window),
    )
    return FindContext("", found, 0, "", window.url("logs"), services, breakers, endpoints, rules)


def _places(window: Window, paths: tuple[str, ...]) -> Iterator[Found]:
    for place in existing(paths):
        segments = (place.segment,) if place.segment else ()
        yield Found("page", place.label, place.about, window.url(*segments))


def _services(answer: Section, window: Window) -> Iterator[Found]:
    for row in answer.rows[:CANDIDATES]:
        name = text_of(row, "service")
        about = " ".join(
            part for part in (text_of(row, "owner"), "" if window.env else text_of(row, "env")) if part
        )
        yield Found("service", name, about, window.url("services", name), text_of(row, "health"))


def _breakers(answer: Section, window: Window) -> Iterator[Found]:
    for row in answer.rows[:CANDIDATES]:
        service, breaker = text_of(row, "service"), text_of(row, "breaker")
        yield Found(
            "breaker",
            f"{service} › {breaker}",
            "" if window.env else text_of(row, "env"),
            window.url("breakers", service, breaker),
            text_of(row, "state"),
        )


def _endpoints(answer: Section, window: Window, paths: tuple[str, ...]) -> Iterator[Found]:
    """Give each route of a service once, whatever its versions."""
    named = {
        (text_of(row, "service"), f"{text_of(row, 'method')} {text_of(row, 'route')}".strip())
        for row in answer.rows
    }
    for service, name in sorted(named):
        url = (
            window.url("endpoints", service=service, query=name)
            if "/endpoints" in paths
            else window.url("traces", service=service, name=name)
        )
        yield Found("endpoint", name, service, url)


def _rules(answer: Section, window: Window) -> Iterator[Found]:
    for row in answer.rows[:CANDIDATES]:
        about = " · ".join(part for part in (text_of(row, "group"), text_of(row, "state")) if part)
        yield Found("rule", text_of(row, "name"), about, window.url("rules", text_of(row, "id")))


PAGE = Page(
    "/find",
    "find.html",
    "find",
    FindContext,
    load,
    parts={"candidates": Part("parts/candidates.html", FindContext, candidates)},
)
