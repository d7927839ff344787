"""One trace: the waterfall with its logs and breaker transitions on the same time axis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, rows_of
from dashboards.render import Help
from dashboards.waterfall import Waterfall, lay_out

SHOWN_ROWS = 2000
"""Rows of HTML a browser still scrolls smoothly; the page says when a trace has more."""

LOGS_REACH = timedelta(minutes=5)
"""Clocks differ between machines and consumers come later: logs are looked for this far around the spans."""


@dataclass(frozen=True)
class TraceContext:
    """Everything the page of one trace shows."""

    answer: Annotated[Section, Help("GET /traces/{trace_id}.", decides_status=True)]
    trace_id: Annotated[str, Help("The trace's id, 32 hex digits.")]
    waterfall: Annotated[Waterfall | None, Help("Rows on one time axis; None if there is no such trace.")]
    hidden: Annotated[int, Help("Rows left out because the page would be too long.")]
    root: Annotated[Row | None, Help("The first root span.")]
    services: Annotated[tuple[str, ...], Help("Services that took part, in order of appearance.")]
    errors: Annotated[int, Help("How many spans failed.")]
    logs_url: Annotated[str, Help("The logs of every service on this trace.")]


async def load(visit: Visit) -> TraceContext:
    """Ask for one trace with its logs and transitions."""
    if len(visit.segments) != 2:
        raise HTTPException(404)
    trace_id = visit.segments[1]
    answer = await visit.api.get("traces", trace_id)
    row = answer.first or {}
    spans = rows_of(row.get("spans"))
    made = lay_out(spans, rows_of(row.get("logs")), rows_of(row.get("transitions"))) if answer.first else None
    window = visit.window
    if made and made.rows:
        window = window.between(made.starts_at - LOGS_REACH, made.ends_at + LOGS_REACH)
    return TraceContext(
        answer=answer,
        trace_id=trace_id,
        waterfall=made.cut(SHOWN_ROWS) if made else None,
        hidden=max(0, len(made.rows) - SHOWN_ROWS) if made else 0,
        root=made.root if made else None,
        services=tuple(dict.fromkeys(str(span.get("service", "")) for span in spans)),
        errors=sum(1 for span in spans if span.get("status") == "error"),
        logs_url=window.url("logs", query=f"trace_id:{trace_id}"),
    )


PAGE = Page("/traces/{rest:path}", "trace.html", "traces", TraceContext, load)
