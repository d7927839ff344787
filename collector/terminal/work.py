"""Deploys, queues and hot services as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collector.terminal.board import decimal, make_table, marked, named
from collector.terminal.output import Row
from collector.terminal.plain import clock, safe_line

if TYPE_CHECKING:
    from rich.console import Console

_VERDICTS = {
    "regressed": ("✗ regressed", "bold red"),
    "improved": ("● improved", "green"),
    "unchanged": ("● unchanged", "dim"),
    "too_little_data": ("? too little data", "dim"),
    "stuck": ("✗ stuck", "bold red"),
    "growing": ("▲ growing", "red"),
    "behind": ("◐ behind", "yellow"),
    "draining": ("▼ draining", "yellow"),
    "keeping_up": ("● keeping up", "green"),
    "unknown": ("? unknown", "dim"),
}


def deploys(console: Console, rows: Sequence[Row]) -> None:
    """Print deploys with their verdicts, newest first, as they come."""
    table = make_table("verdict", "service", "version", "before", "at", "by", "evidence")
    for row in rows:
        table.add_row(
            marked(_VERDICTS, row.get("verdict")),
            named(row),
            safe_line(row.get("version", "")),
            safe_line(row.get("previous") or "–"),
            clock(row.get("at")),
            ", ".join(sorted({safe_line(each.get("by", "")) for each in _dicts(row.get("markers"))} - {""})),
            _said(row.get("evidence")),
        )
    console.print(table)


def queues(console: Console, rows: Sequence[Row]) -> None:
    """Print queues, the worst first, as they come."""
    table = make_table("verdict", "queue", "in/s", "out/s", "waiting", "from", "to", "evidence")
    for row in rows:
        table.add_row(
            marked(_VERDICTS, row.get("verdict")),
            safe_line(row.get("queue", "")),
            decimal(row.get("rate_in")),
            decimal(row.get("rate_out")),
            decimal(row.get("lag")),
            _users(row.get("producers")),
            _users(row.get("consumers")),
            _said(row.get("evidence")),
        )
    console.print(table)


def hot(console: Console, rows: Sequence[Row]) -> None:
    """Print services by what presses them, as they come."""
    table = make_table("score", "service", "req/s", "calls", "cost", "cpu", "recommendation")
    for row in rows:
        table.add_row(
            _percent(row.get("score")),
            named(row),
            decimal(row.get("rate")),
            _percent(row.get("throughput_share")),
            _percent(row.get("cost_share")),
            _percent(row.get("cpu_saturation")),
            safe_line(row.get("recommendation", "")),
        )
    console.print(table)


def _dicts(values: Any) -> list[Row]:
    return [each for each in values or () if isinstance(each, dict)]


def _said(evidence: Any) -> str:
    return "; ".join(safe_line(each.get("message", "")) for each in _dicts(evidence))


def _users(users: Any) -> str:
    return ", ".join(safe_line(each.get("service", "")) for each in _dicts(users)) or "–"


def _percent(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, int | float) else "–"
