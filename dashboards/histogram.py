"""Log counts per bucket as stacked bars of an SVG whose coordinates are bucket × percent."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.api import Row

HEIGHT = 100.0
STACK = ("fatal", "error", "warn", "info", "debug", "trace", "other")
"""From the axis upwards: what matters stands where heights compare best."""


@dataclass(frozen=True)
class Piece:
    """One severity in one bar."""

    severity: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One bucket of time."""

    index: int
    at: str
    until: str
    total: int
    counts: tuple[tuple[str, int], ...]
    pieces: tuple[Piece, ...]


def bars(rows: tuple[Row, ...], end: str) -> tuple[Bar, ...]:
    """
    Stack the counts of each bucket.

    Args:
        rows: ``{at, counts: {severity: n}, total}``, oldest first, equally wide.
        end: RFC 3339 end of the last bucket.

    Returns:
        Bars whose highest total is 100 high; severities without a record have no piece.
    """
    highest = max((_total(row) for row in rows), default=0) or 1
    ends = [*(str(row.get("at", "")) for row in rows[1:]), end]
    return tuple(
        _bar(index, row, until, highest) for index, (row, until) in enumerate(zip(rows, ends, strict=False))
    )


def _bar(index: int, row: Row, until: str, highest: int) -> Bar:
    counts, pieces, top = _counts(row), [], HEIGHT
    for severity, count in counts:
        height = HEIGHT * count / highest
        top -= height
        pieces.append(Piece(severity, round(top, 3), round(height, 3)))
    return Bar(index, str(row.get("at", "")), until, _total(row), counts, tuple(pieces))


def _counts(row: Row) -> tuple[tuple[str, int], ...]:
    given = row.get("counts")
    counts = given if isinstance(given, dict) else {name: row.get(name) for name in STACK}
    numbers = {name: int(n) for name, n in counts.items() if isinstance(n, int) and n > 0}
    named = sum(numbers.get(name, 0) for name in STACK if name != "other")
    numbers["other"] = max(0, _total(row) - named)
    return tuple((name, numbers[name]) for name in STACK if numbers.get(name))


def _total(row: Row) -> int:
    total = row.get("total")
    return total if isinstance(total, int) else 0
