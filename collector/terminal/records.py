"""Log records on a terminal: one line each, oldest first, as a log file reads; and patterns as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collector.terminal.output import Row
from collector.terminal.plain import clock, count, safe, safe_line, sparkline

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SEVERITY_STYLES = {
    "trace": "dim",
    "debug": "dim",
    "info": "green",
    "warn": "yellow",
    "error": "red",
    "fatal": "bold white on red",
}
# Services keep their colour within a listing, and from one to the next.
_SERVICE_STYLES = ("cyan", "magenta", "blue", "bright_cyan", "bright_magenta", "bright_blue")
_VALUE_CHARS = 200


def service_style(name: object) -> str:
    """Return the colour of a service: the same each time."""
    return _SERVICE_STYLES[sum(str(name).encode(errors="replace")) % len(_SERVICE_STYLES)]


def record(row: Row) -> Text:
    """Return one record as a line: time, severity, service, body, attributes."""
    from rich.text import Text

    severity = safe_line(row.get("severity") or "")
    text = Text(overflow="fold")
    text.append(clock(row.get("occurred_at")), "dim")
    text.append(f" {severity.upper() or '-':5} ", SEVERITY_STYLES.get(severity, ""))
    text.append(safe_line(row.get("service") or "-"), service_style(row.get("service")))
    text.append(f" {safe(row.get('body') or '')}")
    attributes = row.get("attributes")
    pairs = dict(attributes) if isinstance(attributes, dict) else {}
    if row.get("trace_id"):
        pairs["trace_id"] = row["trace_id"]
    for name, value in pairs.items():
        text.append(f"  {safe_line(name)}=", "dim")
        text.append(_cut(safe_line(value)))
    return text


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_CHARS else f"{text[:_VALUE_CHARS]}…"


def records(console: Console, rows: Sequence[Row]) -> None:
    """Print records."""
    for row in rows:
        console.print(record(row))


def patterns(console: Console, rows: Sequence[Row]) -> None:
    """Print patterns, the commonest first."""
    from rich.table import Table
    from rich.text import Text

    table = Table("count", "share", "trend", "worst", "last seen", "template", box=None, header_style="bold", pad_edge=False)  # fmt: skip
    for name in ("count", "share"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for row in rows:
        worst = safe_line(row.get("severity") or "-")
        new = Text("new ", "bold yellow") if row.get("new") else Text()
        table.add_row(
            count(_number(row.get("count"))),
            f"{_number(row.get('share')):.1%}",
            sparkline([_number(value) for value in row.get("trend") or ()]),
            Text(worst, SEVERITY_STYLES.get(worst, "")),
            clock(row.get("last_seen")),
            new.append(safe_line(row.get("template") or "")),
        )
    console.print(table)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
