"""``/volume`` and ``/cardinality``: who fills the disk, and what could be spared."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited, Windowed
from collector.read import volume

router = APIRouter(tags=["pipeline"])


class Spare(BaseModel):
    """What could be spared, and how."""

    code: Literal["debug", "info", "rate"]
    message: str
    spares_rows: int = Field(description="Of the window.")
    spares_ratio: float = Field(description="Of the service's rows.")
    snippet: str = Field(description="For the agent's agent.toml.")


class Volume(BaseModel):
    """What one service stored of one signal."""

    service: str = Field(description="Empty: bodies that are not declared to be one service's.")
    env: str
    signal: Literal["logs", "traces", "metrics"]
    rows: int = Field(description="Log records, spans, samples.")
    rows_per_s: float
    share: float = Field(description="Of the signal's rows, 0 to 1.")
    bytes: int = Field(
        description="Of the bodies that were declared to be this service's, as they came, decompressed."
    )
    series: int | None = Field(description="Of metrics: those seen in the window.")
    severities: dict[str, int] = Field(description="Of logs: records by severity.")
    advice: list[Spare]


class Label(BaseModel):
    """A label of a metric."""

    label: str
    values: int = Field(description="Different ones, about.")
    examples: list[str]


class Cardinality(BaseModel):
    """One metric's series."""

    metric: str
    type: str
    services: list[str] = Field(description="At most 20.")
    series: int
    samples: int
    labels: list[Label] = Field(description="The five with most values.")
    advice: str | None


class CardinalityAsked(Limited):
    """Parameters of ``/cardinality``."""

    service: str = Field("", description="Only this service.")


@router.get("/volume", response_model=Page[Volume])
def list_volume(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Rows, bytes and series by service and signal, the largest first, and what an agent's settings could spare."""
    return answer(volume.volume(ask.reader, asked.window(ask.now_ns), asked.env), ask.reader.cost)


@router.get("/cardinality", response_model=Page[Cardinality])
def list_cardinality(ask: Ask, asked: Annotated[CardinalityAsked, Query()]) -> Response:
    """Metrics by their number of series, with the labels that make them many."""
    rows = volume.cardinality(ask.reader, asked.window(ask.now_ns), asked.env, asked.service, asked.limit)
    return answer(rows, ask.reader.cost)
