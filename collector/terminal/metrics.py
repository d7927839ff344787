"""Answers of PromQL as a table: a number per series, or its course with its extremes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collector.terminal.output import Row
from collector.terminal.plain import safe_line, sparkline

if TYPE_CHECKING:
    from rich.console import Console

_POINTS_MOST = 60


def series(data: Row) -> list[Row]:
    """Return the rows of an answer's ``data``: one per series; of a number or a text, one."""
    result = data.get("result")
    if data.get("resultType") in {"scalar", "string"} and isinstance(result, list):
        return [{"metric": {}, "value": result}]
    return [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print series."""
    from rich.table import Table

    ranged = any("values" in row or "histograms" in row for row in rows)
    names = ("series", "last", "lowest", "highest", "course") if ranged else ("series", "value")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in {"series", "course"} else "right", overflow="fold")
    for row in rows:
        table.add_row(labels(row.get("metric")), *(_course(row) if ranged else [_value(row)]))
    console.print(table)


def labels(metric: Any) -> str:
    """Return a series as PromQL writes it: ``name{label="value"}``."""
    known = dict(metric) if isinstance(metric, dict) else {}
    name = safe_line(known.pop("__name__", ""))
    inner = ", ".join(f"{safe_line(label)}={json.dumps(safe_line(value), ensure_ascii=False)}" for label, value in sorted(known.items()))  # fmt: skip
    return f"{name}{{{inner}}}" if inner or not name else name


def _value(row: Row) -> str:
    pair = row.get("value") or row.get("histogram")
    last = pair[1] if isinstance(pair, list) and len(pair) > 1 else ""
    return _shown(last) if isinstance(last, str) else safe_line(last)


def _course(row: Row) -> list[str]:
    pairs = row.get("values")
    texts = [str(pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) > 1] if isinstance(pairs, list) else []  # fmt: skip
    numbers = [_number(text) for text in texts]
    if not numbers:
        return ["–"] * 4
    every = -(-len(numbers) // _POINTS_MOST)
    known = [number for number in numbers if number == number] or numbers  # noqa: PLR0124 - NaN is not itself
    return [
        _shown(texts[-1]),
        f"{min(known):.6g}",
        f"{max(known):.6g}",
        sparkline(numbers[::every]),
    ]


def _shown(text: str) -> str:
    try:
        return f"{float(text):.10g}"
    except ValueError:
        return safe_line(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
