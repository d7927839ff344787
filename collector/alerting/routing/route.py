"""The tree of routes: an alert's labels -> the routes it takes. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from collector.alerting.matching import Matchers, all_match
from collector.alerting.silences.schedule import Schedule

# In `receivers`: the on-call receiver that the catalogue names for the alert's service.
CATALOGUE = "catalogue"
# In `group_by`: every label, so that each alert is alone.
EVERY_LABEL = "..."


@dataclass(frozen=True)
class Timers:
    """How long a group waits, in seconds."""

    group_wait_s: float = 30.0
    """After its first alert, for others to join."""
    group_interval_s: float = 300.0
    """Between a notification and the next that says something new."""
    repeat_interval_s: float = 14400.0
    """Between a notification and the same again, while it fires."""


@dataclass(frozen=True)
class Route:
    """
    One node; what it does not say it has from its parent.

    Attributes:
        id: Stable over changes of its timers and of other routes.
        receivers: None = every one that asks for the event's type.
        fallback: Of the nearest ancestor, for a service whose catalogue names no receiver.
        mute: Windows in which its groups wait.
    """

    id: str
    receivers: tuple[str, ...] | None
    matchers: Matchers = ()
    fallback: tuple[str, ...] | None = None
    group_by: tuple[str, ...] = ()
    timers: Timers = field(default_factory=Timers)
    mute: tuple[Schedule, ...] = ()
    go_on: bool = False
    routes: tuple[Route, ...] = ()

    def take(self, labels: Mapping[str, str]) -> Iterator[Route]:
        """Give the deepest routes below this one, or itself, that take *labels*."""
        if all_match(self.matchers, labels):
            found = tuple(first_taken(self.routes, labels))
            yield from found or (self,)

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Give what the alerts of one group have in common."""
        if EVERY_LABEL in self.group_by:
            return dict(labels)
        return {name: labels.get(name, "") for name in self.group_by}

    def muted_until(self, at: datetime) -> datetime | None:
        """Give when the window ends that *at* lies in, None outside of windows."""
        spans = (window.span(at) for window in self.mute)
        return max((span.end for span in spans if span), default=None)

    def every(self) -> Iterator[Route]:
        """Give this route and all below it."""
        yield self
        for route in self.routes:
            yield from route.every()


# What no route takes is told as without routes: at once, each alert by itself, to everybody who asks.
UNROUTED = Route("unrouted", None, group_by=(EVERY_LABEL,), timers=Timers(0.0, 0.0, 14400.0))


@dataclass(frozen=True)
class Tree:
    """All routes, in order; no routes = no routing."""

    routes: tuple[Route, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.routes)

    def take(self, labels: Mapping[str, str]) -> Sequence[Route]:
        """Give the routes that take *labels*, at least one."""
        return tuple(first_taken(self.routes, labels)) or (UNROUTED,)

    def by_id(self) -> dict[str, Route]:
        """Give every route by its id."""
        return {route.id: route for top in (*self.routes, UNROUTED) for route in top.every()}

    @property
    def asks_catalogue(self) -> bool:
        """Whether some route wants to know who is on call for a service."""
        return any(CATALOGUE in (route.receivers or ()) for top in self.routes for route in top.every())

    @property
    def signature(self) -> str:
        """Another when an alert may take another way than before; "" without routes."""
        if not self.routes:
            return ""
        told = [
            [
                route.id,
                route.receivers,
                route.fallback,
                route.group_by,
                [str(each) for each in route.matchers],
                route.go_on,
            ]
            for top in self.routes
            for route in top.every()
        ]
        return digest(json.dumps(told))


def first_taken(routes: Sequence[Route], labels: Mapping[str, str]) -> Iterator[Route]:
    """Give what the first of *routes* that takes *labels* gives; and those after it while it says ``continue``."""
    for route in routes:
        found = tuple(route.take(labels))
        yield from found
        if found and not route.go_on:
            return


def digest(text: str) -> str:
    """Give a short stable name for *text*: 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
