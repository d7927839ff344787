"""Map: who calls whom, how well, and which edges a breaker protects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.layered import Drawing, draw
from dashboards.pages.page import Page, Visit, rows_of, text_of
from dashboards.render import Help

SHOWN_NODES = 200


@dataclass(frozen=True)
class MapContext:
    """Everything the Map page shows."""

    answer: Annotated[Section, Help("GET /map.")]
    drawing: Annotated[Drawing, Help("Boxes and curves, callers left of callees.")]
    edges: Annotated[tuple[Row, ...], Help("Every edge, failing ones first: the same map as a table.")]
    services: Annotated[frozenset[str], Help("Names that have a page; databases and queues have none.")]
    hidden: Annotated[int, Help("Nodes left out of the drawing; the table has all edges.")]


async def load(visit: Visit) -> MapContext:
    """Ask for the map and lay it out."""
    answer = await visit.api.get("map", params=visit.question)
    row = answer.first or {}
    nodes, edges = rows_of(row.get("nodes")), rows_of(row.get("edges"))
    return MapContext(
        answer=answer,
        drawing=draw(nodes[:SHOWN_NODES], edges),
        edges=tuple(sorted(edges, key=_by_trouble)),
        services=frozenset(
            text_of(node, "service") for node in nodes if node.get("kind") in (None, "service")
        ),
        hidden=max(0, len(nodes) - SHOWN_NODES),
    )


def _by_trouble(edge: Row) -> tuple[float, str, str]:
    ratio = edge.get("error_ratio")
    failing = -float(ratio) if isinstance(ratio, int | float) else 0.0
    return failing, str(edge.get("caller", "")), str(edge.get("callee", ""))


PAGE = Page("/map", "map.html", "map", MapContext, load)
