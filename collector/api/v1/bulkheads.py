"""``/bulkheads``: what bounds a service's concurrency, and how full it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Windowed
from collector.read import bulkheads

router = APIRouter(tags=["breakers"])


class Bulkhead(BaseModel):
    """One bulkhead of one instance, from its newest samples."""

    service: str
    env: str
    bulkhead: str = Field(description="As its library names it: a bulkhead, a pool, a cluster.")
    instance: str
    kind: str = Field(description="semaphore, threads, connections, requests.")
    in_use: float | None
    limit: float | None
    queued: float | None
    rejected_1h: float | None = Field(description="Turned away in the last hour.")
    saturation: float | None = Field(description="Of the limit, 0 to 1.")
    full_in_s: float | None = Field(
        description="At the trend of the last ten minutes; 0: it is full; null: not within a day, or nobody knows."
    )


class BulkheadsAsked(Windowed):
    """Parameters of ``/bulkheads``."""

    service: str = Field("", description="Only this service.")


@router.get("/bulkheads", response_model=Page[Bulkhead])
def list_bulkheads(ask: Ask, asked: Annotated[BulkheadsAsked, Query()]) -> Response:
    """Every bulkhead as it is at the window's end, the fullest first."""
    rows = bulkheads.bulkheads(ask.reader, asked.window(ask.now_ns), asked.env, asked.service)
    return answer(rows, ask.reader.cost)
