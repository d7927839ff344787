"""A list of traces as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collector.terminal.output import Row
from collector.terminal.plain import clock, duration, safe_line
from collector.terminal.records import service_style

if TYPE_CHECKING:
    from rich.console import Console


def traces(console: Console, rows: Sequence[Row]) -> None:
    """Print traces, the newest first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("start", "trace", "", "root", "spans", "duration", "services"):
        table.add_column(name, justify="right" if name in {"spans", "duration"} else "left", overflow="fold")
    for row in rows:
        milliseconds = row.get("duration_ms")
        services = row.get("services")
        table.add_row(
            clock(row.get("start")),
            safe_line(row.get("trace_id", "")),
            Text("✗ error", "bold red") if row.get("error") else Text("● ok", "green"),
            Text(safe_line(row.get("root_service", "")), service_style(row.get("root_service"))).append(f" {safe_line(row.get('root_name', ''))}{' (its root is missing)' if row.get('root_missing') else ''}", "default"),
            str(row.get("spans", "")),
            duration(milliseconds * 1e6) if isinstance(milliseconds, int | float) else "–",
            ", ".join(safe_line(each) for each in services) if isinstance(services, list) else "",
        )  # fmt: skip
    console.print(table)
