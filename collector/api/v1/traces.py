"""``/traces``: search, heatmap, comparison, and one trace with its logs and transitions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import LIMIT_MOST, Ask, Paged, Searched, Windowed
from collector.api.v1.breakers import Transition
from collector.api.v1.logs import LogRecord
from collector.errors import QueryError
from collector.query.search import SPANS, compile_search
from collector.query.window import Window, parse_time
from collector.read import trace, trace_compare, trace_heatmap, traces

router = APIRouter(prefix="/traces", tags=["traces"])
# Where log records of a trace without spans are looked for when no window is given.
_DAY_S = 86_400
_LONGEST_MS = 1e12


class TraceSummary(BaseModel):
    """A trace in a list."""

    trace_id: str
    root_service: str
    root_name: str
    root_missing: bool = Field(
        description="Its root has not been received: service and name are those of its earliest span."
    )
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
    start: str = Field(description="As the service's clock said.")
    duration_ns: int
    status: str = Field(description="ok, error, unset.")
    status_message: str
    attributes: dict[str, str]
    resource: dict[str, str]
    events: list[dict[str, Any]] = Field(description="{at, name, attributes}.")
    links: list[dict[str, Any]] = Field(description="{trace_id, span_id, trace_state, attributes}.")
    skew_ns: int = Field(description="How far it is moved because its clock differs from its parent's.")
    adjusted_start: str = Field(description="start + skew_ns.")
    self_ns: int = Field(description="Time in which none of its children ran.")
    critical_ns: int = Field(description="Its part of the critical path; 0: not on it.")
    parent_index: int | None = Field(
        description="The place in spans of the one it stands under, twins and rings sorted out."
    )
    missing_parent: bool = Field(description="It names a parent that was not received.")
    duplicate: bool = Field(description="An earlier span has the same id.")


class TraceLog(LogRecord):
    """A log record of a trace."""

    skew_ns: int = Field(description="How far it is moved with its span.")


class TimelineEntry(BaseModel):
    """A place in one of the three lists."""

    at: str = Field(description="Corrected, as adjusted_start is.")
    kind: Literal["span", "log", "transition"]
    index: int = Field(description="Its place in spans, logs or transitions.")


class CriticalSegment(BaseModel):
    """One uninterrupted part of the critical path."""

    index: int = Field(description="The span's place in spans.")
    span_id: str
    start: str
    duration_ns: int


class Operation(BaseModel):
    """All spans of one service and name."""

    service: str
    name: str
    spans: int
    errors: int
    critical_ns: int
    self_ns: int


class MissingParent(BaseModel):
    """A span that others stand under and that was not received."""

    span_id: str
    children: int


class Trace(BaseModel):
    """One trace whole, everything oldest first."""

    trace_id: str
    spans: list[Span]
    logs: list[TraceLog]
    transitions: list[Transition] = Field(
        description="Of the trace's services while it ran, and those it caused."
    )
    timeline: list[TimelineEntry] = Field(description="The three lists as one.")
    critical_path: list[CriticalSegment] = Field(
        description="Which span the trace waited for, from its beginning to its end."
    )
    operations: list[Operation] = Field(
        description="By service and name, the largest part of the critical path first."
    )
    missing_parents: list[MissingParent]
    spans_total: int = Field(description=f"Spans stored; more than {trace.SPANS_MOST} are not all answered.")
    values_cut: bool = Field(
        description=f"The spans are more than {trace.BYTES_MOST >> 20} MiB: values are cut at 256 bytes, attributes at 64 per span, events and links left out."
    )


class Heatmap(BaseModel):
    """Traces per bucket of time and duration."""

    times: list[str] = Field(description="Edges of the columns.")
    durations_ms: list[float] = Field(description="Edges of the rows, shortest first.")
    cells: list[dict[str, int]] = Field(description="{column, row, traces, errors}; empty ones are left out.")
    traces: int
    errors: int


class Pair(BaseModel):
    """An attribute value of one service's spans, and how many traces have it."""

    service: str
    key: str = Field(description="An attribute, a resource attribute, or name, status, status_message, kind.")
    value: str
    cut: bool = Field(description=f"The value is longer than the {trace_compare.VALUE_CHARS} bytes shown.")
    score: float = Field(description="What the shares differ by at least, with 95 % confidence; 0 to 1.")
    selected: int
    rest: int
    selected_share: float
    rest_share: float


class Sample(BaseModel):
    """What was compared."""

    selected: int
    rest: int
    start: str
    end: str


class Comparison(BaseModel):
    """What sets the selected traces apart."""

    selected: int = Field(description="Selected traces in the window.")
    rest: int = Field(description="The other traces that fit.")
    sample: Sample | None = Field(description="null: there is nothing on one side.")
    pairs: list[Pair]


