"""``/hot``: what to scale next, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.health.hot import hot

router = APIRouter(prefix="/hot", tags=["services"])


class Pressure(BaseModel):
    """One thing that presses a service."""

    code: str = Field(description="cpu, throttled, bulkhead, queue, slower_with_load.")
    message: str
    value: float
    threshold: float
    pressure: float = Field(description="0 to 1.")


class HotService(BaseModel):
    """A service, what presses it, and what would help."""

    service: str
    env: str
    score: float = Field(description="0 to 1: all that presses it together.")
    pressed: bool = Field(description="Whether it is worth somebody's time: a score of at least one half.")
    rate: float | None = Field(description="Calls served per second; of sampled traces an estimate.")
    p95_ms: float | None
    throughput_share: float = Field(description="Of all calls served, 0 to 1.")
    cost_share: float | None = Field(
        description="Of all CPU in use; where nobody measures it, of the time spent serving."
    )
    cpu_cores: float | None = Field(description="In use over the last ten minutes, all instances.")
    cpu_limit_cores: float | None
    cpu_saturation: float | None
    throttled_ratio: float | None = Field(
        description="Share of the scheduler's periods in which it was held back."
    )
    instances: int | None = Field(description="That measure their CPU.")
    evidence: list[Pressure] = Field(description="What presses most first.")
    recommendation: str


@router.get("", response_model=Page[HotService])
def list_hot(ask: Ask, asked: Annotated[Limited, Query()]) -> Response:
    """Services by what presses them (CPU, throttling, bulkheads, queues, latency that grows with load): what to scale next."""
    return answer(hot(ask.reader, asked.window(ask.now_ns), asked.env, asked.limit), ask.reader.cost)
