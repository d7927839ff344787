"""``/ledger`` and ``/agents``: did everything arrive, and who ships it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Windowed
from collector.read.agents import agents
from collector.read.ledger import ledger

router = APIRouter(tags=["pipeline"])


class Gap(BaseModel):
    """Offsets (bytes of a file, numbers of scrapes) that are missing though later ones are stored."""

    source_path: str
    generation: str
    missing_from: int
    missing_to: int


class LedgerEntry(BaseModel):
    """emitted = stored + rejected + dropped + in_flight, in blocks."""

    agent: str = Field(description="Empty: came without an agent; what was stored is all that is known.")
    service: str
    signal: str = Field(description="logs, metrics, traces, breakers.")
    emitted: int
    stored: int
    rejected: int
    dropped: dict[str, int]
    in_flight: int
    duplicates_refused: int
    gaps: list[Gap]
    emitted_bytes: int
    stored_bytes: int
    stored_rows: int = Field(description="As ClickHouse counted them.")


class Agent(BaseModel):
    """An agent's last report."""

    agent: str
    name: str
    version: str
    host: str
    services: list[str]
    last_report: str
    lag_bytes: int
    spool_bytes: int
    spool_blocks: int
    dropped: dict[str, int] = Field(description="Blocks by reason, since its data directory was made.")
    state: str = Field(
        description="up, spooling (blocks wait for the collector), silent (no report for 35 s)."
    )


class LedgerAsked(Windowed):
    """Parameters of ``/ledger``."""

    service: str = Field("", description="Only this service.")


@router.get("/ledger", response_model=Page[LedgerEntry])
def list_ledger(ask: Ask, asked: Annotated[LedgerAsked, Query()]) -> Response:
    """What each agent emitted and what became of it, between its last reports before start and before end."""
    return answer(ledger(ask.reader, asked.window(ask.now_ns), asked.service), ask.reader.cost)


@router.get("/agents", response_model=Page[Agent])
def list_agents(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Agents that reported in the window."""
    return answer(agents(ask.reader, asked.window(ask.now_ns)), ask.reader.cost)
