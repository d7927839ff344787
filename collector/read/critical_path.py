"""
Which spans the time of a trace went to.

``self_ns``        the part of a span in which none of its children ran.
``critical path``  walk back from the end of the root: until the child that ended last began to count, the time is the span's own; then it is that child's,
                   found the same way; from the child's beginning on, the child that ended last before it counts. What runs beside it is not waited for.
                   So each moment of the root belongs to exactly one span, and making that span faster would make the trace faster.

Children are cut to their parents: what a span starts and does not wait for (a message, a background task) is not on the path once the span has ended.

Source: Zhang et al.: CRISP: Critical Path Analysis of Large-Scale Microservice Architectures, USENIX ATC 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.read.span_tree import SpanTree

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """One uninterrupted part of the critical path: the span *number*, from *start_ns* to *end_ns*."""

    number: int
    start_ns: int
    end_ns: int


def critical_path(intervals: Sequence[Interval], tree: SpanTree) -> list[Segment]:
    """
    Give the critical path, oldest segment first.

    Args:
        intervals: Per span ``(start, end)``, ns, skew corrected.
        tree: Who stands under whom.

    Returns:
        Segments without overlaps. Together they are the earliest root, or where none was received the earliest top of a ring; without either, all tops
        are taken as children of a root that runs from their first beginning to their last end, and its own time belongs to nobody.
    """
    if not tree.tops:
        return []
    others = tree.orphans | tree.loops
    roots = [each for each in tree.tops if each not in others] or sorted(tree.loops)
    if roots:
        root = min(roots, key=lambda each: intervals[each])
        waiting = [(root, *intervals[root])]
    else:
        whole = (min(intervals[each][0] for each in tree.tops), max(intervals[each][1] for each in tree.tops))
        waiting = [(child, *part) for child, part in _waited_for(tree.tops, intervals, whole)]
    found: list[Segment] = []
    while waiting:
        number, start, end = waiting.pop()
        parts = _waited_for(tree.children[number], intervals, (start, end))
        waiting += [(child, *part) for child, part in parts]
        found += [Segment(number, *gap) for gap in _gaps((start, end), [part for _, part in parts])]
    return sorted(found, key=lambda each: (each.start_ns, each.end_ns))


def self_ns(intervals: Sequence[Interval], tree: SpanTree) -> list[int]:
    """Give the time of each span in which none of its children ran, ns."""
    return [
        sum(end - start for start, end in _gaps(whole, [intervals[child] for child in tree.children[number]]))
        for number, whole in enumerate(intervals)
    ]


def _waited_for(
    children: Iterable[int], intervals: Sequence[Interval], whole: Interval
) -> list[tuple[int, Interval]]:
    """Walk back from the end of *whole*: always the child that ended last before what is already found; each cut to *whole*."""
    cut = [(_cut(intervals[child], whole), child) for child in children]
    lasting = sorted((-end, start, child) for (start, end), child in cut if start < end)
    found, until = [], whole[1]
    for negative, start, child in lasting:
        end = -negative
        if end <= until:
            found.append((child, (start, end)))
            until = start
    return found


def _cut(inner: Interval, outer: Interval) -> Interval:
    return max(inner[0], outer[0]), min(inner[1], outer[1])


def _gaps(whole: Interval, parts: Iterable[Interval]) -> list[Interval]:
    """Give what of *whole* none of *parts* covers."""
    gaps, at = [], whole[0]
    for start, end in sorted(parts):
        if start > at:
            gaps.append((at, min(start, whole[1])))
        at = max(at, end)
        if at >= whole[1]:
            return gaps
    return [*gaps, (at, whole[1])] if at < whole[1] else gaps
