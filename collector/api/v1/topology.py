"""``/map``: nodes and edges."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Windowed
from collector.api.v1.sampled import Sampled
from collector.health.topology import topology

router = APIRouter(prefix="/map", tags=["map"])


class EdgeBreaker(BaseModel):
    """The caller's breaker on the callee."""

    name: str
    state: str


class Edge(Sampled):
    """Calls from one node to another, as the caller sees them."""

    caller: str
    callee: str
    protocol: str = Field(description="http, an RPC system, a database system, a messaging system.")
    requests: int
    rate: float = Field(description="Calls per second.")
    error_ratio: float
    p95_ms: float | None
    breaker: EdgeBreaker | None
    protected: bool = Field(description="Whether the caller has a breaker on the callee that can open.")


class Node(Sampled):
    """Something that calls or is called."""

    id: str
    service: str
    kind: str = Field(description="service, database, queue, external.")
    health: str
    rate: float | None
    error_ratio: float | None
    p95_ms: float | None


class Map(BaseModel):
    """The whole picture."""

    nodes: list[Node]
    edges: list[Edge]


@router.get("", response_model=Page[Map])
def whole_map(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Who calls whom, with health on the nodes and rate, errors, latency and breaker on the edges."""
    return answer(
        [topology(ask.reader, asked.window(ask.now_ns), asked.env, ask.parts.catalogue.slos())],
        ask.reader.cost,
    )
