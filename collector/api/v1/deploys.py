"""``/deploys``: versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.read import deploys

router = APIRouter(tags=["catalogue"])


class Deploy(BaseModel):
    """A version of a service, from the first to the last thing it sent."""

    service: str
    env: str
    version: str
    first_seen: str
    last_seen: str


class DeploysAsked(Limited):
    """Parameters of ``/deploys``."""

    service: str = Field("", description="Only this service.")


@router.get("/deploys", response_model=Page[Deploy])
def list_deploys(ask: Ask, asked: Annotated[DeploysAsked, Query()]) -> Response:
    """Versions seen in the window, the newest first."""
    rows = deploys.deploys(ask.reader, asked.window(ask.now_ns), asked.env, asked.service, asked.limit)
    return answer(rows, ask.reader.cost)
