"""``/courses``: small pictures of many services or breakers at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Windowed
from collector.read import courses

router = APIRouter(prefix="/courses", tags=["services"])


class ServicePoint(BaseModel):
    """Requests, errors, duration of one stretch of whole minutes; null where nothing was served."""

    at: str
    rate: float
    error_ratio: float | None
    p95_ms: float | None


class ServiceCourse(BaseModel):
    """One service over the window, in at most about 40 stretches."""

    service: str
    env: str
    series: list[ServicePoint]


class BreakerPoint(BaseModel):
    """A breaker in one stretch of whole minutes."""

    at: str
    failure_rate: float | None = Field(description="Of the calls to its target, as traces tell; null: none.")
    not_permitted: int = Field(description="Calls turned away, as transitions told.")


class BreakerCourse(BaseModel):
    """One breaker over the window, in at most about 40 stretches."""

    service: str
    env: str
    breaker: str
    target: str
    series: list[BreakerPoint]


@router.get("/services", response_model=Page[ServiceCourse])
def of_services(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Requests, errors and duration of every service over the window, in few buckets."""
    return answer(courses.services(ask.reader, asked.window(ask.now_ns), asked.env), ask.reader.cost)


@router.get("/breakers", response_model=Page[BreakerCourse])
def of_breakers(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Failure rate and calls turned away over the window, in few buckets, of every breaker that changed in it."""
    return answer(courses.breakers(ask.reader, asked.window(ask.now_ns), asked.env), ask.reader.cost)
