"""What the page of a service asks for once it stands: who owns it, its endpoints, deploys, resources, errors. Each may take its time or fail alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.charts import rows_by
from dashboards.filters import web_link
from dashboards.pages.page import Part, Visit, quoted, rows_of, text_of
from dashboards.promql import Drawn, draw
from dashboards.render import Help

SHOWN_ENDPOINTS = 15
SHOWN_DEPLOYS = 10
RECENT_ERRORS = 15
RECENT_TRACES = 10
LINKS = ("runbook", "docs", "openapi", "repo")
VERDICTS = {
    "regressed": "unhealthy",
    "improved": "healthy",
    "unchanged": "healthy",
    "too_little_data": "unknown",
}

USE = (
    ("cpu", "CPU", "cores", "sum by (instance) (rate(container_cpu_usage_seconds_total{@}[5m]))"),
    (
        "throttled",
        "CPU throttled",
        "ratio",
        "sum by (instance) (rate(container_cpu_cfs_throttled_periods_total{@}[5m])) / sum by (instance) (rate(container_cpu_cfs_periods_total{@}[5m]))",
    ),
    ("memory", "Memory", "bytes", "max by (instance) (container_memory_working_set_bytes{@})"),
    (
        "restarts",
        "Restarts and OOM kills",
        "count",
        "sum by (instance) (increase(container_restarts_total{@}[5m])) + sum by (instance) (increase(container_oom_events_total{@}[5m]))",
    ),
)
"""(name, title, unit, PromQL with ``@`` where the service stands): use and saturation of its resources."""


@dataclass(frozen=True)
class Endpoint:
    """One route of the service, all its versions together."""

    name: str
    calls: int
    last_call: str
    callers: tuple[str, ...]
    verdict: str
    url: str


@dataclass(frozen=True)
class AboutContext:
    """Who owns the service and what it offers."""

    catalogue: Annotated[Section, Help("GET /catalogue.")]
    entry: Annotated[Row, Help("What the catalogue says of the service; empty if nothing.")]
    links: Annotated[
        tuple[tuple[str, str], ...], Help("(name, address) of its runbook, docs, OpenAPI, repository.")
    ]
    answer: Annotated[Section, Help("GET /endpoints of the service.")]
    endpoints: Annotated[tuple[Endpoint, ...], Help("Its endpoints, the busiest first.")]
    more: Annotated[int, Help("How many more there are.")]
    endpoints_url: Annotated[str, Help("All of them, with the evidence.")]


@dataclass(frozen=True)
class DeploysContext:
    """The service's versions in the time range."""

    answer: Annotated[Section, Help("GET /deploys of the service.")]
    deploys: Annotated[tuple[Row, ...], Help("The newest few.")]
    healths: Annotated[tuple[str, ...], Help("For each, the health whose shape its verdict has.")]
    deploys_url: Annotated[str, Help("All deploys, compared.")]


async def load_about(visit: Visit) -> AboutContext:
    """Ask for the catalogue's entry and the endpoints."""
    service = _service(visit)
    catalogue, answer = await asyncio.gather(
        visit.api.get("catalogue", params=visit.question),
        visit.api.get("endpoints", params={**visit.question, "service": service, "limit": "1000"}),
    )
    entry = next((row for row in catalogue.rows if row.get("service") == service), {})
    found = endpoints([row for row in answer.rows if row.get("service") == service], visit)
    return AboutContext(
        catalogue=catalogue,
        entry=entry,
        links=tuple((name, link) for name in LINKS if (link := web_link(entry.get(name)))),
        answer=answer,
        endpoints=found[:SHOWN_ENDPOINTS],
        more=max(0, len(found) - SHOWN_ENDPOINTS),
        endpoints_url=visit.window.url("endpoints", service=service),
    )


def endpoints(rows: Iterable[Row], visit: Visit) -> tuple[Endpoint, ...]:
    """Add up the versions of each route, the busiest first."""
    found = [
        _endpoint(method, route, group, visit)
        for (method, route), group in rows_by(rows, "method", "route").items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.calls, each.name)))


