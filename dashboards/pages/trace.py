"""One trace: the waterfall with its logs and breaker transitions on the same time axis, and what the trace waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.flame import Flame, lay_flame
from dashboards.pages.page import Page, Visit, rows_of, text_of
from dashboards.render import Help
from dashboards.span_list import SORTS, SpanList, list_spans
from dashboards.walk import number_of
from dashboards.waterfall import Choice, Waterfall, lay_out
from dashboards.window import BadParameterError

SHOWN_ROWS = 400
"""Rows that a person can take in and a phone scrolls smoothly; of more, the most telling ones are shown."""
OPERATIONS = 8
VIEWS = ("waterfall", "flame", "list")

LOGS_REACH = timedelta(minutes=5)
"""Clocks differ between machines and consumers come later: logs are looked for this far around the spans."""


@dataclass(frozen=True)
class Part:
    """One page of all rows in order."""

    first: int
    last: int
    total: int
    before_url: str
    after_url: str


@dataclass(frozen=True)
class Operation:
    """All spans of one service and name: what the trace waited for, and what ran."""

    row: Row
    share: float
    critical_ms: float
    self_ms: float


@dataclass(frozen=True)
class TraceContext:
    """Everything the page of one trace shows."""

    answer: Annotated[Section, Help("GET /traces/{trace_id}.", decides_status=True)]
    trace_id: Annotated[str, Help("The trace's id, 32 hex digits.")]
    waterfall: Annotated[Waterfall | None, Help("Rows on one time axis; None if there is no such trace.")]
    folded: Annotated[bool, Help("True if only the most telling of its rows are shown.")]
    part: Annotated[Part | None, Help("Which of the rows are shown, when they are read page by page.")]
    whole_url: Annotated[str, Help("All rows in order, from the first on.")]
    telling_url: Annotated[str, Help("The most telling rows again.")]
    root: Annotated[Row | None, Help("The first root span.")]
    services: Annotated[tuple[str, ...], Help("Services that took part, in order of appearance.")]
    errors: Annotated[int, Help("How many spans failed.")]
    spans: Annotated[int, Help("How many spans there are here.")]
    left_out: Annotated[int, Help("Spans stored beyond what the API answers.")]
    cut: Annotated[bool, Help("True if the API cut attributes because the trace is very large.")]
    missing: Annotated[int, Help("Parents that were not received.")]
    skewed: Annotated[int, Help("Spans moved because of their clocks.")]
    view: Annotated[str, Help("waterfall, flame or list.")]
    view_urls: Annotated[
        tuple[tuple[str, str], ...], Help("(view, link) of the three ways to see the trace.")
    ]
    flame: Annotated[Flame | None, Help("The trace as a flame, when it is looked at.")]
    listed: Annotated[SpanList | None, Help("A page of its spans as a list, when it is looked at.")]
    sort: Annotated[str, Help("How the list is ordered.")]
    named: Annotated[str, Help("Letters that service or name must have; empty: any.")]
    sort_urls: Annotated[Mapping[str, str], Help("The list in each order.")]
    next_url: Annotated[str, Help("The list's next page; empty on the last.")]
    operations: Annotated[
        tuple[Operation, ...], Help("By service and name, the largest part of the critical path first.")
    ]
    logs_url: Annotated[str, Help("The logs of every service on this trace.")]


async def load(visit: Visit) -> TraceContext:
    """Ask for one trace with its logs and transitions."""
    if len(visit.segments) != 2:
        raise HTTPException(404)
    trace_id = visit.segments[1]
    answer = await visit.api.get("traces", trace_id)
    row = answer.first or {}
    spans = rows_of(row.get("spans"))
    view, sort = _view(visit), _sort(visit)
    listed = (
        list_spans(
            spans, sort, visit.text("named"), visit.count("from", 1, 10**6), _span_url(visit, trace_id)
        )
        if view == "list"
        else None
    )
    first = visit.count("row", 1, 10**6) - 1 if visit.text("row") else None
    made = _waterfall(row, Choice(SHOWN_ROWS, first, visit.text("span"))) if answer.first else None
    window = visit.window
    if made and made.rows:
        window = window.between(made.starts_at - LOGS_REACH, made.ends_at + LOGS_REACH)
    whole = bool(made and made.total <= SHOWN_ROWS)
    return TraceContext(
        answer=answer,
        trace_id=trace_id,
        waterfall=made,
        folded=bool(made) and not whole and first is None,
        part=_part(visit, trace_id, made, first) if made and first is not None and not whole else None,
        whole_url=visit.window.url("traces", trace_id, row=1),
        telling_url=visit.window.url("traces", trace_id),
        root=made.root if made else None,
        services=tuple(dict.fromkeys(str(span.get("service", "")) for span in spans)),
        errors=sum(1 for span in spans if span.get("status") == "error"),
        spans=len(spans),
        left_out=max(0, number_of(row.get("spans_total")) - len(spans)),
        cut=row.get("values_cut") is True,
        missing=len(rows_of(row.get("missing_parents"))),
        skewed=sum(1 for span in spans if number_of(span.get("skew_ns"))),
        view=view,
        view_urls=tuple(
            (each, visit.window.url("traces", trace_id, view=each if each != VIEWS[0] else ""))
            for each in VIEWS
        ),
        flame=lay_flame(spans, _span_url(visit, trace_id)) if view == "flame" else None,
        listed=listed,
        sort=sort,
        named=visit.text("named"),
        sort_urls={
            each: visit.window.url("traces", trace_id, view="list", sort=each, named=visit.text("named"))
            for each in SORTS
        },
        next_url=_next(visit, trace_id, sort, listed),
        operations=_operations(rows_of(row.get("operations"))),
        logs_url=window.url("logs", query=f"trace_id:{trace_id}"),
    )


def _view(visit: Visit) -> str:
    view = visit.text("view") or VIEWS[0]
    if view not in VIEWS:
        raise BadParameterError("view", view, f"write one of {', '.join(VIEWS)}")
    return view


def _sort(visit: Visit) -> str:
    sort = visit.text("sort") or "start"
    if sort not in SORTS:
        raise BadParameterError("sort", sort, f"write one of {', '.join(SORTS)}")
    return sort


def _span_url(visit: Visit, trace_id: str) -> Callable[[Row], str]:
    """A click on a span leads to the waterfall, where it is open."""
    return lambda row: visit.window.trace_url(trace_id, text_of(row, "span_id"))


def _next(visit: Visit, trace_id: str, sort: str, listed: SpanList | None) -> str:
    if not listed or listed.last >= listed.total:
        return ""
    more = {"view": "list", "sort": sort, "named": visit.text("named"), "from": listed.last + 1}
    return visit.window.url("traces", trace_id, **more)


def _waterfall(row: Row, choice: Choice) -> Waterfall:
    spans, logs, transitions, path = (
        rows_of(row.get(name)) for name in ("spans", "logs", "transitions", "critical_path")
    )
    return lay_out(spans, logs, transitions, path, choice)


def _part(visit: Visit, trace_id: str, made: Waterfall, first: int) -> Part:
    def url(row: int) -> str:
        return visit.window.url("traces", trace_id, row=row + 1)

    last = min(made.total, first + SHOWN_ROWS)
    before = url(max(0, first - SHOWN_ROWS)) if first > 0 else ""
    return Part(first + 1, last, made.total, before, url(last) if last < made.total else "")


def _operations(rows: tuple[Row, ...]) -> tuple[Operation, ...]:
    """Give the operations the trace waited for, with their shares of all the waiting."""
    waited = sum(number_of(row.get("critical_ns")) for row in rows) or 1
    return tuple(
        Operation(row, critical / waited, critical / 1e6, number_of(row.get("self_ns")) / 1e6)
        for row in rows[:OPERATIONS]
        if (critical := number_of(row.get("critical_ns")))
    )


PAGE = Page("/traces/{rest:path}", "trace.html", "traces", TraceContext, load)
