"""Rows of a statement as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collector.terminal.output import Row
from collector.terminal.plain import json_line, safe

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print rows; columns are those of the first."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = list(rows[0])
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(safe(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "∅"
    return json_line(value) if isinstance(value, dict | list) else safe(value)
