"""The rows of a trace in reading order: each span once, whatever the spans say of their parents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.api import Row
from dashboards.timestamps import nanoseconds

Kind = Literal["span", "log", "transition", "missing"]
TOP = -1


@dataclass(slots=True)
class Entry:
    """
    One row's data with what is computed of it once.

    Attributes:
        start: Corrected, ns since the epoch.
        under: The entry it stands under; `TOP` for none.
    """

    kind: Kind
    row: Row
    start: int
    duration_ns: int
    under: int = TOP

    @classmethod
    def of(cls, kind: Kind, row: Row) -> Entry:
        """Read the times of a row."""
        return cls(kind, row, _start(row), max(0, number_of(row.get("duration_ns"))))


@dataclass(frozen=True, slots=True)
class Step:
    """
    One place in reading order.

    Attributes:
        above: The step of what it stands under; `TOP` at the top.
        parent: Whether something stands under it.
    """

    entry: int
    depth: int
    above: int
    parent: bool


def entries_of(spans: Sequence[Row], logs: Iterable[Row], transitions: Iterable[Row]) -> list[Entry]:
    """Give an entry for each row, spans first in their order, and for each parent that is not among the spans."""
    entries = [Entry.of("span", span) for span in spans]
    homes: dict[str, int] = {}
    for number, span in enumerate(spans):
        homes.setdefault(str(span.get("span_id", "")), number)
    _place(entries, homes)
    events = [Entry.of("log", row) for row in logs] + [Entry.of("transition", row) for row in transitions]
    for event in events:
        event.under = homes.get(str(event.row.get("span_id") or ""), TOP)
    return entries + events


def _place(entries: list[Entry], homes: Mapping[str, int]) -> None:
    """Put spans under their parents; where one was not received, a row stands for it, as long as what is below."""
    missing: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        told = str(entry.row.get("parent_span_id") or "")
        known = entry.row.get("parent_index")
        if isinstance(known, int) and not isinstance(known, bool) and 0 <= known < len(entries):
            entry.under = known
        elif told in homes and homes[told] != number:
            entry.under = homes[told]
        elif told and told not in homes:
            missing.setdefault(told, []).append(number)
    for span_id, children in missing.items():
        below = [entries[each] for each in children]
        start = min(each.start for each in below)
        end = max(each.start + each.duration_ns for each in below)
        for each in below:
            each.under = len(entries)
        entries.append(Entry("missing", {"span_id": span_id, "children": len(below)}, start, end - start))


def walk(entries: Sequence[Entry]) -> list[Step]:
    """Give every entry once, depth first, the earlier sibling first; what hangs under no top, because of a ring, comes last."""
    children: dict[int, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        children[entry.under].append(number)
    for below in children.values():
        below.sort(key=lambda number: entries[number].start, reverse=True)
    seen: set[int] = set()
    steps: list[Step] = []
    _descend([(number, 0, TOP) for number in children[TOP]], children, seen, steps)
    for number in sorted(range(len(entries)), key=lambda each: entries[each].start):
        if number not in seen:
            _descend([(number, 0, TOP)], children, seen, steps)
    return steps


def _descend(
    waiting: list[tuple[int, int, int]],
    children: Mapping[int, Sequence[int]],
    seen: set[int],
    steps: list[Step],
) -> None:
    """Go down without recursion: a trace may be thousands of spans deep."""
    while waiting:
        number, depth, above = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        below = children.get(number, ())
        waiting += [(child, depth + 1, len(steps)) for child in below]
        steps.append(Step(number, depth, above, bool(below)))


def number_of(value: object) -> int:
    """Read a whole number; 0 if it is none."""
    try:
        return int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0


def _start(row: Row) -> int:
    """When a span, log or transition happened, corrected, ns since the epoch; 0 if its time cannot be read."""
    for name, skew in (
        ("adjusted_start", 0),
        ("start", 0),
        ("occurred_at", number_of(row.get("skew_ns"))),
        ("at", 0),
    ):
        value = row.get(name)
        if isinstance(value, str):
            try:
                return nanoseconds(value) + skew
            except ValueError:
                return 0
    return 0
