"""``/logs/patterns``: what the records of a search say, as templates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Searched
from collector.errors import QueryError
from collector.query.search import LOGS, compile_search
from collector.read import patterns
from collector.read.logs import Slice
from collector.read.own import without_own

router = APIRouter(prefix="/logs/patterns", tags=["logs"])


class Example(BaseModel):
    """A record of a pattern."""

    id: str = Field(description="`<batch_id>:<line>`, for `/logs/{id}/context`.")
    body: str = Field(description="At most its first 1000 characters.")


class Pattern(BaseModel):
    """Records that say the same but for their values."""

    template: str = Field(description="The first line of the body, `<*>` where values stand.")
    count: int = Field(description="Records; scaled up when a warning says that a sample was counted.")
    share: float = Field(description="Of all matching records, 0 to 1.")
    first_seen: str = Field(description="In the window, RFC 3339.")
    last_seen: str = Field(description="In the window, RFC 3339.")
    trend: list[int] = Field(description="Records per step.")
    trend_start: str = Field(description="Where the first step begins.")
    trend_step_s: float = Field(description="Length of a step, seconds.")
    severity: str = Field(description="The worst of its records.")
    services: list[str] = Field(description="Who wrote it, at most 20.")
    examples: list[Example] = Field(description="At most three.")
    new: bool | None = Field(description="Not seen in the window before `new_since`; null: not asked.")
    query: str = Field(description="A search that finds these records.")


class PatternsAsked(Searched):
    """Parameters of ``/logs/patterns``."""

    limit: int = Field(100, ge=1, le=1000, description="Most patterns, 1 to 1000, the commonest first.")
    buckets: int = Field(24, ge=1, le=200, description="About how many numbers the trend has.")
    new_since: str = Field(
        "", description="A time within the window, `deploy` (the newest version of these services) or `deploy:<version>`."
    )  # fmt: skip
    only_new: bool = Field(default=False, description="Only patterns that are new since `new_since`.")


@router.get("", response_model=Page[Pattern])
def log_patterns(ask: Ask, asked: Annotated[PatternsAsked, Query()]) -> Response:
    """What the matching records say: templates with count, share, trend and examples, the commonest first."""
    if asked.only_new and not asked.new_since:
        raise QueryError(
            "bad_parameter", "only_new=true: say since when with new_since, e.g. new_since=deploy", "only_new"
        )
    search = without_own(compile_search(asked.query, LOGS, ask.now_ns), asked.query)
    question = patterns.PatternQuestion(
        Slice(asked.window(ask.now_ns), search, asked.env),
        asked.limit,
        asked.buckets,
        asked.new_since.strip(),
        asked.only_new,
    )
    found = patterns.patterns(ask.reader, question)
    return answer(found.rows, ask.reader.cost, warnings=found.warnings)
