"""``/ledger``, ``/agents``, ``/quarantine``: did everything arrive, who ships it, what was set aside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited, Windowed
from collector.read.agents import agents
from collector.read.ledger import ledger
from collector.read.quarantine import quarantined

router = APIRouter(tags=["pipeline"])


class Gap(BaseModel):
    """Offsets (bytes of a file or command, numbers elsewhere) that were never stored though later ones were."""

    source_kind: str
    source_path: str
    generation: str
    missing_from: int
    missing_to: int
    seen_at: str = Field(description="When the block behind the gap arrived.")
    explained: str = Field(
        description="dropped, rejected, or either: the agent says it gave up as many blocks; empty: nobody knows."
    )


class Overlap(BaseModel):
    """Offsets that are stored under two identities; there should never be any."""

    model_config = ConfigDict(populate_by_name=True)

    source_kind: str
    source_path: str
    generation: str
    from_: int = Field(alias="from")
    to: int
    seen_at: str
    batch_id: str = Field(description="The later of the two in the order of offsets.")


class LedgerEntry(BaseModel):
    """emitted = stored + rejected + dropped + in_flight, in blocks and in bytes."""

    agent: str = Field(description="Empty: came without an agent.")
    service: str
    signal: str = Field(description="logs, metrics, traces, breakers.")
    reported: bool = Field(
        description="False: no agent counted what was emitted; what arrived is all that is known."
    )
    emitted: int
    stored: int
    rejected: int = Field(description="By a collector for good, or set aside by this one (quarantined).")
    dropped: dict[str, int] = Field(description="Whole blocks by reason.")
    in_flight: int = Field(description="In the agent's spool or this collector's journal.")
    duplicates_refused: int
    gaps: list[Gap]
    overlaps: list[Overlap]
    quarantined: int = Field(description="Of the rejected: those whose bytes this collector keeps.")
    lost_from_before: int = Field(
        description="Blocks emitted before the range and given up within it; in none of the other numbers."
    )
    emitted_bytes: int
    stored_bytes: int
    rejected_bytes: int
    dropped_bytes: dict[str, int] = Field(
        description="By reason, lines taken out of blocks that were shipped included."
    )
    dropped_lines: dict[str, int]
    in_flight_bytes: int
    stored_rows: int = Field(description="As ClickHouse counted them.")


class Way(BaseModel):
    """An agent's way to one of its collectors."""

    url: str
    state: str = Field(description="Of its breaker: closed, half_open, open.")
    key_refused: bool
    current: bool = Field(description="New blocks go there.")


class Breaker(BaseModel):
    """The agent's own breaker on its collectors."""

    state: str = Field(description="Of the best of them: closed, half_open, open.")
    key_refused: bool = Field(description="None of them takes its key.")
    collectors: list[Way]


class Agent(BaseModel):
    """An agent's last report."""

    agent: str
    name: str
    version: str
    host: str
    services: list[str]
    started_at: str
    restarts: int = Field(description="Within the window.")
    last_report: str
    clock_skew_ms: int = Field(description="How far its clock seems ahead of this collector's.")
    lag_bytes: int
    spool_bytes: int
    spool_blocks: int
    oldest_age_s: float = Field(description="Age of the oldest block on its way.")
    breaker: Breaker | None = Field(description="Null: the agent does not say.")
    dropped: dict[str, int] = Field(description="Blocks by reason, since its data directory was made.")
    rejected: int = Field(description="Blocks, since its data directory was made.")
    state: str = Field(
        description="up, spooling (blocks wait for the collector), refused (its breaker on the collector is not closed, or its key is not taken), "
        "silent (three reports are missing)."
    )


class LedgerAsked(Windowed):
    """Parameters of ``/ledger``."""

    service: str = Field("", description="Only this service.")


@router.get("/ledger", response_model=Page[LedgerEntry])
def list_ledger(ask: Ask, asked: Annotated[LedgerAsked, Query()]) -> Response:
    """What each agent emitted between its last reports before start and before end, and what became of it."""
    return answer(ledger(ask.reader, asked.window(ask.now_ns), asked.service), ask.reader.cost)


@router.get("/agents", response_model=Page[Agent])
def list_agents(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Agents that reported in the window."""
    return answer(agents(ask.reader, asked.window(ask.now_ns)), ask.reader.cost)


class Quarantined(BaseModel):
    """A batch that the data itself made unloadable."""

    received_at: str
    batch_id: str
    format: str
    target: str
    reason: str = Field(description="ClickHouse's words.")
    bytes: int


@router.get("/quarantine", response_model=Page[Quarantined])
def list_quarantined(ask: Ask, asked: Annotated[Limited, Query()]) -> Response:
    """Batches set aside, with the reason, newest first; `env` is not known of them."""
    return answer(quarantined(ask.reader, asked.window(ask.now_ns), asked.limit), ask.reader.cost)
