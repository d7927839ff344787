"""
A trace as a flame: every span a box as wide as it took, below what called it; who works at the same time stands side by side.

Spans are placed in order of time, each in the first free lane below its parent's. Boxes too thin to be seen are counted, not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.api import Row
from dashboards.walk import Entry

LANES = 80
"""Deeper ones are counted: nobody scrolls through a thousand calls at once."""
THINNEST = 0.04
"""Percent of the axis."""
MOST_BOXES = 3000
COLOURS = 8


@dataclass(frozen=True)
class Box:
    """One span of the flame."""

    row: Row
    x: float
    width: float
    lane: int
    colour: int
    """1 to `COLOURS`, by service in order of appearance."""
    url: str
    duration_ms: float


@dataclass(frozen=True)
class Flame:
    """The whole picture: positions in percent of the axis, one lane per depth and overlap."""

    boxes: tuple[Box, ...]
    lanes: int
    left_out: int
    duration_ms: float
    services: tuple[tuple[str, int], ...]
    """(service, colour), in order of appearance."""


def lay_flame(spans: Sequence[Row], url_of: Callable[[Row], str]) -> Flame:
    """Place the spans; *url_of* gives where a click on one leads."""
    entries = sorted(
        (Entry.of("span", row) for row in spans), key=lambda each: (each.start, -each.duration_ns)
    )
    if not entries:
        return Flame((), 0, 0, 0.0, ())
    begin = entries[0].start
    length = max(1, max(each.start + each.duration_ns for each in entries) - begin)
    colours = _colours(entries)
    lanes = _lanes(entries)
    boxes = [
        Box(
            entry.row,
            100 * (entry.start - begin) / length,
            100 * entry.duration_ns / length,
            lane,
            colours[_service(entry)],
            url_of(entry.row),
            entry.duration_ns / 1e6,
        )
        for entry, lane in zip(entries, lanes, strict=True)
        if lane < LANES
        and (100 * entry.duration_ns / length >= THINNEST or entry.row.get("status") == "error")
    ]
    kept = sorted(sorted(boxes, key=lambda box: -box.width)[:MOST_BOXES], key=lambda box: (box.lane, box.x))
    deepest = max((box.lane for box in kept), default=-1) + 1
    return Flame(tuple(kept), deepest, len(entries) - len(kept), length / 1e6, tuple(colours.items()))


def _lanes(entries: Sequence[Entry]) -> list[int]:
    """Give each span the first lane below its parent's that is free when it begins; beyond `LANES` all are the last."""
    free_at = [0] * LANES
    placed: dict[str, int] = {}
    lanes = []
    for entry in entries:
        above = placed.get(str(entry.row.get("parent_span_id") or ""), -1)
        lane = next((each for each in range(above + 1, LANES) if free_at[each] <= entry.start), LANES)
        if lane < LANES:
            free_at[lane] = entry.start + max(1, entry.duration_ns)
        placed[str(entry.row.get("span_id"))] = min(lane, LANES - 1)
        lanes.append(lane)
    return lanes


def _colours(entries: Sequence[Entry]) -> Mapping[str, int]:
    names = dict.fromkeys(_service(entry) for entry in entries)
    return {name: number % COLOURS + 1 for number, name in enumerate(names)}


def _service(entry: Entry) -> str:
    return str(entry.row.get("service") or "")
