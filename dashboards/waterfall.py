"""
A trace as rows on one time axis.

Spans stand depth-first under their parents; a span's own logs and breaker transitions stand among
its children in order of time, so that reading downwards is reading the story. Positions are
percent of the axis, which spans the spans; a log far outside is drawn at its edge, with its time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from dashboards.api import Row
from dashboards.timestamps import moment, nanoseconds

NS_PER_MS = 1_000_000
DEEPEST = 12
"""Indentation stops here: deeper rows would leave no room for their names."""
MINIMUM_WIDTH = 0.15
"""Percent; a shorter span would be invisible."""
TICKS = 5

Kind = Literal["span", "log", "transition"]
_Children = dict[str, list[tuple[Kind, Row]]]
"""Rows under each span id; "" holds the top."""
_Step = tuple[Kind, Row, int]
"""A row and its depth."""


@dataclass(frozen=True)
class WaterfallRow:
    """One line of the picture."""

    kind: Kind
    row: Row
    depth: int
    x: float
    width: float
    offset_ms: float
    first_failure: bool = False
    orphan: bool = False

    @property
    def indent(self) -> int:
        """Depth as far as it is drawn."""
        return min(self.depth, DEEPEST)

    @property
    def duration_ms(self) -> float:
        """How long a span took."""
        return _duration_ns(self.row) / NS_PER_MS

    @property
    def label(self) -> Literal["after", "before", "inside"]:
        """Where a bar's duration has room on a phone too: after it, before it, or on it."""
        if self.x + self.width <= 70:
            return "after"
        return "before" if self.x >= 30 else "inside"

    @property
    def label_x(self) -> float:
        """Where the duration is written, in percent of the axis."""
        return self.x if self.label == "before" else self.x + self.width


@dataclass(frozen=True)
class Waterfall:
    """All rows and the axis they share."""

    rows: tuple[WaterfallRow, ...]
    starts_at: datetime
    ends_at: datetime
    duration_ms: float
    root: Row | None
    first_failure: Row | None

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """(x in percent, milliseconds since the start) of the axis labels."""
        return [(100 * i / TICKS, self.duration_ms * i / TICKS) for i in range(TICKS)]

    def cut(self, rows: int) -> Waterfall:
        """The same picture with its first *rows* rows only."""
        return replace(self, rows=self.rows[:rows])


@dataclass(frozen=True)
class _Axis:
    start: int
    end: int

    def x(self, at: int) -> float:
        return round(100 * min(1.0, max(0.0, (at - self.start) / max(1, self.end - self.start))), 3)


def lay_out(spans: Iterable[Row], logs: Iterable[Row], transitions: Iterable[Row]) -> Waterfall:
    """
    Place spans, logs and transitions.

    Args:
        spans: As ``/traces/{trace_id}`` gives them, in any order; a parent may be missing.
        logs: Records of the trace, of any service.
        transitions: Breaker transitions that name the trace.
    """
    placed = sorted(spans, key=_start)
    known = {str(span.get("span_id", "")) for span in placed}
    events: list[tuple[Kind, Row]] = [("log", row) for row in logs]
    events += [("transition", row) for row in transitions]
    children: _Children = defaultdict(list)
    for span in placed:
        children[_under(span, "parent_span_id", known)].append(("span", span))
    for kind, row in events:
        children[_under(row, "span_id", known)].append((kind, row))
    axis = _axis(placed, [row for _, row in events])
    failure = first_failure(placed)
    rows = tuple(_placed(step, axis, failure, known) for step in _walk(children, placed))
    root = next((span for span in placed if not span.get("parent_span_id")), placed[0] if placed else None)
    duration_ms = (axis.end - axis.start) / NS_PER_MS
    return Waterfall(rows, moment(axis.start), moment(axis.end + NS_PER_MS), duration_ms, root, failure)


def first_failure(spans: Iterable[Row]) -> Row | None:
    """
    Find the span where the trouble began.

    A failing span none of whose children fails is where an error arose, not where it passed
    through; of several, the one that ended first.
    """
    failing = [span for span in spans if span.get("status") == "error"]
    passed_on = {str(span.get("parent_span_id") or "") for span in failing}
    arose = [span for span in failing if str(span.get("span_id", "")) not in passed_on]
    return min(arose or failing, key=lambda span: _start(span) + _duration_ns(span), default=None)


def _walk(children: _Children, spans: list[Row]) -> Iterator[_Step]:
    """Give every row with its depth; spans whose parents form a ring hang under no root and come last."""
    seen: set[str] = set()
    for kind, row in reversed(_latest_first(children[""])):
        yield from _subtree(kind, row, children, seen)
    for span in spans:
        if str(span.get("span_id", "")) not in seen:
            yield from _subtree("span", span, children, seen)


def _subtree(kind: Kind, row: Row, children: _Children, seen: set[str]) -> Iterator[_Step]:
    """Go depth first without recursion: a trace may be a thousand spans deep."""
    waiting = [(kind, row, 0)]
    while waiting:
        kind, row, depth = waiting.pop()
        yield kind, row, depth
        span_id = str(row.get("span_id", ""))
        if kind == "span" and span_id not in seen:
            seen.add(span_id)
            below = _latest_first(children.get(span_id, []))
            waiting += [(each, child, depth + 1) for each, child in below if not _walked(each, child, seen)]


def _walked(kind: Kind, row: Row, seen: set[str]) -> bool:
    return kind == "span" and str(row.get("span_id", "")) in seen


def _latest_first(rows: list[tuple[Kind, Row]]) -> list[tuple[Kind, Row]]:
    """Latest first, because the walk takes from the end."""
    return sorted(rows, key=lambda item: _start(item[1]), reverse=True)


def _placed(step: _Step, axis: _Axis, failure: Row | None, known: set[str]) -> WaterfallRow:
    kind, row, depth = step
    start = _start(row)
    x = axis.x(start)
    width = max(MINIMUM_WIDTH, axis.x(start + _duration_ns(row)) - x) if kind == "span" else 0.0
    parent = str(row.get("parent_span_id") or "")
    return WaterfallRow(
        kind=kind,
        row=row,
        depth=depth,
        x=min(x, 100 - MINIMUM_WIDTH),
        width=round(width, 3),
        offset_ms=(start - axis.start) / NS_PER_MS,
        first_failure=kind == "span" and row is failure,
        orphan=kind == "span" and bool(parent) and parent not in known,
    )


def _under(row: Row, name: str, known: set[str]) -> str:
    """The span a row stands under; "" for the top."""
    span_id = str(row.get(name) or "")
    return (
        span_id if span_id in known and span_id != (row.get("span_id") if name != "span_id" else None) else ""
    )


def _axis(spans: list[Row], events: list[Row]) -> _Axis:
    timed = spans or events
    start = min((_start(row) for row in timed), default=0)
    end = max((_start(row) + _duration_ns(row) for row in timed), default=0)
    reach = (end - start) // 2
    near = [_start(row) for row in events if start - reach <= _start(row) <= end + reach]
    return _Axis(min([start, *near]), max([end, *near, start + 1]))


def _start(row: Row) -> int:
    """When a span, log or transition happened, ns since the epoch; 0 if its time cannot be read."""
    for name in ("start", "occurred_at", "at"):
        value = row.get(name)
        if isinstance(value, str):
            try:
                return nanoseconds(value)
            except ValueError:
                return 0
    return 0


def _duration_ns(row: Row) -> int:
    value = row.get("duration_ns")
    try:
        return max(0, int(value)) if isinstance(value, int | str) else 0
    except ValueError:
        return 0
