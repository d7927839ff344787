"""
The service graph as layers of boxes, callers left of callees.

Sugiyama's method, thin: break cycles by depth-first search, layer by longest path, give long edges
a passage through the layers they cross, order each layer by the mean place of its neighbours.
Deterministic: the same graph gives the same picture.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical systems", 1981.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from dashboards.api import Row

BOX_WIDTH, BOX_HEIGHT = 204, 46
PASSAGE_HEIGHT, PASSAGE_GAP = 6, 6
"""Room long edges get in a layer they pass, so that they never run behind a box; those to one callee share it, like a trunk."""
GAP_X, GAP_Y = 84, 22
MARGIN = 12
_Name = str | tuple[str, int]
"""A node's id, or the passage of all edges to a callee through a layer (its number)."""
MARK_PLACES = (0.66, 0.4, 0.53)
SWEEPS = 4
"""Ordering passes; more did not change the shop's picture."""


@dataclass(frozen=True)
class Box:
    """One node of the map."""

    row: Row
    node_id: str
    x: float
    y: float
    width: int = BOX_WIDTH
    height: int = BOX_HEIGHT


@dataclass(frozen=True)
class Curve:
    """One edge of the map: an SVG path, and where its breaker mark stands."""

    row: Row
    path: str
    mark_x: float
    mark_y: float


@dataclass(frozen=True)
class Drawing:
    """The whole map in user units of the SVG."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: float
    height: float


def draw(nodes: Sequence[Row], edges: Sequence[Row]) -> Drawing:
    """
    Place the nodes and bend the edges.

    Args:
        nodes: ``{id, service, …}``.
        edges: ``{caller, callee, …}``; names are node ids or services. Others are left out.
    """
    by_name = {str(node.get("service", "")): str(node.get("id", "")) for node in nodes}
    by_name |= {str(node.get("id", "")): str(node.get("id", "")) for node in nodes}
    ends = [(by_name.get(str(e.get("caller"))), by_name.get(str(e.get("callee"))), e) for e in edges]
    known = [
        (caller, callee, row) for caller, callee, row in ends if caller is not None and callee is not None
    ]
    known.sort(key=lambda each: (each[0], each[1], str(each[2].get("protocol", ""))))
    names = sorted({str(node.get("id", "")) for node in nodes})
    layers = _layers(names, [(a, b) for a, b, _ in known])
    column = {name: number for number, layer in enumerate(layers) for name in layer}
    routes = [_with_passages(layers, column, caller, callee) for caller, callee, _ in known]
    layers = _ordered(layers, [hop for route in routes for hop in pairwise(route)])
    places, width, height = _places(layers)
    rows = {str(node.get("id", "")): node for node in nodes}
    return Drawing(
        boxes=tuple(Box(rows[name], name, *places[name]) for name in names),
        curves=tuple(
            _curve(row, [places[name] for name in route], at)
            for route, (_, _, row), at in zip(routes, known, _mark_places(known), strict=True)
        ),
        width=width,
        height=height,
    )


def _with_passages(
    layers: list[list[_Name]], column: dict[_Name, int], caller: str, callee: str
) -> list[_Name]:
    """Give the names an edge goes through, adding a passage to each layer it crosses where its callee has none yet."""
    route: list[_Name] = [caller]
    for number in range(column[caller] + 1, column[callee]):
        passage = (callee, number)
        if passage not in column:
            column[passage] = number
            layers[number].append(passage)
        route.append(passage)
    return [*route, callee]


def _places(layers: list[list[_Name]]) -> tuple[dict[_Name, tuple[float, float]], float, float]:
    """Give each name the top left corner of its room, and the size of the whole."""
    heights = [_tall(layer) for layer in layers]
    tallest = max(heights, default=0)
    places: dict[_Name, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        y = MARGIN + (tallest - heights[column]) / 2
        for name, following in zip(layer, [*layer[1:], ""], strict=True):
            places[name] = (MARGIN + column * (BOX_WIDTH + GAP_X), y)
            y += _height(name) + _gap(name, following)
    width = 2 * MARGIN + len(layers) * (BOX_WIDTH + GAP_X) - (GAP_X if layers else 0)
    return places, width, 2 * MARGIN + tallest


def _tall(layer: list[_Name]) -> int:
    return sum(_height(name) for name in layer) + sum(_gap(one, other) for one, other in pairwise(layer))


def _gap(one: _Name, other: _Name) -> int:
    """Trunks run close to each other, not to boxes."""
    return GAP_Y if isinstance(one, str) or isinstance(other, str) else PASSAGE_GAP


def _height(name: _Name) -> int:
    return BOX_HEIGHT if isinstance(name, str) else PASSAGE_HEIGHT


def _layers(names: list[str], edges: list[tuple[str, str]]) -> list[list[_Name]]:
    """Put each node one layer right of its rightmost caller, ignoring edges that close a cycle."""
    forward = defaultdict(set)
    for caller, callee in edges:
        if caller != callee:
            forward[caller].add(callee)
    depth = dict.fromkeys(names, 0)
    for name in reversed(_finished_last_first(names, forward)):
        for callee in sorted(forward[name]):
            depth[callee] = max(depth[callee], depth[name] + 1)
    layers: list[list[_Name]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    return [layer for layer in layers if layer]


def _finished_last_first(names: list[str], forward: dict[str, set[str]]) -> list[str]:
    """Order nodes by when a depth-first search leaves them, and cut the edges that close cycles."""
    called = {callee for callees in forward.values() for callee in callees}
    done: list[str] = []
    state: dict[str, int] = {}
    for root in sorted(names, key=lambda name: (name in called, name)):
        stack = [] if root in state else [(root, iter(sorted(forward[root])))]
        state.setdefault(root, 1)
        while stack:
            name, callees = stack[-1]
            callee = next(callees, None)
            if callee is None:
                stack.pop()
                state[name] = 2
                done.append(name)
            elif state.get(callee) == 1:
                forward[name].discard(callee)
            elif callee not in state:
                state[callee] = 1
                stack.append((callee, iter(sorted(forward[callee]))))
    return done


def _ordered(layers: list[list[_Name]], hops: list[tuple[_Name, _Name]]) -> list[list[_Name]]:
    """Reorder each layer by the mean place of its neighbours, back and forth."""
    neighbours: dict[_Name, list[_Name]] = defaultdict(list)
    for left, right in hops:
        neighbours[left].append(right)
        neighbours[right].append(left)
    place = {name: line - len(layer) / 2 for layer in layers for line, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=partial(_mean_place, place, neighbours))
            place |= {name: line - len(layer) / 2 for line, name in enumerate(layer)}
    return layers


def _mean_place(
    place: dict[_Name, float], neighbours: dict[_Name, list[_Name]], name: _Name
) -> tuple[float, str]:
    around = neighbours[name]
    return sum(place[other] for other in around) / (len(around) or 1), str(name)


def _mark_places(edges: list[tuple[str, str, Row]]) -> Iterator[float]:
    """Say how far along its last bend each edge's mark stands: edges into one box keep theirs apart."""
    into: dict[str, int] = defaultdict(int)
    for _, callee, _ in edges:
        yield MARK_PLACES[into[callee] % len(MARK_PLACES)]
        into[callee] += 1


