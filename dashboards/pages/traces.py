"""Traces: the newest ones that match, failing ones marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.pages.page import Page, Visit
from dashboards.render import Help
from dashboards.window import BadParameterError

PAGE_ROWS = 50


@dataclass(frozen=True)
class TracesContext:
    """Everything the Traces page shows."""

    answer: Annotated[
        Section, Help("GET /traces: root, start, duration, spans, services, error.", decides_status=True)
    ]
    query: Annotated[str, Help("The search over span attributes, as typed.")]
    service: Annotated[str, Help("Only traces this service took part in; empty for all.")]
    error: Annotated[bool, Help("True to show failing traces only.")]
    min_duration_ms: Annotated[str, Help("Only traces that took at least this many milliseconds.")]
    longest_ms: Annotated[float, Help("Longest duration on the page: the full width of a bar.")]
    older_url: Annotated[str, Help("The next page; empty on the last one.")]


async def load(visit: Visit) -> TracesContext:
    """Ask for one page of traces."""
    asked = {
        "query": visit.text("query"),
        "service": visit.text("service"),
        "error": "true" if visit.text("error") in ("true", "on", "1") else "",
        "min_duration_ms": _duration(visit.text("min_duration_ms")),
    }
    cursor = visit.text("cursor")
    answer = await visit.api.get(
        "traces", params={**visit.question, **asked, "cursor": cursor, "limit": str(PAGE_ROWS)}
    )
    durations = [row.get("duration_ms") for row in answer.rows]
    return TracesContext(
        answer=answer,
        query=asked["query"],
        service=asked["service"],
        error=bool(asked["error"]),
        min_duration_ms=asked["min_duration_ms"],
        longest_ms=max([0.001, *(float(d) for d in durations if isinstance(d, int | float))]),
        older_url=visit.window.fixed().url("traces", **asked, cursor=answer.next_cursor)
        if answer.next_cursor
        else "",
    )


def _duration(text: str) -> str:
    try:
        plausible = not text or 0 <= float(text) < 1e12
    except ValueError:
        plausible = False
    if not plausible:
        raise BadParameterError("min_duration_ms", text, "write milliseconds, such as 250")
    return text


PAGE = Page("/traces", "traces.html", "traces", TracesContext, load)
