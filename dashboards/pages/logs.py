"""Logs: search box, histogram, rows with their next steps, older pages by cursor, live tail, export, saved views."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlencode

from dashboards.api import Row, Section
from dashboards.histogram import Bar, bars
from dashboards.pages.facets import PARTS, chosen_fields
from dashboards.pages.page import Page, Visit, quoted, text_of
from dashboards.render import Help
from dashboards.timestamps import moment, nanoseconds, rfc3339
from dashboards.window import DEFAULT_END, DEFAULT_START, Window

PAGE_ROWS = 100
HIGHEST_ROWS = 500
BUCKETS = 60
PREVIEW_CHARS = 160
"""Two lines at 1280 px."""
TAIL_AGO_S = 5
"""The live tail begins with what was stored since the page asked; what it shows already is left out."""


@dataclass(frozen=True)
class LogRow:
    """One log record and where to go from it."""

    row: Row
    marked: bool
    trace_url: str
    around_url: str
    context_url: str
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
class SavedView:
    """A saved view and where it leads."""

    id: str
    name: str
    title: str
    url: str


@dataclass(frozen=True)
class LogsContext:
    """Everything the Logs page shows."""

    query: Annotated[str, Help("The search, as typed.")]
    answer: Annotated[Section, Help("GET /logs: one page of rows, newest first.", decides_status=True)]
    histogram: Annotated[Section, Help("GET /logs/histogram: why the bars are missing if it failed.")]
    rows: Annotated[tuple[LogRow, ...], Help("Log records with their links.")]
    bars: Annotated[
        tuple[tuple[Bar, str], ...], Help("Stacked counts per bucket, each with the link that zooms in.")
    ]
    views: Annotated[Section, Help("GET /views: why saved views are missing if it failed.")]
    saved: Annotated[tuple[SavedView, ...], Help("Saved views of this page.")]
    tail_url: Annotated[
        str, Help("Where the live tail of this search comes from; empty if the range does not end now.")
    ]
    tail_page_url: Annotated[str, Help("This search with the live tail on.")]
    tail_on: Annotated[bool, Help("True if the page begins with the live tail on.")]
    export_urls: Annotated[
        tuple[tuple[str, str], ...], Help("(form, download of every record of this search).")
    ]
    older_url: Annotated[str, Help("The next page; empty on the last one.")]
    newest_url: Annotated[str, Help("Back to the first page; empty on it.")]
    clear_url: Annotated[str, Help("The same range without a search.")]
    patterns_url: Annotated[str, Help("The same records, grouped by what they say.")]


async def load(visit: Visit) -> LogsContext:
    """Ask for one page of records, and for the histogram of the whole range; what to narrow by comes later."""
    query, cursor = visit.text("query"), visit.text("cursor")
    limit = visit.count("limit", PAGE_ROWS, HIGHEST_ROWS)
    chosen = chosen_fields(visit)
    asked = {**visit.question, "query": query}
    answer, histogram, views = await asyncio.gather(
        visit.api.get("logs", params={**asked, "limit": str(limit), "cursor": cursor}),
        visit.api.get("logs", "histogram", params={**asked, "buckets": str(BUCKETS)}),
        visit.api.get("views", params={"page": "logs"}),
    )
    window, mark, narrowed = visit.window, visit.text("mark"), visit.text("limit")
    kept = {"limit": narrowed, "facets": ",".join(chosen)}
    older = window.fixed().url("logs", query=query, **kept, cursor=answer.next_cursor)
    live = window if window.live else replace(window, start_text=DEFAULT_START, end_text=DEFAULT_END)
    return LogsContext(
        query=query,
        answer=answer,
        histogram=histogram,
        rows=tuple(log_row(row, window, mark) for row in answer.rows),
        bars=_linked_bars(histogram.rows, window, query),
        views=views,
        saved=tuple(_saved(row) for row in views.rows),
        tail_url=_stream_url(
            "tail",
            {"query": query, "env": window.env, "since": rfc3339(visit.now - timedelta(seconds=TAIL_AGO_S))},
        ),
        tail_page_url=live.url("logs", query=query, **kept, tail=1),
        tail_on=visit.text("tail") == "1" and window.live and not cursor,
        export_urls=tuple(
            (form, _stream_url("export", {**asked, "format": form})) for form in ("csv", "ndjson")
        ),
        older_url=older if answer.next_cursor else "",
        newest_url=window.url("logs", query=query, **kept) if cursor else "",
        clear_url=window.url("logs"),
        patterns_url=window.url("patterns", query=query),
    )


def _stream_url(name: str, asked: Mapping[str, str]) -> str:
    return f"/logs/{name}?{urlencode({key: value for key, value in asked.items() if value}, quote_via=quote)}"


def _saved(row: Row) -> SavedView:
    asked = {name: text_of(row, name) for name in ("query", "start", "end", "env")}
    title = f"{asked['query'] or 'every record'}, {asked['start']} to {asked['end']}"
    url = f"/logs?{urlencode({key: value for key, value in asked.items() if value}, quote_via=quote)}"
    return SavedView(text_of(row, "id"), text_of(row, "name"), title, url)


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
        context_url=window.url("logs", "context", id=record_id) if record_id else "",
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


def _pairs(value: object) -> list[tuple[str, object]]:
    return sorted((str(name), item) for name, item in value.items()) if isinstance(value, dict) else []


def _moment(text: str) -> datetime | None:
    try:
        return moment(nanoseconds(text))
    except ValueError:
        return None


PAGE = Page("/logs", "logs.html", "logs", LogsContext, load, parts=PARTS)
