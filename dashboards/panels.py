"""A dashboard's panels: each is a part that asks for itself, and none takes the others with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from dashboards.api import Row, Section
from dashboards.charts import Chart, chart_of_rows
from dashboards.pages.page import Visit, text_of
from dashboards.pages.tile import Tile, tiles
from dashboards.promql import Drawn, draw

KINDS = ("metric", "log_count", "logs", "breakers", "text")
WORDS = {
    "metric": "metric: PromQL as lines",
    "log_count": "log_count: matching records over time",
    "logs": "logs: the newest matching records",
    "breakers": "breakers: of a service, or all",
    "text": "text",
}
COLUMNS = 12
AT_ONCE = 6
"""Panels that ask at a time: a dashboard of forty does not take every turn of the others."""
LOGS_SHOWN = 20
BUCKETS = "60"


@dataclass(frozen=True)
class Panel:
    """One panel with what it shows."""

    index: int
    kind: str
    title: str
    queries: tuple[str, ...]
    text: str
    unit: str
    width: int
    height: int
    answer: Section = field(default_factory=Section)
    drawn: tuple[Drawn, ...] = ()
    chart: Chart | None = None
    tiles: tuple[Tile, ...] = ()
    more: str = ""
    """The page that shows more of it."""

    @property
    def words(self) -> str:
        """Its title, or what it is."""
        return self.title or " · ".join(self.queries) or self.kind.replace("_", " ")


def frames(visit: Visit, rows: tuple[Row, ...]) -> tuple[Panel, ...]:
    """Give every panel of a dashboard without what it shows: its place, its words, its link."""
    return tuple(panel_of(visit, index, row) for index, row in enumerate(rows))


async def show(visit: Visit, panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
    """Ask for every panel of a dashboard, `AT_ONCE` at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(panel: Panel) -> Panel:
        async with turn:
            return await filled(visit, panel)

    return tuple(await asyncio.gather(*(one(panel) for panel in panels)))


def panel_of(visit: Visit, index: int, row: Row) -> Panel:
    """Understand one panel of the API."""
    queries = row.get("queries")
    panel = Panel(
        index=index,
        kind=text_of(row, "kind") if row.get("kind") in KINDS else "text",
        title=text_of(row, "title"),
        queries=tuple(str(query) for query in queries) if isinstance(queries, list) else (),
        text=text_of(row, "text"),
        unit=text_of(row, "unit"),
        width=_whole(row.get("width"), 6, 2, COLUMNS),
        height=_whole(row.get("height"), 2, 1, 6),
    )
    return replace(panel, more=_more(visit, panel))


def _more(visit: Visit, panel: Panel) -> str:
    if panel.kind == "metric":
        return visit.window.url("graph", **{f"q{n}": query for n, query in enumerate(panel.queries[:6], 1)})
    if panel.kind in ("log_count", "logs"):
        return visit.window.url("logs", query=_only(panel))
    return visit.window.url("breakers") if panel.kind == "breakers" else ""


async def filled(visit: Visit, panel: Panel) -> Panel:
    """Ask for what one panel shows; a text has it already."""
    if panel.kind == "metric":
        return await _metric(visit, panel)
    if panel.kind == "log_count":
        return await _log_count(visit, panel)
    if panel.kind == "logs":
        return await _logs(visit, panel)
    if panel.kind == "breakers":
        return await _breakers(visit, panel)
    return panel


async def _metric(visit: Visit, panel: Panel) -> Panel:
    names = [f"p{panel.index}q{number}" for number in range(len(panel.queries))]
    drawn = await asyncio.gather(
        *(
            draw(visit.api, visit.window, name, query, query, panel.unit, traces=False)
            for name, query in zip(names, panel.queries, strict=True)
        )
    )
    return replace(panel, drawn=tuple(drawn))


async def _log_count(visit: Visit, panel: Panel) -> Panel:
    query = _only(panel)
    answer = await visit.api.get(
        "logs", "histogram", params={**visit.question, "query": query, "buckets": BUCKETS}
    )
    rows = [{**row, **_counts(row)} for row in answer.rows]
    columns = (("total", "all", "main"), ("warn", "warn", "weak"), ("error", "error", "bad"))
    chart = chart_of_rows(
        f"p{panel.index}",
        query or "all records",
        "count",
        rows,
        columns,
        visit.window,
        links=(("logs", panel.more),),
    )
    return replace(panel, answer=answer, chart=chart if answer.rows else None)


async def _logs(visit: Visit, panel: Panel) -> Panel:
    asked = {**visit.question, "query": _only(panel), "limit": str(LOGS_SHOWN)}
    return replace(panel, answer=await visit.api.get("logs", params=asked))


async def _breakers(visit: Visit, panel: Panel) -> Panel:
    service = _only(panel)
    answer = await visit.api.get("breakers", params=visit.question)
    made = tiles(answer.rows, visit.window)
    shown = tuple(each for each in made if service in ("", each.service))
    return replace(panel, answer=answer, tiles=shown)


def _only(panel: Panel) -> str:
    return panel.queries[0].strip() if panel.queries else ""


def _counts(row: Row) -> dict[str, object]:
    counts = row.get("counts")
    found = counts if isinstance(counts, dict) else {}
    error = sum(value for name in ("error", "fatal") if isinstance(value := found.get(name), int))
    return {"warn": found.get("warn", 0), "error": error}


def _whole(value: object, default: int, least: int, most: int) -> int:
    return min(max(value, least), most) if isinstance(value, int) and not isinstance(value, bool) else default
