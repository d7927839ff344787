"""``/endpoints`` and ``/deploys``: what there is and who uses it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.read import catalogue

router = APIRouter(tags=["catalogue"])


class Endpoint(BaseModel):
    """Use of one endpoint of one version; whole hours count."""

    service: str
    env: str
    method: str
    route: str
    version: str
    calls: int
    errors: int
    last_call: str


class Deploy(BaseModel):
    """A version of a service, from the first to the last thing it sent."""

    service: str
    env: str
    version: str
    first_seen: str
    last_seen: str


class CatalogueAsked(Limited):
    """Parameters of both."""

    service: str = Field("", description="Only this service.")


@router.get("/endpoints", response_model=Page[Endpoint])
def list_endpoints(ask: Ask, asked: Annotated[CatalogueAsked, Query()]) -> Response:
    """Endpoints with their calls by version."""
    rows = catalogue.endpoints(ask.reader, asked.window(ask.now_ns), asked.env, asked.service, asked.limit)
    return answer(rows, ask.reader.cost)


@router.get("/deploys", response_model=Page[Deploy])
def list_deploys(ask: Ask, asked: Annotated[CatalogueAsked, Query()]) -> Response:
    """Versions seen in the window, the newest first."""
    rows = catalogue.deploys(ask.reader, asked.window(ask.now_ns), asked.env, asked.service, asked.limit)
    return answer(rows, ask.reader.cost)
