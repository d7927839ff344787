"""Incidents and silences as tables: what the person on call looks for first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collector.terminal.output import Row
from collector.terminal.plain import clock, safe_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_MARKS = {
    "open": ("✗ open", "bold red"),
    "acknowledged": ("◐ acknowledged", "yellow"),
    "resolved": ("● resolved", "green"),
    "active": ("● active", "green"),
    "pending": ("◐ pending", "yellow"),
}


def incidents(console: Console, rows: Sequence[Row]) -> None:
    """Print incidents: the newest first, as they come."""
    table = _table("state", "id", "incident", "severity", "opened", "resolved", "alerts", "cause")
    for row in rows:
        cause = row.get("cause")
        table.add_row(
            _mark(row),
            _plain(row.get("id", "")),
            _plain(row.get("title", "")),
            _plain(row.get("severity", "")),
            clock(row.get("opened_at")),
            clock(row["resolved_at"]) if row.get("resolved_at") else "–",
            f"{safe_line(row.get('alerts_firing', 0))} of {safe_line(row.get('alerts_count', 0))} fire",
            _plain(cause.get("service", "")) if isinstance(cause, dict) else "–",
        )
    console.print(table)


def silences(console: Console, rows: Sequence[Row]) -> None:
    """Print silences and maintenance windows: active ones first, as they come."""
    table = _table("state", "id", "alerts with", "until", "next", "who", "why", "alerts")
    for row in rows:
        until = row.get("until") or row.get("ends_at")
        table.add_row(
            _mark(row),
            _plain(row.get("id", "")),
            _plain(row.get("text", "")),
            clock(until) if until else "–",
            clock(row["next_at"]) if row.get("next_at") else "–",
            _plain(row.get("created_by", "")),
            _plain(row.get("comment", "")),
            _plain(row.get("alerts_count", "")),
        )
    console.print(table)


def _table(*names: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _mark(row: Row) -> Text:
    from rich.text import Text

    word, style = _MARKS.get(str(row.get("state")), (safe_line(row.get("state", "")), "dim"))
    return Text(word, style, no_wrap=True)


def _plain(value: object) -> Text:
    """Give words of strangers as text: no markup of the terminal's in it."""
    from rich.text import Text

    return Text(safe_line(value))
