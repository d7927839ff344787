"""Endpoints: who still calls them, and which may go, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.window import Window

MOST = "2000"
SHOWN = 200
VERDICTS = ("safe_to_delete", "idle", "in_use")
_WORDS = {"safe_to_delete": "safe to delete", "idle": "idle", "in_use": "in use"}
_STATES = {"safe_to_delete": "healthy", "idle": "degraded", "in_use": "unknown"}


@dataclass(frozen=True)
class EndpointRow:
    """One endpoint, all its versions together: the verdict is about all of them."""

    service: str
    env: str
    method: str
    route: str
    verdict: str
    words: str
    state: str
    calls: int
    last_call: str
    versions: tuple[Row, ...]
    evidence: tuple[Row, ...]
    traces_url: str

    @property
    def callers(self) -> int:
        """How many callers there are, by version."""
        return sum(len(rows_of(row.get("callers"))) for row in self.versions)


@dataclass(frozen=True)
class EndpointsContext:
    """Everything the Endpoints page shows."""

    answer: Annotated[Section, Help("GET /endpoints in the time range.", decides_status=True)]
    service: Annotated[str, Help("Only this service; empty: every one.")]
    query: Annotated[str, Help("Part of a method and route that is looked for, as typed.")]
    verdict: Annotated[str, Help("Only this verdict; empty: every one.")]
    rows: Annotated[tuple[EndpointRow, ...], Help("Endpoints, those that may go first.")]
    hidden: Annotated[int, Help("How many more there are.")]
    counts: Annotated[tuple[tuple[str, str, int], ...], Help("(verdict, its words, how many) that fit.")]


async def load(visit: Visit) -> EndpointsContext:
    """Ask for the endpoints of a service, or of all."""
    service, query, verdict = visit.text("service"), visit.text("query"), visit.text("verdict")
    answer = await visit.api.get("endpoints", params={**visit.question, "service": service, "limit": MOST})
    found = [row for row in _endpoints(answer.rows, visit.window) if _fits(row, query)]
    kept = [row for row in found if verdict in ("", row.verdict)]
    return EndpointsContext(
        answer=answer,
        service=service,
        query=query,
        verdict=verdict if verdict in VERDICTS else "",
        rows=tuple(kept[:SHOWN]),
        hidden=max(len(kept) - SHOWN, 0),
        counts=tuple((name, _WORDS[name], sum(row.verdict == name for row in found)) for name in VERDICTS),
    )


def _endpoints(rows: Iterable[Row], window: Window) -> list[EndpointRow]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = tuple(text_of(row, name) for name in ("service", "env", "method", "route"))
        groups.setdefault(key, []).append(row)
    found = [_endpoint(key, versions, window) for key, versions in groups.items()]
    order = {name: place for place, name in enumerate(VERDICTS)}
    return sorted(found, key=lambda row: (order.get(row.verdict, 9), row.service, row.route, row.method))


def _endpoint(key: tuple[str, ...], versions: list[Row], window: Window) -> EndpointRow:
    service, env, method, route = key
    verdict = text_of(versions[0], "verdict")
    calls = (row.get("calls") for row in versions)
    search = f"http.request.method:{quoted(method)} http.route:{quoted(route)}"
    return EndpointRow(
        service=service,
        env=env,
        method=method,
        route=route,
        verdict=verdict,
        words=_WORDS.get(verdict, verdict),
        state=_STATES.get(verdict, "unknown"),
        calls=sum(count for count in calls if isinstance(count, int)),
        last_call=max((text_of(row, "last_call") for row in versions), default=""),
        versions=tuple(versions),
        evidence=rows_of(versions[0].get("evidence")),
        traces_url=window.url("traces", service=service, query=search),
    )


def _fits(row: EndpointRow, query: str) -> bool:
    return query.lower() in f"{row.method} {row.route}".lower()


PAGE = Page("/endpoints", "endpoints.html", "endpoints", EndpointsContext, load)
