"""
The spans of one trace as a forest: who stands under whom, whatever the spans say.

Spans come from many programs, some broken: a parent that never arrived, a span that is its own ancestor, one id twice. Everything is kept and everything
has exactly one place; what was mended is told. Spans are numbers here, their places in the list; `-1` is "nobody".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.read.sql import Row

NOBODY = -1


@dataclass(frozen=True, slots=True)
class SpanTree:
    """
    A forest over spans 0 … n-1.

    Attributes:
        parents: Per span its parent, or `NOBODY`.
        children: Per span its children, in the order of the list.
        tops: Spans under nobody, in the order of the list.
        order: Every span once, parents before their children.
        orphans: Tops whose parent is named but not here.
        duplicates: Spans whose id another one had before; the two sides of a call that share one (Zipkin) are none.
        loops: Tops that named a parent below themselves.
    """

    parents: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]
    tops: tuple[int, ...]
    order: tuple[int, ...]
    orphans: frozenset[int]
    duplicates: frozenset[int]
    loops: frozenset[int]


def span_tree(spans: Sequence[Row]) -> SpanTree:
    """
    Build the forest of *spans*.

    Args:
        spans: ``{span_id, parent_span_id, service, kind}``, the earliest first.
    """
    homes: dict[str, list[int]] = {}
    for number, span in enumerate(spans):
        homes.setdefault(span["span_id"], []).append(number)
    parents = [_parent(number, spans, homes) for number in range(len(spans))]
    loops = _cut_loops(parents)
    children: list[list[int]] = [[] for _ in spans]
    for number, parent in enumerate(parents):
        if parent != NOBODY:
            children[parent].append(number)
    tops = tuple(number for number, parent in enumerate(parents) if parent == NOBODY)
    orphans = frozenset(number for number in tops if spans[number]["parent_span_id"] and number not in loops)
    duplicates = frozenset(
        number for home in homes.values() for number in home[1:] if parents[number] != home[0]
    )
    kept = tuple(tuple(each) for each in children)
    return SpanTree(tuple(parents), kept, tops, _order(tops, kept), orphans, duplicates, loops)


def _parent(number: int, spans: Sequence[Row], homes: Mapping[str, Sequence[int]]) -> int:
    """Choose the parent; of several spans with its id, the one of the same service (Zipkin lets both sides of a call share an id)."""
    span = spans[number]
    twins = homes[span["span_id"]]
    if number != twins[0] and span["kind"] == "server" and spans[twins[0]]["kind"] == "client":
        return twins[0]
    found = [each for each in homes.get(span["parent_span_id"], ()) if each != number]
    if not span["parent_span_id"] or not found:
        return NOBODY
    return next((each for each in found if spans[each]["service"] == span["service"]), found[0])


def _cut_loops(parents: list[int]) -> frozenset[int]:
    """Make the earliest span of each ring a top, in place; return these spans."""
    state = [0] * len(parents)  # 0 not seen, 1 on the way now walked, 2 known to end at a top
    cut = set()
    for start in range(len(parents)):
        way = []
        at = start
        while at != NOBODY and state[at] == 0:
            state[at] = 1
            way.append(at)
            at = parents[at]
        if at != NOBODY and state[at] == 1:
            ring = min(way[way.index(at) :])
            parents[ring] = NOBODY
            cut.add(ring)
        for each in way:
            state[each] = 2
    return frozenset(cut)


def _order(tops: Sequence[int], children: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Depth first, without recursion: a trace may be thousands of spans deep."""
    order, waiting = [], list(reversed(tops))
    while waiting:
        number = waiting.pop()
        order.append(number)
        waiting.extend(reversed(children[number]))
    return tuple(order)
