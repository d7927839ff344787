"""
Query parameters: models that forbid what they do not name.

A wrong or unknown parameter is a 400 that names it and quotes the value (``failure.py`` translates pydantic's words).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from collector.api.parts import CALLER, ApiParts
from collector.api.watch import QUESTION
from collector.query.window import Window, parse_window
from collector.read.sql import Reader
from collector.receive.authenticate import ANYONE, Key
from collector.store.question import Question

LIMIT_MOST = 10_000
# Of ClickHouse, for all statements of one streamed answer.
_STREAM_S = 900.0


class Asked(BaseModel):
    """The base of all parameter models."""

    model_config = ConfigDict(extra="forbid")


class Windowed(Asked):
    """A time window and an environment."""

    start: str | None = Field(
        None, description="RFC 3339, epoch (s, ms), `-15m`, `now-1h`; default: one hour before `end`."
    )
    end: str | None = Field(None, description="As `start`; default: now. The window is start ≤ t < end.")
    env: str = Field("", description="Only this deployment.environment.name; empty: every one.")

    def window(self, now_ns: int) -> Window:
        """Read start and end."""
        return parse_window(self.start, self.end, now_ns)


class Limited(Windowed):
    """A window and the most rows wanted."""

    limit: int = Field(100, ge=1, le=LIMIT_MOST, description=f"Most rows of the answer, 1 to {LIMIT_MOST}.")


class Paged(Limited):
    """A window, a limit, and where to go on."""

    cursor: str | None = Field(
        None, description="`next_cursor` of the page before; it also fixes the window."
    )


class Searched(Windowed):
    """A window and a search."""

    query: str = Field(
        "",
        description='Lucene-style: `service:checkout severity:>=error "connection refused" -path:"/health"`.',
    )


Order = Literal["asc", "desc"]


class Asker:
    """One request's way to the parts: its reader and its clock."""

    def __init__(self, request: Request) -> None:
        parts: ApiParts = request.app.state.parts
        self.parts = parts
        self.now_ns = parts.clock_ns()
        self.caller: Key = request.scope.get(CALLER, ANYONE)
        self.question: Question | None = request.scope.get(QUESTION)
        self.reader = Reader(
            parts.store,
            limits=parts.limits,
            question=self.question,
            bulkhead=parts.bulkhead,
            present=parts.present,
            kept=parts.kept,
            unloaded_ns=parts.unloaded_ns,
        )

    def unhurried(self) -> Reader:
        """Give the reader for an answer that is read as it is made: its time is that of who reads, within reason."""
        if self.question is not None:
            self.question.limits = replace(self.question.limits, time_s=_STREAM_S)
        return self.reader


async def _asker(request: Request) -> Asker:
    """Make it on the loop: a class would be called in a thread."""
    return Asker(request)


Ask = Annotated[Asker, Depends(_asker)]
