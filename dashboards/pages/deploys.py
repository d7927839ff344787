"""Deploys: which versions came when, and whether one made things worse: before and after, breakers, new patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.window import Window

MOST = "200"
_STATES = {
    "regressed": "unhealthy",
    "improved": "healthy",
    "unchanged": "healthy",
    "too_little_data": "unknown",
}
_SIDES = {"beside": "the version beside it", "before": "before", "day_before": "the day before, same time"}
_NUMBERS = ("rate", "error_ratio", "p50_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True)
class Side:
    """The numbers of one side of the comparison."""

    name: str
    numbers: Row


@dataclass(frozen=True)
class DeployRow:
    """One version as the page shows it."""

    row: Row
    state: str
    words: str
    sides: tuple[Side, ...]
    evidence: tuple[Row, ...]
    opened: tuple[Row, ...]
    patterns: tuple[tuple[Row, str], ...]
    """(pattern, link to its records)."""
    asked_patterns: bool
    """False: new patterns are told of one service only."""
    markers: tuple[Row, ...]
    traces_url: str
    logs_url: str


@dataclass(frozen=True)
class DeploysContext:
    """Everything the Deploys page shows."""

    answer: Annotated[Section, Help("GET /deploys in the time range, the newest first.", decides_status=True)]
    service: Annotated[str, Help("Only this service; empty: every one.")]
    span_s: Annotated[int, Help("Length of each side of the comparison, seconds.")]
    spans: Annotated[tuple[tuple[int, str], ...], Help("(seconds, words) to choose the length from.")]
    rows: Annotated[tuple[DeployRow, ...], Help("Versions with their comparisons.")]
    regressed: Annotated[int, Help("How many made things worse.")]


async def load(visit: Visit) -> DeploysContext:
    """Ask for the versions and their comparisons."""
    service, span_s = visit.text("service"), visit.count("span_s", 1800, 86_400)
    asked = {**visit.question, "service": service, "limit": MOST, "span_s": str(max(span_s, 120))}
    answer = await visit.api.get("deploys", params=asked)
    return DeploysContext(
        answer=answer,
        service=service,
        span_s=span_s,
        spans=((600, "10 min"), (1800, "30 min"), (7200, "2 h"), (86_400, "1 day")),
        rows=tuple(_deploy(row, visit.window) for row in answer.rows),
        regressed=sum(row.get("verdict") == "regressed" for row in answer.rows),
    )


def _deploy(row: Row, window: Window) -> DeployRow:
    service, version = text_of(row, "service"), text_of(row, "version")
    verdict = text_of(row, "verdict")
    patterns = row.get("new_patterns")
    return DeployRow(
        row=row,
        state=_STATES.get(verdict, "unknown"),
        words=verdict.replace("_", " ") or "seen",
        sides=_sides(row),
        evidence=rows_of(row.get("evidence")),
        opened=rows_of(row.get("breakers_opened")),
        patterns=tuple(
            (each, window.url("logs", query=f"service:{quoted(service)} {text_of(each, 'query')}"))
            for each in rows_of(patterns)
        ),
        asked_patterns=isinstance(patterns, list),
        markers=rows_of(row.get("markers")),
        traces_url=window.url("traces", service=service, query=f"service.version:{quoted(version)}"),
        logs_url=window.url("logs", query=f"service:{quoted(service)} service.version:{quoted(version)}"),
    )


def _sides(row: Row) -> tuple[Side, ...]:
    after, before = row.get("after"), row.get("baselines")
    sides = [Side("after", after)] if isinstance(after, dict) else []
    if isinstance(before, dict):
        sides += [
            Side(_SIDES.get(name, str(name).replace("_", " ")), numbers)
            for name, numbers in before.items()
            if isinstance(numbers, dict)
        ]
    return tuple(sides) if len(sides) > 1 else ()


PAGE = Page("/deploys", "deploys.html", "deploys", DeploysContext, load)
