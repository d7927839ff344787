"""``/traces``: search, and one trace with its logs and transitions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Paged, Searched, Windowed
from collector.api.v1.breakers import Transition
from collector.api.v1.logs import LogRecord
from collector.query.search import SPANS, compile_search
from collector.query.window import Window
from collector.read import traces

router = APIRouter(prefix="/traces", tags=["traces"])
# Where log records of a trace without spans are looked for when no window is given.
_DAY_S = 86_400


class TraceSummary(BaseModel):
    """A trace in a list."""

    trace_id: str
    root_service: str
    root_name: str
    start: str
    duration_ms: float
    spans: int
    services: list[str]
    error: bool = Field(description="Whether some span failed.")


class Span(BaseModel):
    """One span."""

    span_id: str
    parent_span_id: str
    service: str
    env: str
    name: str
    kind: str = Field(description="server, client, producer, consumer, internal.")
    start: str
    duration_ns: int
    status: str = Field(description="ok, error, unset.")
    status_message: str
    attributes: dict[str, str]
    resource: dict[str, str]
    events: list[dict[str, Any]] = Field(description="{at, name, attributes}.")
    links: list[dict[str, Any]] = Field(description="{trace_id, span_id, trace_state, attributes}.")


class Trace(BaseModel):
    """One trace whole, everything oldest first."""

    trace_id: str
    spans: list[Span]
    logs: list[LogRecord]
    transitions: list[Transition] = Field(
        description="Of the trace's services while it ran, and those it caused."
    )


class TracesAsked(Paged, Searched):
    """Parameters of ``/traces``."""

    service: str = Field("", description="Only traces with a span of this service.")
    error: bool | None = Field(None, description="Only failed (`true`) or only unfailed (`false`) traces.")
    min_duration_ms: float = Field(
        0.0, ge=0, le=1e12, description="Only traces that took at least this long."
    )


@router.get("", response_model=Page[TraceSummary])
def list_traces(ask: Ask, asked: Annotated[TracesAsked, Query()]) -> Response:
    """Traces that began in the window, newest first; `query` is about some span of the trace."""
    question = traces.TraceQuestion(
        window=asked.window(ask.now_ns),
        search=compile_search(asked.query, SPANS, ask.now_ns),
        env=asked.env,
        service=asked.service,
        error=asked.error,
        min_duration_ms=asked.min_duration_ms,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    rows, cursor = traces.search(ask.reader, question)
    return answer(rows, ask.reader.cost, cursor)


@router.get("/{trace_id}", response_model=Page[Trace])
def one_trace(ask: Ask, trace_id: str, asked: Annotated[Windowed, Query()]) -> Response:
    """One trace: its spans, every service's log records of it, and the breakers' transitions around it."""
    window = asked.window(ask.now_ns)
    if asked.start is None:
        window = Window(window.end_ns, window.end_ns, window.now_ns).last(_DAY_S)
    return answer([traces.trace(ask.reader, trace_id, window)], ask.reader.cost)
