"""
The service graph as layers of boxes, callers left of callees.

Sugiyama's method, thin: break cycles by depth-first search, layer by longest path, order each
layer by the mean place of its neighbours. Deterministic: the same graph gives the same picture.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical systems", 1981.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.api import Row

BOX_WIDTH, BOX_HEIGHT = 168, 46
GAP_X, GAP_Y = 92, 22
MARGIN = 12
SWEEPS = 4
"""Ordering passes; more did not change the shop's picture."""


@dataclass(frozen=True)
class Box:
    """One node of the map."""

    row: Row
    node_id: str
    x: int
    y: int


@dataclass(frozen=True)
class Curve:
    """One edge of the map: an SVG path, and where its breaker mark stands."""

    row: Row
    path: str
    middle_x: float
    middle_y: float


@dataclass(frozen=True)
class Drawing:
    """The whole map in user units of the SVG."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: int
    height: int


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
    names = sorted({str(node.get("id", "")) for node in nodes})
    layers = _ordered(_layers(names, [(a, b) for a, b, _ in known]), [(a, b) for a, b, _ in known])
    tallest = max((len(layer) for layer in layers), default=0)
    places = {
        name: (
            MARGIN + column * (BOX_WIDTH + GAP_X),
            MARGIN + round((line + (tallest - len(layer)) / 2) * (BOX_HEIGHT + GAP_Y)),
        )
        for column, layer in enumerate(layers)
        for line, name in enumerate(layer)
    }
    rows = {str(node.get("id", "")): node for node in nodes}
    return Drawing(
        boxes=tuple(Box(rows[name], name, x, y) for name, (x, y) in places.items()),
        curves=tuple(_curve(row, places[a], places[b]) for a, b, row in known),
        width=2 * MARGIN + len(layers) * (BOX_WIDTH + GAP_X) - (GAP_X if layers else 0),
        height=2 * MARGIN + tallest * (BOX_HEIGHT + GAP_Y) - (GAP_Y if tallest else 0),
    )


def _layers(names: list[str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Put each node one layer right of its rightmost caller, ignoring edges that close a cycle."""
    forward = defaultdict(set)
    for caller, callee in edges:
        if caller != callee:
            forward[caller].add(callee)
    depth = dict.fromkeys(names, 0)
    for name in reversed(_finished_last_first(names, forward)):
        for callee in sorted(forward[name]):
            depth[callee] = max(depth[callee], depth[name] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
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


def _ordered(layers: list[list[str]], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Reorder each layer by the mean place of its neighbours, back and forth."""
    neighbours = defaultdict(list)
    for caller, callee in edges:
        neighbours[caller].append(callee)
        neighbours[callee].append(caller)
    place = {name: line - len(layer) / 2 for layer in layers for line, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means = {
                name: sum(place[other] for other in neighbours[name]) / (len(neighbours[name]) or 1)
                for name in layer
            }
            layer.sort(key=lambda name: (means[name], name))  # noqa: B023: used before the next loop
            place |= {name: line - len(layer) / 2 for line, name in enumerate(layer)}
    return layers


def _curve(row: Row, caller: tuple[int, int], callee: tuple[int, int]) -> Curve:
    x1, y1 = caller[0] + BOX_WIDTH, caller[1] + BOX_HEIGHT / 2
    x2, y2 = callee[0], callee[1] + BOX_HEIGHT / 2
    bend = GAP_X / 2 if x2 > x1 else GAP_X
    path = f"M{x1} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2} {y2:g}"
    return Curve(row, path, (x1 + x2) / 2, (y1 + y2) / 2)
