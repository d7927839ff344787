"""Map: who calls whom, how well, and which edges a breaker protects; of the whole range, or as it was at a moment of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.layered import Drawing, draw
from dashboards.pages.page import Page, Part, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.window import Window

SHOWN_NODES = 300
HOPS = 2
"""How far a focused service's neighbourhood reaches."""
STEPS = 24
"""Stops of the time slider; the last one is the whole range."""
SHOWN_STRETCH = 2
"""A moment of the slider shows so many of its stretches before it: a minute alone has few calls."""


@dataclass(frozen=True)
class MapContext:
    """Everything the Map page shows."""

    answer: Annotated[Section, Help("GET /map of the whole range: what is drawn.")]
    moment: Annotated[Section, Help("GET /map of the slider's moment; empty for the whole range.")]
    drawing: Annotated[
        Drawing, Help("Boxes and curves, callers left of callees; the same for every moment of the range.")
    ]
    edges: Annotated[tuple[Row, ...], Help("Every edge, failing ones first: the same map as a table.")]
    services: Annotated[frozenset[str], Help("Names that have a page; databases and queues have none.")]
    names: Annotated[tuple[str, ...], Help("Every node, to choose the focus from.")]
    hidden: Annotated[int, Help("Nodes left out of the drawing; the table has all edges.")]
    focus: Annotated[str, Help("The node whose neighbourhood is drawn; empty: all.")]
    step: Annotated[int, Help("The slider's stop, 1 to `STEPS`; the last is the whole range.")]
    steps: Annotated[int, Help("How many stops the slider has.")]
    shown: Annotated[Window, Help("The time that the numbers are of.")]


@dataclass(frozen=True)
class SideContext:
    """What the panel beside the map says about one node."""

    name: Annotated[str, Help("The node.")]
    kind: Annotated[str, Help("service, database, queue, external; empty if the map does not know it.")]
    answer: Annotated[Section, Help("GET /services/{service}; empty for what is no service.")]
    map: Annotated[Section, Help("GET /map.")]
    row: Annotated[Row, Help("The service, or the node as the map tells it.")]
    callers: Annotated[tuple[Row, ...], Help("Edges into it.")]
    callees: Annotated[tuple[Row, ...], Help("Edges out of it.")]
    services: Annotated[frozenset[str], Help("Names that have a page.")]
    logs_url: Annotated[str, Help("Its logs.")]
    failing_url: Annotated[str, Help("Its failing traces.")]


async def load(visit: Visit) -> MapContext:
    """Ask for the map of the whole range, lay it out, and colour it by the chosen moment."""
    step, focus = visit.count("step", STEPS, STEPS), visit.text("focus")
    shown = moment_of(visit.window, step)
    whole, moment = await asyncio.gather(
        visit.api.get("map", params=visit.question),
        visit.api.get("map", params=shown.question) if step < STEPS else _nothing(),
    )
    row, then = whole.first or {}, moment.first
    every = _nodes(rows_of(row.get("nodes")), then)
    edges = _edges(rows_of(row.get("edges")), then)
    nodes = neighbourhood(every, edges, focus) if focus else every
    return MapContext(
        answer=whole,
        moment=moment,
        drawing=draw(nodes[:SHOWN_NODES], edges),
        edges=tuple(sorted(_touching(edges, nodes) if focus else edges, key=_by_trouble)),
        services=_services(every),
        names=tuple(sorted(text_of(node, "id") for node in every)),
        hidden=max(0, len(nodes) - SHOWN_NODES),
        focus=focus,
        step=step,
        steps=STEPS,
        shown=shown,
    )


async def _nothing() -> Section:
    return Section()


def moment_of(window: Window, step: int) -> Window:
    """Give the part of *window* that a stop of the slider shows; the last stop is all of it."""
    if step >= STEPS:
        return window
    length = (window.end - window.start) / STEPS
    end = window.start + length * step
    return window.between(max(window.start, end - length * SHOWN_STRETCH), end)


def neighbourhood(nodes: Sequence[Row], edges: Iterable[Row], focus: str) -> list[Row]:
    """Keep the nodes within `HOPS` calls of *focus*, up or down."""
    near = {focus}
    pairs = [(text_of(edge, "caller"), text_of(edge, "callee")) for edge in edges]
    for _ in range(HOPS):
        near |= {b for a, b in pairs if a in near} | {a for a, b in pairs if b in near}
    return [node for node in nodes if text_of(node, "id") in near or text_of(node, "service") in near]


async def load_side(visit: Visit) -> SideContext:
    """Ask for one node: the service in depth, and its edges as the map has them."""
    name = visit.text("side")
    whole, answer = await asyncio.gather(
        visit.api.get("map", params=visit.question), visit.api.get("services", name, params=visit.question)
    )
    row = whole.first or {}
    nodes, edges = rows_of(row.get("nodes")), rows_of(row.get("edges"))
    node = next((each for each in nodes if name in (text_of(each, "id"), text_of(each, "service"))), {})
    kind = text_of(node, "kind") or ("service" if node else "")
    return SideContext(
        name=name,
        kind=kind,
        answer=answer if kind in ("service", "") else Section(),
        map=whole,
        row=answer.first or node,
        callers=tuple(edge for edge in edges if edge.get("callee") == name),
        callees=tuple(edge for edge in edges if edge.get("caller") == name),
        services=_services(nodes),
        logs_url=visit.window.url("logs", query=f"service:{quoted(name)}"),
        failing_url=visit.window.url("traces", service=name, error="true"),
    )


def _nodes(nodes: Sequence[Row], then: Row | None) -> list[Row]:
    """Give the nodes with the numbers of the moment; one that was silent then is unknown."""
    if then is None:
        return list(nodes)
    known = {text_of(node, "id"): node for node in rows_of(then.get("nodes"))}
    silent = {"health": "unknown", "rate": None, "error_ratio": None, "p95_ms": None}
    return [{**node, **known.get(text_of(node, "id"), silent)} for node in nodes]


def _edges(edges: Sequence[Row], then: Row | None) -> list[Row]:
    if then is None:
        return list(edges)
    known: Mapping[tuple[str, ...], Row] = {_edge_key(edge): edge for edge in rows_of(then.get("edges"))}
    silent = {"rate": None, "error_ratio": None, "p95_ms": None, "breaker": None, "silent": True}
    return [{**edge, **known.get(_edge_key(edge), silent)} for edge in edges]


def _edge_key(edge: Row) -> tuple[str, ...]:
    return text_of(edge, "caller"), text_of(edge, "callee"), text_of(edge, "protocol")


def _touching(edges: Iterable[Row], nodes: Iterable[Row]) -> list[Row]:
    drawn = {text_of(node, "service") for node in nodes} | {text_of(node, "id") for node in nodes}
    return [edge for edge in edges if edge.get("caller") in drawn and edge.get("callee") in drawn]


def _services(nodes: Iterable[Row]) -> frozenset[str]:
    return frozenset(text_of(node, "service") for node in nodes if node.get("kind") in (None, "service"))


def _by_trouble(edge: Row) -> tuple[float, str, str]:
    ratio = edge.get("error_ratio")
    failing = -float(ratio) if isinstance(ratio, int | float) else 0.0
    return failing, str(edge.get("caller", "")), str(edge.get("callee", ""))


PAGE = Page(
    "/map",
    "map.html",
    "map",
    MapContext,
    load,
    parts={"side": Part("parts/side.html", SideContext, load_side)},
)
