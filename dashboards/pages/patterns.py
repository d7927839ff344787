"""Patterns: what the records of a search say, as templates; what is new since a deploy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, rows_of, text_of
from dashboards.render import Help
from dashboards.window import Window

PAGE_ROWS = 100
BUCKETS = 40
NEW_SINCE = "deploy"


@dataclass(frozen=True)
class Bar:
    """One step of a trend: where it stands and how high it is, 0 to 100."""

    index: int
    height: float


@dataclass(frozen=True)
class PatternRow:
    """One pattern and where to go from it."""

    row: Row
    parts: tuple[str, ...]
    """The template cut at its values: between two parts stands one."""
    bars: tuple[Bar, ...]
    records_url: str
    examples: tuple[tuple[str, str], ...]
    """(body, link to the logs around it)."""

    @property
    def steps(self) -> int:
        """How many steps the trend has."""
        return len(self.bars)


@dataclass(frozen=True)
class PatternsContext:
    """Everything the Patterns page shows."""

    query: Annotated[str, Help("The search, as typed.")]
    answer: Annotated[
        Section, Help("GET /logs/patterns: templates, the commonest first.", decides_status=True)
    ]
    rows: Annotated[tuple[PatternRow, ...], Help("Patterns with their links.")]
    only_new: Annotated[bool, Help("True to show what is new since the newest deploy only.")]
    new_since: Annotated[str, Help("Since when a pattern is new: a time, deploy, or deploy:<version>.")]
    logs_url: Annotated[str, Help("The records of the search.")]
    all_url: Annotated[str, Help("The same search, patterns old and new.")]


async def load(visit: Visit) -> PatternsContext:
    """Ask for the patterns of a search."""
    query, window = visit.text("query"), visit.window
    only_new = visit.text("only_new") in ("true", "on", "1")
    new_since = visit.text("new_since") or NEW_SINCE
    asked = {"query": query, "new_since": new_since, "only_new": "true" if only_new else ""}
    answer = await visit.api.get(
        "logs",
        "patterns",
        params={**visit.question, **asked, "limit": str(PAGE_ROWS), "buckets": str(BUCKETS)},
    )
    return PatternsContext(
        query=query,
        answer=answer,
        rows=tuple(_pattern(row, window, query) for row in answer.rows),
        only_new=only_new,
        new_since=visit.text("new_since"),
        logs_url=window.url("logs", query=query),
        all_url=window.url("patterns", query=query, new_since=visit.text("new_since")),
    )


def _pattern(row: Row, window: Window, query: str) -> PatternRow:
    finds = text_of(row, "query")
    return PatternRow(
        row=row,
        parts=tuple(text_of(row, "template").split("<*>")),
        bars=_bars(row.get("trend")),
        records_url=window.url("logs", query=f"({query}) AND {finds}" if query else finds),
        examples=tuple(
            (text_of(each, "body"), window.url("logs", query=finds, mark=text_of(each, "id")))
            for each in rows_of(row.get("examples"))
        ),
    )


def _bars(trend: object) -> tuple[Bar, ...]:
    counts = [each for each in trend if isinstance(each, int | float)] if isinstance(trend, list) else []
    highest = max([1, *counts])
    return tuple(Bar(index, round(100 * count / highest, 2)) for index, count in enumerate(counts))


PAGE = Page("/patterns", "patterns.html", "logs", PatternsContext, load)
