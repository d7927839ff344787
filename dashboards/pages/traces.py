"""Traces: a heatmap of all that match, what sets the selected ones apart, and a list of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.heatmap import Box, Heatmap, lay_out
from dashboards.pages.facets import narrow
from dashboards.pages.page import Page, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.timestamps import parse_moment, rfc3339
from dashboards.window import BadParameterError, Window

PAGE_ROWS = 50
PAIRS = 12
COLUMNS, ROWS = "60", "20"
ORDERS = ("newest", "slowest")
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w.\-]*")
"""Attribute names that a search can name as they are."""


@dataclass(frozen=True)
class Filters:
    """What is asked of all traces, as typed."""

    query: str = ""
    service: str = ""
    name: str = ""
    error: str = ""
    min_duration_ms: str = ""
    max_duration_ms: str = ""

    def parameters(self) -> dict[str, str]:
        """Give them as parameters, of the API and of this page."""
        return {
            "query": self.query,
            "service": self.service,
            "name": self.name,
            "error": self.error,
            "min_duration_ms": self.min_duration_ms,
            "max_duration_ms": self.max_duration_ms,
        }


@dataclass(frozen=True)
class Pair:
    """An attribute value that sets the selected traces apart, and the search for traces that have it."""

    row: Row
    more: bool
    url: str


@dataclass(frozen=True)
class TracesContext:
    """Everything the Traces page shows."""

    answer: Annotated[
        Section, Help("GET /traces: root, start, duration, spans, services, error.", decides_status=True)
    ]
    heatmap: Annotated[Section, Help("GET /traces/heatmap: why the map is missing if it failed.")]
    comparison: Annotated[Section, Help("GET /traces/compare: empty while nothing is selected.")]
    filters: Annotated[Filters, Help("What was asked, as typed.")]
    order: Annotated[str, Help("newest or slowest first.")]
    map: Annotated[Heatmap | None, Help("The heatmap; None if there is no trace.")]
    selected: Annotated[
        Mapping[str, str], Help("The selection's parameters; empty while nothing is selected.")
    ]
    compared: Annotated[
        Row, Help("What was compared: selected, rest, sample; empty while nothing is selected.")
    ]
    pairs: Annotated[tuple[Pair, ...], Help("What sets the selected traces apart, the clearest first.")]
    drag_url: Annotated[str, Help("This page without a selection; a drag adds its own.")]
    failing_url: Annotated[str, Help("This page with the failing traces selected.")]
    order_url: Annotated[str, Help("This page in the other order.")]
    longest_ms: Annotated[float, Help("Longest duration on the page: the full width of a bar.")]
    older_url: Annotated[str, Help("The next page; empty on the last one.")]


async def load(visit: Visit) -> TracesContext:
    """Ask for one page of the selected traces, the map of all that match, and what sets the selected ones apart."""
    filters, selected, order = _filters(visit), _selected(visit), _order(visit)
    asked = {**visit.question, **filters.parameters()}
    answer, heatmap, comparison = await asyncio.gather(
        visit.api.get("traces", params=_listed(visit, filters, selected, order)),
        visit.api.get("traces", "heatmap", params={**asked, "columns": COLUMNS, "rows": ROWS}),
        _compared(visit, asked, selected),
    )
    kept = {**filters.parameters(), "order": order if order != ORDERS[0] else ""}
    fixed = visit.window.fixed()
    durations = [row.get("duration_ms") for row in answer.rows]
    other = ORDERS[1 - ORDERS.index(order)]
    older = fixed.url("traces", **kept, **selected, cursor=answer.next_cursor)
    return TracesContext(
        answer=answer,
        heatmap=heatmap,
        comparison=comparison,
        filters=filters,
        order=order,
        map=lay_out(
            heatmap.first, lambda box: fixed.url("traces", **kept, **box.parameters()), _box(selected)
        ),
        selected=selected,
        compared=comparison.first or {},
        pairs=_pairs(comparison.first or {}, visit.window, filters),
        drag_url=fixed.url("traces", **kept),
        failing_url=fixed.url("traces", **kept, selected_error="true"),
        order_url=visit.window.url("traces", **{**kept, "order": other}, **selected),
        longest_ms=max([0.001, *(float(d) for d in durations if isinstance(d, int | float))]),
        older_url=older if answer.next_cursor else "",
    )


def _filters(visit: Visit) -> Filters:
    return Filters(
        query=visit.text("query"),
        service=visit.text("service"),
        name=visit.text("name"),
        error="true" if visit.text("error") in ("true", "on", "1") else "",
        min_duration_ms=_duration(visit, "min_duration_ms"),
        max_duration_ms=_duration(visit, "max_duration_ms"),
    )


def _selected(visit: Visit) -> dict[str, str]:
    """Give the selection's parameters, empty ones left out."""
    given = {
        "selected_start": _time(visit, "selected_start"),
        "selected_end": _time(visit, "selected_end"),
        "selected_min_ms": _duration(visit, "selected_min_ms"),
        "selected_max_ms": _duration(visit, "selected_max_ms"),
        "selected_error": "true" if visit.text("selected_error") in ("true", "on", "1") else "",
    }
    return {name: value for name, value in given.items() if value}