class TracesAsked(Searched):
    """Which traces."""

    service: str = Field("", description="Only traces with a span of this service.")
    name: str = Field("", description="The span's name (its operation), whole.")
    status: Literal["", "ok", "error", "unset"] = Field("", description="The span's status.")
    error: bool | None = Field(None, description="Only failed (`true`) or only unfailed (`false`) traces.")
    min_duration_ms: float = Field(
        0.0, ge=0, le=_LONGEST_MS, description="Only traces that took at least this long."
    )
    max_duration_ms: float | None = Field(
        None, gt=0, le=_LONGEST_MS, description="Only traces that took less than this."
    )

    def wanted(self, now_ns: int) -> traces.Wanted:
        """Read them."""
        return traces.Wanted(
            window=self.window(now_ns),
            search=compile_search(self.query, SPANS, now_ns),
            env=self.env,
            service=self.service,
            name=self.name,
            status=self.status,
            error=self.error,
            min_duration_ms=self.min_duration_ms,
            max_duration_ms=self.max_duration_ms,
        )


class TraceListAsked(Paged, TracesAsked):
    """Parameters of ``/traces``."""

    order: traces.Order = Field("newest", description="`newest` or `slowest` first.")


class HeatmapAsked(TracesAsked):
    """Parameters of ``/traces/heatmap``."""

    columns: int = Field(60, ge=1, le=300, description="About how many buckets of time.")
    rows: int = Field(24, ge=1, le=100, description="At most how many buckets of duration.")


class CompareAsked(TracesAsked):
    """Parameters of ``/traces/compare``."""

    selected_start: str | None = Field(None, description="Selected are traces that began then or later.")
    selected_end: str | None = Field(None, description="… that began before.")
    selected_min_ms: float | None = Field(
        None, ge=0, le=_LONGEST_MS, description="… that took at least so long."
    )
    selected_max_ms: float | None = Field(None, gt=0, le=_LONGEST_MS, description="… that took less.")
    selected_error: bool | None = Field(None, description="… that failed, or did not.")
    limit: int = Field(30, ge=1, le=LIMIT_MOST, description="Most pairs of the answer.")

    def selection(self, now_ns: int) -> trace_compare.Selection:
        """
        Read what is selected.

        Raises:
            QueryError: Nothing is.
        """
        selection = trace_compare.Selection(
            _time(self.selected_start, "selected_start", now_ns),
            _time(self.selected_end, "selected_end", now_ns),
            self.selected_min_ms,
            self.selected_max_ms,
            self.selected_error,
        )
        if selection == trace_compare.Selection():
            names = "selected_start, selected_end, selected_min_ms, selected_max_ms, selected_error"
            raise QueryError(
                "nothing_selected",
                f"say which traces to explain by one or more of {names}",
                "selected_min_ms",
            )
        return selection


def _time(text: str | None, param: str, now_ns: int) -> int | None:
    return None if text is None else parse_time(text, param, now_ns)


@router.get("", response_model=Page[TraceSummary])
def list_traces(ask: Ask, asked: Annotated[TraceListAsked, Query()]) -> Response:
    """Traces that began in the window, newest or slowest first; `query`, `service`, `name` and `status` are about one span of the trace."""
    page = traces.Page(asked.order, asked.limit, asked.cursor)
    found = traces.search(ask.reader, asked.wanted(ask.now_ns), page)
    return answer(found.rows, ask.reader.cost, found.next_cursor, found.warnings)


@router.get("/heatmap", response_model=Page[Heatmap])
def heatmap(ask: Ask, asked: Annotated[HeatmapAsked, Query()]) -> Response:
    """Traces and failed ones per bucket of time and (logarithmic) duration, with the edges that select them."""
    made = trace_heatmap.heatmap(ask.reader, asked.wanted(ask.now_ns), asked.columns, asked.rows)
    return answer([made], ask.reader.cost)


@router.get("/compare", response_model=Page[Comparison])
def compare(ask: Ask, asked: Annotated[CompareAsked, Query()]) -> Response:
    """Which attribute values set the selected traces (slow, failed, of some minutes) apart from the others that fit, ranked."""
    made = trace_compare.compare(
        ask.reader, asked.wanted(ask.now_ns), asked.selection(ask.now_ns), asked.limit
    )
    return answer([made], ask.reader.cost)


@router.get("/{trace_id}", response_model=Page[Trace])
def one_trace(ask: Ask, trace_id: str, asked: Annotated[Windowed, Query()]) -> Response:
    """One trace: its spans, every service's log records of it, and the breakers' transitions around it, on one time line; its critical path."""
    window = asked.window(ask.now_ns)
    if asked.start is None:
        window = Window(window.end_ns, window.end_ns, window.now_ns).last(_DAY_S)
    return answer([trace.trace(ask.reader, trace_id, window)], ask.reader.cost)
