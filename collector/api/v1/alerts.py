"""``/alerts``, ``/rules`` and ``/pipeline``: they answer while the engine is dead."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked

router = APIRouter()


class Alert(BaseModel):
    """An alert, living or lately resolved."""

    rule: str
    state: str = Field(description="pending, firing, resolved.")
    labels: dict[str, str]
    since: str
    fired_at: str | None
    resolved_at: str | None
    value: float
    message: str
    url: str
    id: str
    silenced_by: list[str] = Field(
        default=[], description="Ids of the silences because of which nobody is told."
    )
    inhibited_by: list[str] = Field(
        default=[],
        description="Ids of the alerts because of which nobody is told: `[[inhibit]]`, or its dependency's.",
    )
    folded: dict[str, Any] | None = Field(
        default=None,
        description="`{service, env, evidence}`: what explains it, by which breakers or failing calls.",
    )
    flapping: bool = False
    incident: str | None = Field(default=None, description="Id of its living incident.")


class Rule(BaseModel):
    """A rule and its state."""

    name: str
    kind: str
    expr: str
    for_s: float
    severity: str
    state: str


class Pipeline(BaseModel):
    """The collector's own pipeline."""

    canary: dict[str, Any] = Field(
        description="{state, instance, sent, last_stored, latency_s, missing, duplicated, reason}; state: off, starting, ok, waiting "
        "(for the engine), refused (by the front door), missing, duplicated."
    )
    engine: dict[str, Any] = Field(description="{state, since, restarts, last_error}.")
    journal: dict[str, Any] = Field(
        description="{bytes, max_bytes, segments_waiting, damaged_segments, oldest_waiting_s}."
    )
    disk: dict[str, Any] | None = Field(
        default=None,
        description="{bytes, max_bytes, free_bytes, min_free_bytes, dropped: [{at, table, partition, bytes, rows, reason}]}, the newest first: "
        "partitions of the embedded engine that had to go before their time; reason: max_bytes, free_bytes. Null in server mode.",
    )
    quarantine: dict[str, Any] = Field(description="{records}.")
    duplicates_refused: dict[str, int] = Field(
        description="Repeated batches that got their first answer since the start, by format."
    )


@router.get("/alerts", response_model=Page[Alert], tags=["alerts"])
def list_alerts(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Alerts: pending, firing, lately resolved."""
    del asked
    return answer(list(ask.parts.alerts.alerts()))


@router.get("/rules", response_model=Page[Rule], tags=["alerts"])
def list_rules(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Rules and their states."""
    del asked
    return answer(list(ask.parts.alerts.rules()))


@router.get("/pipeline", response_model=Page[Pipeline], tags=["pipeline"])
def pipeline(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Canary, engine, journal, quarantine."""
    del asked
    return answer([ask.parts.pipeline.pipeline()])