def _endpoint(method: str, route: str, rows: list[Row], visit: Visit) -> Endpoint:
    name = f"{method} {route}".strip()
    callers = {text_of(caller, "service") for row in rows for caller in rows_of(row.get("callers"))}
    return Endpoint(
        name=name,
        calls=sum(calls for row in rows if isinstance(calls := row.get("calls"), int)),
        last_call=max(text_of(row, "last_call") for row in rows),
        callers=tuple(sorted(callers - {""})),
        verdict=text_of(rows[0], "verdict"),
        url=visit.window.url("endpoints", service=_service(visit), query=name),
    )


async def load_deploys(visit: Visit) -> DeploysContext:
    """Ask for the deploys, compared with what was before or beside them."""
    service = _service(visit)
    answer = await visit.api.get(
        "deploys", params={**visit.question, "service": service, "limit": str(SHOWN_DEPLOYS)}
    )
    rows = tuple(row for row in answer.rows if row.get("service") == service)
    return DeploysContext(
        answer=answer,
        deploys=rows,
        healths=tuple(VERDICTS.get(text_of(row, "verdict"), "unknown") for row in rows),
        deploys_url=visit.window.url("deploys", service=service) if "/deploys" in visit.paths else "",
    )


@dataclass(frozen=True)
class ContainerContext:
    """What the service's container, process or host uses."""

    drawn: Annotated[
        tuple[Drawn, ...], Help("CPU, throttling, memory and restarts, those that are measured.")
    ]
    problem: Annotated[Section, Help("The first question that failed; empty if none did.")]


async def load_container(visit: Visit) -> ContainerContext:
    """Ask for what the agent beside the service measured."""
    service = _service(visit)
    drawn = await asyncio.gather(
        *(
            draw(visit.api, visit.window, name, _of(service, query), title, unit, traces=False)
            for name, title, unit, query in USE
        )
    )
    failed = next((each.answer for each in drawn if each.answer.problem), Section())
    return ContainerContext(tuple(each for each in drawn if each.chart), failed)


@dataclass(frozen=True)
class ErrorsContext:
    """What the service said and did wrong last."""

    errors: Annotated[Section, Help("GET /logs: the newest error records.")]
    traces: Annotated[Section, Help("GET /traces: the newest failing traces.")]
    errors_url: Annotated[str, Help("Its error logs in this time range.")]
    traces_url: Annotated[str, Help("Its failing traces in this time range.")]


async def load_errors(visit: Visit) -> ErrorsContext:
    """Ask for the newest errors and failing traces."""
    service, question = _service(visit), visit.question
    errors, traces = await asyncio.gather(
        visit.api.get(
            "logs", params={**question, "query": errors_query(service), "limit": str(RECENT_ERRORS)}
        ),
        visit.api.get("traces", params={**question, **failing(service), "limit": str(RECENT_TRACES)}),
    )
    return ErrorsContext(
        errors=errors,
        traces=traces,
        errors_url=visit.window.url("logs", query=errors_query(service)),
        traces_url=visit.window.url("traces", **failing(service)),
    )


def errors_query(service: str) -> str:
    """Write the search for a service's errors."""
    return f"service:{quoted(service)} severity:>=error"


def failing(service: str) -> dict[str, str]:
    """Give the parameters that ask for a service's failing traces."""
    return {"service": service, "error": "true"}


def _of(service: str, query: str) -> str:
    """Put the service's name where a query says ``@``: as the agent's scrape and as OTLP's resource call it."""
    name = service.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return " or ".join(query.replace("@", f'{label}="{name}"') for label in ("job", "service_name"))


def _service(visit: Visit) -> str:
    if len(visit.segments) != 2:
        raise HTTPException(404)
    return visit.segments[1]


PARTS = {
    "about": Part("parts/about.html", AboutContext, load_about),
    "container": Part("parts/container.html", ContainerContext, load_container),
    "deploys": Part("parts/deploys.html", DeploysContext, load_deploys),
    "errors": Part("parts/errors.html", ErrorsContext, load_errors),
}