def _box(selected: Mapping[str, str]) -> Box:
    return Box(*(selected.get(f"selected_{name}", "") for name in ("start", "end", "min_ms", "max_ms")))


def _order(visit: Visit) -> str:
    order = visit.text("order") or ORDERS[0]
    if order not in ORDERS:
        raise BadParameterError("order", order, "write newest or slowest")
    return order


def _listed(visit: Visit, filters: Filters, selected: Mapping[str, str], order: str) -> dict[str, str]:
    """Ask for the selected traces only: the API's filters say the same as a selection, each side the narrower one."""
    asked = {**visit.question, **filters.parameters()}
    asked["start"] = max(asked["start"], selected.get("selected_start", ""))
    asked["end"] = min(asked["end"], selected.get("selected_end", asked["end"]))
    lows = [text for text in (filters.min_duration_ms, selected.get("selected_min_ms", "")) if text]
    highs = [text for text in (filters.max_duration_ms, selected.get("selected_max_ms", "")) if text]
    asked["min_duration_ms"] = max(lows, key=float, default="")
    asked["max_duration_ms"] = min(highs, key=float, default="")
    asked["error"] = selected.get("selected_error") or asked["error"]
    return {**asked, "order": order, "cursor": visit.text("cursor"), "limit": str(PAGE_ROWS)}


async def _compared(visit: Visit, asked: Mapping[str, str], selected: Mapping[str, str]) -> Section:
    if not selected:
        return Section()
    return await visit.api.get("traces", "compare", params={**asked, **selected, "limit": str(PAIRS)})


def _pairs(row: Row, window: Window, filters: Filters) -> tuple[Pair, ...]:
    found = [each for each in rows_of(row.get("pairs")) if _share(each, "score") > 0]
    return tuple(
        Pair(
            row=each,
            more=_share(each, "selected_share") >= _share(each, "rest_share"),
            url=_pair_url(each, window, filters),
        )
        for each in found
    )


def _share(row: Row, name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _pair_url(row: Row, window: Window, filters: Filters) -> str:
    """Search for traces with a span of this service that has this value; "" if a search cannot say it."""
    key, value = text_of(row, "key"), text_of(row, "value")
    if row.get("cut") or not _PLAIN_KEY.fullmatch(key):
        return ""
    term = f"{key}:{quoted(value)}"
    kept = filters.parameters() | {"service": text_of(row, "service"), "name": ""}
    return window.url("traces", **{**kept, "query": narrow(filters.query, term)})


def _time(visit: Visit, name: str) -> str:
    """Read a time; the API's own keep their nanoseconds."""
    text = visit.text(name)
    if not text:
        return ""
    try:
        at = parse_moment(text, visit.now)
    except ValueError as error:
        raise BadParameterError(name, text, "write a time such as 2026-11-22T03:15:00Z") from error
    return text if text.endswith("Z") else rfc3339(at)


def _duration(visit: Visit, name: str) -> str:
    text = visit.text(name)
    try:
        plausible = not text or 0 <= float(text) < 1e12
    except ValueError:
        plausible = False
    if not plausible:
        raise BadParameterError(name, text, "write milliseconds, such as 250")
    return text


PAGE = Page("/traces", "traces.html", "traces", TracesContext, load)
