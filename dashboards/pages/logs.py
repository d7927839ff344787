"""Logs: search box, histogram, facets, rows with their next steps, older pages by cursor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.histogram import Bar, bars
from dashboards.pages.page import Page, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.timestamps import moment, nanoseconds, rfc3339
from dashboards.window import Window

PAGE_ROWS = 100
HIGHEST_ROWS = 500
BUCKETS = 60
PREVIEW_CHARS = 160
"""Two lines at 1280 px."""
FACETS = ("severity", "service")


@dataclass(frozen=True)
class LogRow:
    """One log record and where to go from it."""

    row: Row
    marked: bool
    trace_url: str
    around_url: str
    service_url: str

    @property
    def attributes(self) -> list[tuple[str, object]]:
        """The record's attributes by name."""
        return _pairs(self.row.get("attributes"))

    @property
    def preview(self) -> str:
        """The first attributes on one line: structured logs say little in their body."""
        pairs = "  ".join(f"{name}={value}" for name, value in self.attributes)
        return pairs if len(pairs) <= PREVIEW_CHARS else pairs[:PREVIEW_CHARS] + "…"

    @property
    def resource(self) -> list[tuple[str, object]]:
        """The resource's attributes by name."""
        return _pairs(self.row.get("resource"))


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet; the link narrows the search to it."""

    value: str
    count: object
    url: str


@dataclass(frozen=True)
class LogsContext:
    """Everything the Logs page shows."""

    query: Annotated[str, Help("The search, as typed.")]
    answer: Annotated[Section, Help("GET /logs: one page of rows, newest first.", decides_status=True)]
    histogram: Annotated[Section, Help("GET /logs/histogram: why the bars are missing if it failed.")]
    facets: Annotated[Section, Help("GET /logs/facets: why the values are missing if it failed.")]
    rows: Annotated[tuple[LogRow, ...], Help("Log records with their links.")]
    bars: Annotated[
        tuple[tuple[Bar, str], ...], Help("Stacked counts per bucket, each with the link that zooms in.")
    ]
    facet_values: Annotated[
        tuple[tuple[str, tuple[FacetValue, ...]], ...], Help("(field, top values) for narrowing.")
    ]
    older_url: Annotated[str, Help("The next page; empty on the last one.")]
    newest_url: Annotated[str, Help("Back to the first page; empty on it.")]
    clear_url: Annotated[str, Help("The same range without a search.")]
    patterns_url: Annotated[str, Help("The same records, grouped by what they say.")]


async def load(visit: Visit) -> LogsContext:
    """Ask for one page of records, the histogram and the facets of the whole range."""
    query, cursor = visit.text("query"), visit.text("cursor")
    limit = visit.count("limit", PAGE_ROWS, HIGHEST_ROWS)
    asked = {**visit.question, "query": query}
    answer, histogram, facets = await asyncio.gather(
        visit.api.get("logs", params={**asked, "limit": str(limit), "cursor": cursor}),
        visit.api.get("logs", "histogram", params={**asked, "buckets": str(BUCKETS)}),
        visit.api.get("logs", "facets", params={**asked, "fields": ",".join(FACETS)}),
    )
    window, mark, narrowed = visit.window, visit.text("mark"), visit.text("limit")
    older = window.fixed().url("logs", query=query, limit=narrowed, cursor=answer.next_cursor)
    return LogsContext(
        query=query,
        answer=answer,
        histogram=histogram,
        facets=facets,
        rows=tuple(log_row(row, window, mark) for row in answer.rows),
        bars=_linked_bars(histogram.rows, window, query),
        facet_values=tuple((text_of(row, "field"), _values(row, window, query)) for row in facets.rows),
        older_url=older if answer.next_cursor else "",
        newest_url=window.url("logs", query=query, limit=narrowed) if cursor else "",
        clear_url=window.url("logs"),
        patterns_url=window.url("patterns", query=query),
    )


def log_row(row: Row, window: Window, mark: str = "") -> LogRow:
    """Give a log record its next steps: its trace, the logs around it, its service."""
    service, trace_id = text_of(row, "service"), text_of(row, "trace_id")
    record_id = text_of(row, "id")
    at = _moment(text_of(row, "occurred_at"))
    near = window.around(at) if at else window
    return LogRow(
        row=row,
        marked=bool(mark) and record_id == mark,
        trace_url=window.trace_url(trace_id, text_of(row, "span_id")),
        around_url=near.url("logs", query=f"service:{quoted(service)}", mark=record_id) if service else "",
        service_url=window.url("services", service) if service else "",
    )


def _linked_bars(rows: tuple[Row, ...], window: Window, query: str) -> tuple[tuple[Bar, str], ...]:
    made = []
    for bar in bars(rows, rfc3339(window.end)):
        start, end = _moment(bar.at), _moment(bar.until)
        zoomed = window.between(start, end) if start and end and end > start else window
        made.append((bar, zoomed.url("logs", query=query)))
    return tuple(made)


def _values(row: Row, window: Window, query: str) -> tuple[FacetValue, ...]:
    name = text_of(row, "field")
    return tuple(
        FacetValue(
            value=text_of(each, "value"),
            count=each.get("count"),
            url=window.url("logs", query=narrow(query, f"{name}:{quoted(text_of(each, 'value'))}")),
        )
        for each in rows_of(row.get("values"))
    )


def narrow(query: str, term: str) -> str:
    """Add *term* to a search without changing what its ORs mean."""
    if not query:
        return term
    return f"({query}) AND {term}" if " OR " in query else f"{query} {term}"


def _pairs(value: object) -> list[tuple[str, object]]:
    return sorted((str(name), item) for name, item in value.items()) if isinstance(value, dict) else []


def _moment(text: str) -> datetime | None:
    try:
        return moment(nanoseconds(text))
    except ValueError:
        return None


PAGE = Page("/logs", "logs.html", "logs", LogsContext, load)
