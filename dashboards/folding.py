"""
Which rows of a large trace are shown.

A page of ten thousand rows is no help at three in the morning. The most telling ones are shown: where it failed, what it waited for, what took long, the
tops, breakers; each below what it stands under. What lies between is folded into one row that says how much and of what, and leads to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.walk import TOP, Entry, Step, number_of

ANCESTORS = 24
"""A row brings so many of those above it; of a chain of thousands the nearest."""
FEW = 60
"""Tops and breakers shown in any case, and rows of a trace in which nothing stands out."""
SINGLE = 3
"""So few rows are shown rather than folded."""
VISIBLE = 1 / 500
"""Share of the longest row below which a bar is a hair: such rows are not shown for their length."""


@dataclass(frozen=True)
class Fold:
    """
    Rows that are not shown.

    Attributes:
        count: How many.
        first: The place of the first, in reading order.
        commonest: (times, what) of what there is most.
    """

    count: int
    first: int
    depth: int
    commonest: tuple[tuple[int, str], ...]
    kind: Literal["fold"] = "fold"


def page_of(steps: Sequence[Step], first: int, most: int) -> list[Step | Fold]:
    """Give *most* rows from place *first* on."""
    return list(steps[first : first + most])


def worth_showing(
    steps: Sequence[Step], entries: Sequence[Entry], certain: Iterable[Step], most: int
) -> list[Step | Fold]:
    """
    Choose about *most* rows.

    Args:
        steps: All, in reading order.
        entries: What they are about.
        certain: Shown before all others.
        most: So many rows, folds not counted.
    """
    places = {step.entry: place for place, step in enumerate(steps)}
    chosen: set[int] = set()
    for wanted, bound in _by_worth(steps, entries, certain, most):
        for step in wanted:
            family = _family(places[step.entry], steps, chosen)
            if len(chosen) + len(family) <= bound:
                chosen.update(family)
            if len(chosen) >= bound:
                break
    return list(_folded(steps, entries, chosen))


def _by_worth(
    steps: Sequence[Step], entries: Sequence[Entry], certain: Iterable[Step], most: int
) -> Iterator[tuple[Iterable[Step], int]]:
    """Give rows worth showing, the most telling first, each time with the number of rows up to which they are."""

    def longest(found: Iterable[Step]) -> list[Step]:
        return sorted(found, key=lambda step: -entries[step.entry].duration_ns)

    def waited(step: Step) -> int:
        return number_of(entries[step.entry].row.get("critical_ns"))

    least = max((each.duration_ns for each in entries), default=0) * VISIBLE
    yield certain, most
    yield [step for step in steps if entries[step.entry].kind == "transition"][:FEW], most
    yield longest(step for step in steps if step.above == TOP)[:FEW], most
    yield longest(step for step in steps if _failed(entries[step.entry]))[: most // 3], most
    yield sorted((step for step in steps if waited(step) > least), key=waited, reverse=True), most
    yield longest(step for step in steps if entries[step.entry].duration_ns > least), most
    yield longest(steps), FEW


def _failed(entry: Entry) -> bool:
    return entry.row.get("status") == "error" or entry.row.get("severity") in ("error", "fatal")


def _family(place: int, steps: Sequence[Step], chosen: set[int]) -> set[int]:
    family: set[int] = set()
    while place != TOP and place not in chosen and len(family) <= ANCESTORS:
        family.add(place)
        place = steps[place].above
    return family


def _folded(steps: Sequence[Step], entries: Sequence[Entry], chosen: set[int]) -> Iterator[Step | Fold]:
    at = 0
    for place in [*sorted(chosen), len(steps)]:
        if place - at > SINGLE:
            yield _fold(at, place, steps, entries)
        else:
            yield from steps[at:place]
        if place < len(steps):
            yield steps[place]
        at = place + 1


def _fold(first: int, end: int, steps: Sequence[Step], entries: Sequence[Entry]) -> Fold:
    inside = steps[first:end]
    names = Counter(_name(entries[step.entry]) for step in inside)
    commonest = tuple((count, name) for name, count in names.most_common(2))
    return Fold(len(inside), first, min(step.depth for step in inside), commonest)


def _name(entry: Entry) -> str:
    service, name = entry.row.get("service", ""), entry.row.get("name")
    return f"{service} {name}" if name else f"{service} {'log' if entry.kind == 'log' else entry.kind}"
