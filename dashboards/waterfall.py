"""
A trace as rows on one time axis.

Spans stand depth-first under their parents; a span's own logs and breaker transitions stand among its children in order of time, so that reading
downwards is reading the story. Parents that never came have rows of their own. Positions are percent of the axis, which spans the spans; a log far
outside is drawn at its edge, with its time. Times are the corrected ones where the API says how far a clock was off.

``walk.py`` orders the rows, ``folding.py`` chooses among too many; only what is shown is placed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dashboards.api import Row
from dashboards.folding import Fold, page_of, worth_showing
from dashboards.timestamps import moment
from dashboards.walk import Entry, Kind, Step, entries_of, number_of, walk

NS_PER_MS = 1_000_000
DEEPEST = 12
"""Indentation stops here: deeper rows would leave no room for their names."""
MINIMUM_WIDTH = 0.15
"""Percent; a shorter span would be invisible."""
TICKS = 5
Part = tuple[float, float]
"""x and width, percent of the axis."""
_Paths = Mapping[int, Sequence[Row]]
"""The segments of the critical path by span."""


@dataclass(frozen=True)
class WaterfallRow:
    """One line of the picture."""

    kind: Kind
    row: Row
    depth: int
    x: float
    width: float
    offset_ms: float
    duration_ms: float = 0.0
    anchor: str = ""
    first_failure: bool = False
    parent: bool = False
    skew_ms: float = 0.0
    critical: tuple[Part, ...] = ()

    @property
    def indent(self) -> int:
        """Depth as far as it is drawn."""
        return min(self.depth, DEEPEST)

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

    def ms(self, name: str) -> float:
        """Give a field in nanoseconds as milliseconds; 0 if the API does not say it."""
        return number_of(self.row.get(name)) / NS_PER_MS


@dataclass(frozen=True)
class Waterfall:
    """The rows shown, the axis they share, and how many rows there are in all."""

    rows: tuple[WaterfallRow | Fold, ...]
    total: int
    starts_at: datetime
    ends_at: datetime
    duration_ms: float
    root: Row | None
    first_failure: Row | None
    drawn_ms: tuple[float, float]

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """(x in percent, milliseconds since the trace's start) of the axis labels."""
        start, end = self.drawn_ms
        return [(100 * i / TICKS, start + (end - start) * i / TICKS) for i in range(TICKS)]


@dataclass(frozen=True)
class Choice:
    """
    Which rows to show.

    Attributes:
        most: So many at most; None = all.
        first: Those from this one on, in order; None = the most telling ones, the others folded.
        span_id: This one in any case.
    """

    most: int | None = None
    first: int | None = None
    span_id: str = ""


@dataclass(frozen=True)
class _Axis:
    """What is drawn, ns since the epoch; *origin* is the trace's start."""

    start: int
    end: int
    origin: int

    def x(self, at: int) -> float:
        return round(100 * min(1.0, max(0.0, (at - self.start) / max(1, self.end - self.start))), 3)

    def ms(self, at: int) -> float:
        return (at - self.origin) / NS_PER_MS

    def part(self, start: int, end: int) -> Part:
        x = self.x(start)
        return x, round(max(MINIMUM_WIDTH, self.x(end) - x), 3)


@dataclass(frozen=True)
class _Picture:
    """What placing one row needs to know of all."""

    entries: Sequence[Entry]
    axis: _Axis
    failure: Row | None
    paths: _Paths
    anchors: set[str] = field(default_factory=set)


def lay_out(
    spans: Iterable[Row],
    logs: Iterable[Row],
    transitions: Iterable[Row],
    critical_path: Iterable[Row] = (),
    choice: Choice | None = None,
) -> Waterfall:
    """
    Place spans, logs and transitions.

    Args:
        spans: As ``/traces/{trace_id}`` gives them; a parent may be missing.
        logs: Records of the trace, of any service.
        transitions: Breaker transitions that name the trace.
        critical_path: ``{index, start, duration_ns}``, *index* being a place in *spans*.
        choice: Which rows; all of them by default.
    """
    given = list(spans)
    entries = entries_of(given, logs, transitions)
    steps = walk(entries)
    failure = first_failure(given)
    whole = _axis(entries)
    root = next((each for each in given if not each.get("parent_span_id")), given[0] if given else None)
    chosen = _chosen(steps, entries, failure, choice or Choice())
    axis = _part_axis(chosen, entries, whole) if choice and choice.first else whole
    picture = _Picture(entries, axis, failure, _paths(critical_path))
    rows = tuple(each if isinstance(each, Fold) else _placed(each, picture) for each in chosen)
    return Waterfall(
        rows=rows,
        total=len(steps),
        starts_at=moment(whole.start),
        ends_at=moment(whole.end + NS_PER_MS),
        duration_ms=whole.ms(whole.end),
        root=root,
        first_failure=failure,
        drawn_ms=(axis.ms(axis.start), axis.ms(axis.end)),
    )


def first_failure(spans: Iterable[Row]) -> Row | None:
    """
    Find the span where the trouble began.

    A failing span none of whose children fails is where an error arose, not where it passed
    through; of several, the one that ended first.
    """
    failing = [Entry.of("span", span) for span in spans if span.get("status") == "error"]
    passed_on = {str(each.row.get("parent_span_id") or "") for each in failing}
    arose = [each for each in failing if str(each.row.get("span_id", "")) not in passed_on]
    first = min(arose or failing, key=lambda each: each.start + each.duration_ns, default=None)
    return first.row if first else None


def _chosen(
    steps: Sequence[Step], entries: Sequence[Entry], failure: Row | None, choice: Choice
) -> Sequence[Step | Fold]:
    if choice.most is None or len(steps) <= choice.most:
        return steps
    if choice.first is not None:
        return page_of(steps, choice.first, choice.most)
    certain = [
        step
        for step in steps
        if entries[step.entry].row is failure
        or (choice.span_id and entries[step.entry].row.get("span_id") == choice.span_id)
    ]
    return worth_showing(steps, entries, certain, choice.most)


def _placed(step: Step, picture: _Picture) -> WaterfallRow:
    entry = picture.entries[step.entry]
    axis, row, is_bar = picture.axis, entry.row, entry.kind in ("span", "missing")
    x, width = (
        axis.part(entry.start, entry.start + entry.duration_ns) if is_bar else (axis.x(entry.start), 0.0)
    )
    return WaterfallRow(
        kind=entry.kind,
        row=row,
        depth=step.depth,
        x=min(x, 100 - MINIMUM_WIDTH),
        width=width,
        offset_ms=axis.ms(entry.start),
        duration_ms=entry.duration_ns / NS_PER_MS,
        anchor=_anchor(row, picture.anchors) if is_bar else "",
        first_failure=row is picture.failure,
        parent=step.parent,
        skew_ms=_skew_ms(entry, picture.entries),
        critical=_merged(picture.paths.get(step.entry, ()), axis) if entry.kind == "span" else (),
    )


def _anchor(row: Row, known: set[str]) -> str:
    """Give the name that links go to; of spans with one id the first has it."""
    name = f"span-{row.get('span_id', '')}"
    if name in known:
        return ""
    known.add(name)
    return name


def _skew_ms(entry: Entry, entries: Sequence[Entry]) -> float:
    """Give how far a span was moved if it is the first below its parent that was moved so far."""
    if entry.kind != "span":
        return 0.0
    own = number_of(entry.row.get("skew_ns"))
    above = number_of(entries[entry.under].row.get("skew_ns")) if entry.under >= 0 else 0
    return own / NS_PER_MS if own != above else 0.0


def _merged(segments: Sequence[Row], axis: _Axis) -> tuple[Part, ...]:
    """Draw neighbours that a screen cannot tell apart as one: a caller of thousands has thousands of gaps."""
    drawn: list[Part] = []
    for segment in segments:
        part = Entry.of("span", segment)
        x, width = axis.part(part.start, part.start + part.duration_ns)
        if drawn and x - sum(drawn[-1]) < MINIMUM_WIDTH:
            drawn[-1] = (drawn[-1][0], round(max(sum(drawn[-1]), x + width) - drawn[-1][0], 3))
        else:
            drawn.append((x, width))
    return tuple(drawn)


def _paths(critical_path: Iterable[Row]) -> _Paths:
    found: dict[int, list[Row]] = {}
    for segment in critical_path:
        found.setdefault(number_of(segment.get("index")), []).append(segment)
    return found


def _axis(entries: Sequence[Entry]) -> _Axis:
    timed = [each for each in entries if each.kind == "span"] or entries
    start = min((each.start for each in timed), default=0)
    end = max((each.start + each.duration_ns for each in timed), default=0)
    reach = (end - start) // 2
    near = [each.start for each in entries if start - reach <= each.start <= end + reach]
    first = min([start, *near])
    return _Axis(first, max([end, *near, start + 1]), first)


def _part_axis(chosen: Sequence[Step | Fold], entries: Sequence[Entry], whole: _Axis) -> _Axis:
    """Draw the rows of a page over their own time: a later page of a loop would be a hair on the axis of all."""
    shown = [
        entries[step.entry]
        for step in chosen
        if isinstance(step, Step) and entries[step.entry].kind == "span"
    ]
    start = max(whole.start, min((each.start for each in shown), default=whole.start))
    end = min(whole.end, max((each.start + each.duration_ns for each in shown), default=whole.end))
    return _Axis(start, end, whole.origin) if end > start else whole
