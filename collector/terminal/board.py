"""Breakers and services as tables: state by word, mark and colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collector.terminal.output import Row
from collector.terminal.plain import clock, safe_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STATES = {
    "open": ("✗ open", "bold red"),
    "forced_open": ("✗ forced open", "bold red"),
    "half_open": ("◐ half open", "yellow"),
    "closed": ("● closed", "green"),
    "disabled": ("– disabled", "dim"),
    "metrics_only": ("– metrics only", "dim"),
    "unknown": ("? unknown", "dim"),
}
_HEALTH = {
    "healthy": ("● healthy", "green"),
    "degraded": ("◐ degraded", "yellow"),
    "unhealthy": ("✗ unhealthy", "bold red"),
    "unknown": ("? unknown", "dim"),
}
_FLAGS = ("flapping", "stuck", "stale")


def breakers(console: Console, rows: Sequence[Row]) -> None:
    """Print the board: open ones first, as they come."""
    table = make_table(
        "state", "service", "breaker", "target", "since", "opens/h", "refused/h", "remarks", "cause"
    )
    for row in rows:
        table.add_row(
            marked(_STATES, row.get("state")),
            named(row),
            safe_line(row.get("breaker", "")),
            safe_line(row.get("target", "")),
            clock(row.get("since")),
            _count(row.get("opens_1h")),
            _count(row.get("not_permitted_1h")),
            ", ".join(_remarks(row)),
            _cause(row),
        )
    console.print(table)


def _remarks(row: Row) -> list[str]:
    found = [flag for flag in _FLAGS if row.get(flag)]
    if row.get("agree") is False:
        found.append("instances disagree")
    if row.get("derived"):
        found.append("derived")
    radius = row.get("blast_radius")
    if isinstance(radius, dict) and isinstance(radius.get("share"), int | float):
        found.append(f"{radius['share']:.0%} of requests fail")
    hints = row.get("hints")
    found += [f"hint: {safe_line(each.get('code', ''))}" for each in hints or () if isinstance(each, dict)]
    return found


def _cause(row: Row) -> str:
    cause = row.get("cause")
    if isinstance(cause, dict):
        return safe_line(cause.get("message") or cause.get("status_message") or cause.get("name") or "")
    return safe_line(row.get("reason") or "")


def causes(console: Console, rows: Sequence[Row]) -> None:
    """Print probable causes, the likeliest first: how it is reached, since when, and the evidence."""
    table = make_table("score", "cause", "began", "felt by way of", "evidence")
    for row in rows:
        table.add_row(
            f"{row['score']:.2f}" if isinstance(row.get("score"), int | float) else "–",
            named(row),
            clock(row.get("began")),
            " → ".join(safe_line(name) for name in row.get("path") or ()),
            "; ".join(
                safe_line(each.get("message", ""))
                for each in row.get("evidence") or ()
                if isinstance(each, dict)
            ),
        )
    console.print(table)


def services(console: Console, rows: Sequence[Row]) -> None:
    """Print services with their health, RED and evidence."""
    table = make_table(
        "health", "service", "req/s", "errors", "p50 ms", "p95 ms", "p99 ms", "breakers", "evidence"
    )
    for row in rows:
        table.add_row(
            marked(_HEALTH, row.get("health")),
            named(row),
            decimal(row.get("rate")),
            f"{row['error_ratio']:.1%}" if isinstance(row.get("error_ratio"), int | float) else "–",
            decimal(row.get("p50_ms")),
            decimal(row.get("p95_ms")),
            decimal(row.get("p99_ms")),
            _breaker_counts(row.get("breakers")),
            "; ".join(
                safe_line(reason.get("message", ""))
                for reason in row.get("reasons") or ()
                if isinstance(reason, dict)
            ),
        )
    console.print(table)


def _breaker_counts(counts: Any) -> Text:
    from rich.text import Text

    text = Text()
    for state in ("open", "half_open", "closed", "unknown"):
        number = counts.get(state) if isinstance(counts, dict) else 0
        if number:
            text.append(f"{' ' if text else ''}{number} {state.replace('_', ' ')}", _STATES[state][1])
    return text or Text("–", "dim")


def make_table(*names: str) -> Any:
    """Give an empty table; numbers stand to the right."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        right = "/" in name or name == "errors" or name.endswith(" ms")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def marked(marks: dict[str, tuple[str, str]], state: object) -> Text:
    """Give a state as word and colour."""
    from rich.text import Text

    word, style = marks.get(str(state), (safe_line(state), ""))
    return Text(word, style, no_wrap=True)


def named(row: Row) -> str:
    """Give service and environment."""
    env = safe_line(row.get("env") or "")
    return f"{safe_line(row.get('service', ''))}{f' ({env})' if env else ''}"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def decimal(value: Any) -> str:
    """Give a number to one place."""
    return f"{value:,.1f}" if isinstance(value, int | float) else "–"
