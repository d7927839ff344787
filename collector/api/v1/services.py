"""``/services``: every service with its verdict, one service in depth."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asker, Windowed
from collector.api.v1.sampled import Sampled
from collector.api.v1.topology import Edge
from collector.errors import NotFound
from collector.health.facts import board
from collector.health.topology import edges_with_breakers
from collector.query.window import Window
from collector.read import services
from collector.read.sql import Row

router = APIRouter(prefix="/services", tags=["services"])


class Reason(BaseModel):
    """A piece of evidence."""

    code: str = Field(
        description="error_ratio, breaker_open, breakers_on_it, silent, latency, …: docs/health.md."
    )
    message: str
    value: float
    threshold: float
    url: str = Field(description="The page that shows it.")


class BreakerCounts(BaseModel):
    """The service's own breakers by state."""

    open: int
    half_open: int
    closed: int
    unknown: int


class Service(Sampled):
    """One service in one environment; numbers are null when it sent no spans."""

    service: str
    env: str
    health: str = Field(description="healthy, degraded, unhealthy, unknown.")
    reasons: list[Reason]
    rate: float | None = Field(description="Requests served per second.")
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    versions: list[str] = Field(description="Newest first.")
    breakers: BreakerCounts
    owner: str | None = Field(description="Resource attribute fuseboard.owner.")
    last_seen: str


class RedBucket(BaseModel):
    """Requests, errors, durations of one stretch of whole minutes."""

    at: str
    rate: float
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LogBucket(BaseModel):
    """Log records of one stretch of whole minutes."""

    at: str
    error: int = Field(description="error and fatal.")
    warn: int
    total: int


class ServiceInDepth(Service):
    """One service with its course over the window and its neighbours."""

    series: list[RedBucket]
    logs: list[LogBucket]
    callers: list[Edge]
    callees: list[Edge]


@router.get("", response_model=Page[Service])
def list_services(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Every service heard of in the window, with its health at the window's end and the evidence."""
    return answer(_board(ask, asked.window(ask.now_ns), asked.env), ask.reader.cost)


@router.get("/{service}", response_model=Page[ServiceInDepth])
def one_service(ask: Ask, service: str, asked: Annotated[Windowed, Query()]) -> Response:
    """One service: health, numbers over time, log counts, callers and callees; one row per environment."""
    window = asked.window(ask.now_ns)
    rows = _known(ask, window, asked.env, service)
    return answer([_in_depth(ask, window, row) for row in rows], ask.reader.cost)


@router.get("/{service}/health", response_model=Page[Service])
def service_health(ask: Ask, service: str, asked: Annotated[Windowed, Query()]) -> Response:
    """One service's verdict with its evidence; one row per environment."""
    return answer(_known(ask, asked.window(ask.now_ns), asked.env, service), ask.reader.cost)


def _known(ask: Asker, window: Window, env: str, service: str) -> list[Row]:
    rows = _board(ask, window, env, service)
    if not rows:
        raise NotFound("not_found", f"no service {service!r} in the window", "service")
    return rows


def _board(ask: Asker, window: Window, env: str, service: str = "") -> list[Row]:
    """Let the catalogue say who owns a service, and what it promises; what its resource says is the last resort."""
    rows = board(ask.reader, window, env, service, ask.parts.catalogue.slos())
    owners = ask.parts.catalogue.owners()
    return [{**row, "owner": owners.get(row["service"], row["owner"])} for row in rows]


def _in_depth(ask: Asker, window: Window, row: Row) -> Row:
    service, env = row["service"], row["env"]
    edges, series, logs = ask.reader.together(
        lambda its: edges_with_breakers(its, window, env, service),
        lambda its: services.series(its, window, env, service),
        lambda its: services.log_series(its, window, env, service),
    )
    return {
        **row,
        "series": series,
        "logs": logs,
        "callers": [edge for edge in edges if edge["callee"] == service],
        "callees": [edge for edge in edges if edge["caller"] == service],
    }
