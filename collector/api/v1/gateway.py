"""``/gateway``: who calls from outside, what, and how well it is served."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.api.v1.sampled import Sampled
from collector.health.gateway import Asked, gateway

router = APIRouter(tags=["map"])

GATEWAY_TIER = "gateway"


class ClientRoute(BaseModel):
    """One client's calls of one route."""

    method: str
    route: str
    calls: int
    rate: float = Field(description="Calls per second.")
    error_ratio: float
    p95_ms: float | None


class Client(Sampled):
    """One client of one service at the entry."""

    service: str
    env: str
    by: Literal["client", "user", "agent", "address", ""] = Field(
        description="What tells clients apart; empty: its calls tell nothing of them."
    )
    client: str = Field(description="`(others)`: all but the busiest fifty of a minute.")
    source: Literal["spans", "access_log"]
    calls: int
    rate: float = Field(description="Calls per second.")
    error_ratio: float = Field(description="Of status error or 5xx.")
    p95_ms: float | None = Field(description="Of its slowest route.")
    share: float = Field(description="Of the service's calls from outside, 0 to 1.")
    last_call: str
    feels_outage: bool = Field(description="At least 5 % of its calls fail, at least five.")
    routes: list[ClientRoute] = Field(description="Those that fail most first, at most 50.")


class GatewayAsked(Limited):
    """Parameters of ``/gateway``."""

    service: str = Field("", description="Only this service.")
    by: Literal["auto", "client", "user", "agent", "address"] = Field(
        "auto",
        description="What tells clients apart: an application or key, a user, the product of the user agent, an address; `auto`: the first of these that a service's calls have.",
    )


@router.get("/gateway", response_model=Page[Client])
def list_clients(ask: Ask, asked: Annotated[GatewayAsked, Query()]) -> Response:
    """Calls at the entry by client and route: who calls, how well it is served, which clients feel an outage."""
    tiers = ask.parts.catalogue.entries((), {}, {})
    gateways = [entry["service"] for entry in tiers if entry.get("tier") == GATEWAY_TIER]
    wanted = Asked(asked.env, asked.service, asked.by, asked.limit, gateways)
    rows, warnings = gateway(ask.reader, asked.window(ask.now_ns), wanted)
    return answer(rows, ask.reader.cost, warnings=warnings)
