"""``/causes``: where trouble began."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.health.causes import causes

router = APIRouter(tags=["services"])


class CauseEvidence(BaseModel):
    """One sign of trouble."""

    code: str = Field(
        description="errors, latency, gone, unanswered, retries, log_errors, cpu, …: docs/health.md."
    )
    message: str
    value: float = Field(description="What was reached: a ratio, milliseconds, a count.")
    threshold: float = Field(description="What is usual.")
    url: str = Field(description="The page that shows it.")


class ProbableCause(BaseModel):
    """A service, or something that services call, that trouble may have begun in."""

    service: str
    env: str
    kind: str = Field(
        description="service, or dependency: it sends nothing itself and is judged by the calls to it."
    )
    score: float = Field(description="0 to 1; how far above the next one says how sure it is.")
    began: str | None = Field(description="The first failing or slow call, else the first abnormal minute.")
    evidence: list[CauseEvidence]
    path: list[str] = Field(
        description="From whoever feels it to the cause, along calls that fail or are slow."
    )


class CausesAsked(Limited):
    """Parameters of ``/causes``."""

    service: str = Field("", description="Whose trouble; empty: anybody's.")


@router.get("/causes", response_model=Page[ProbableCause])
def list_causes(ask: Ask, asked: Annotated[CausesAsked, Query()]) -> Response:
    """Probable causes of trouble in the window, the likeliest first; none where all is as usual."""
    rows = causes(ask.reader, asked.window(ask.now_ns), asked.env, asked.service)
    return answer(rows[: asked.limit], ask.reader.cost)
