"""``/endpoints``: who uses them, and which may go."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.api.v1.sampled import Sampled
from collector.read import endpoints

router = APIRouter(tags=["catalogue"])


class Caller(BaseModel):
    """Who calls an endpoint, as its own span tells."""

    service: str = Field(description="Empty: the caller's span never came; from outside, or not traced.")
    version: str
    calls: int = Field(description="In the window's whole hours.")
    last_call: str


class Evidence(BaseModel):
    """One thing the verdict rests on, or that speaks against deleting."""

    code: str = Field(
        description="last_call, observed, longest_pause, periodicity; and what is missing: quiet_too_short, observed_too_short, seen_once, service_silent, sampled, ledger_gaps."
    )
    message: str
    value: float = Field(description="Days, a ratio or a count, as the message says.")
    threshold: float


class Endpoint(Sampled):
    """Use of one endpoint of one version; the verdict is about all its versions."""

    service: str
    env: str
    method: str = Field(description="RPC for a method of gRPC and its like.")
    route: str
    version: str
    calls: int = Field(description="In the window's whole hours.")
    errors: int
    last_call: str = Field(description="Up to the window's end, however long ago.")
    callers: list[Caller]
    verdict: Literal["in_use", "idle", "safe_to_delete"]
    evidence: list[Evidence]


class EndpointsAsked(Limited):
    """Parameters of ``/endpoints``."""

    service: str = Field("", description="Only this service.")


@router.get("/endpoints", response_model=Page[Endpoint])
def list_endpoints(ask: Ask, asked: Annotated[EndpointsAsked, Query()]) -> Response:
    """Endpoints with their calls and callers by version, and whether one is safe to delete, with the evidence."""
    rows = endpoints.endpoints(ask.reader, asked.window(ask.now_ns), asked.env, asked.service, asked.limit)
    return answer(rows, ask.reader.cost)
