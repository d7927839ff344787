"""
The places of the site: what the navigation and the command palette offer.

A place stands here before its page does; only those whose page is in `PAGES` are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One entry of the navigation: a page that needs no further name to be opened."""

    nav: str
    """What a page's ``nav`` says when it belongs here."""
    segment: str
    label: str
    about: str
    """A few words, shown beside it in the palette and searched there."""
    first: bool = False
    """True if it stands in the bar; the others stand under "More"."""

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/{self.segment}"


PLACES = (
    Place("overview", "", "Overview", "what is broken, since when, because of what", first=True),
    Place("services", "services", "Services", "health, rate, errors, duration, owner", first=True),
    Place("breakers", "breakers", "Breakers", "the board, transitions, instances", first=True),
    Place("map", "map", "Map", "who calls whom", first=True),
    Place("logs", "logs", "Logs", "search, live tail, histogram", first=True),
    Place("traces", "traces", "Traces", "search, heatmap, what sets slow ones apart", first=True),
    Place("metrics", "graph", "Metrics", "PromQL, graphs, exemplars", first=True),
    Place("alerts", "alerts", "Alerts", "firing, pending, why nobody was told", first=True),
    Place("incidents", "incidents", "Incidents", "time line, cause, notes", first=True),
    Place("boards", "boards", "Boards", "saved dashboards of panels"),
    Place("patterns", "patterns", "Patterns", "what logs say, grouped"),
    Place("endpoints", "endpoints", "Endpoints", "who still calls it, safe to delete?"),
    Place("bulkheads", "bulkheads", "Bulkheads", "in use, limit, rejected"),
    Place("databases", "databases", "Databases", "shared by several services"),
    Place("queues", "queues", "Queues", "who sends, who takes, how far behind"),
    Place("gateway", "gateway", "Gateway", "who calls from outside, who feels an outage"),
    Place("deploys", "deploys", "Deploys", "versions, before and after"),
    Place("catalogue", "catalogue", "Catalogue", "owners, runbooks, what is missing"),
    Place("rules", "rules", "Rules", "what is watched, health, noise"),
    Place("receivers", "receivers", "Receivers", "who is told, deliveries, tests"),
    Place("silences", "silences", "Silences", "mutes and maintenance windows"),
    Place("pipeline", "pipeline", "Pipeline", "agents, ledger, journal, engine"),
    Place("sql", "sql", "SQL", "read-only statements"),
    Place("keys", "keys", "Keys", "who may write and ask"),
    Place("users", "users", "Users", "who may sign in; your password"),
    Place("settings", "settings", "Settings", "settings of this installation"),
)


def existing(paths: Iterable[str]) -> tuple[Place, ...]:
    """Give the places that have a page among *paths*, in their order."""
    known = set(paths)
    return tuple(place for place in PLACES if place.path in known)