def _curve(row: Row, corners: list[tuple[float, float]], mark: float) -> Curve:
    """Bend an edge through its passages; the mark stands near the callee, where few edges meet."""
    ends = (corners[0], corners[-1])
    points = [(corners[0][0] + BOX_WIDTH, ends[0][1] + BOX_HEIGHT / 2)]
    for x, y in corners[1:-1]:
        points += [(x, y + PASSAGE_HEIGHT / 2), (x + BOX_WIDTH, y + PASSAGE_HEIGHT / 2)]
    points.append((ends[1][0], ends[1][1] + BOX_HEIGHT / 2))
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x1, y1), (x2, y2) in pairwise(points):
        bend = (x2 - x1) / 2 if x2 > x1 else GAP_X
        path += f" C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    (x1, y1), (x2, y2) = points[-2:]
    return Curve(row, path, *_on_bend((x1, y1), (x2, y2), mark))


def _on_bend(start: tuple[float, float], end: tuple[float, float], t: float) -> tuple[float, float]:
    """Give the point at *t* of the cubic curve between two ends with level tangents half way."""
    (x1, y1), (x2, y2) = start, end
    half = (x1 + x2) / 2
    a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
    return round(a * x1 + (b + c) * half + d * x2, 1), round((a + b) * y1 + (c + d) * y2, 1)
