"""
Selectors by themselves: those that ``match[]`` names, those that an expression holds -> a condition on ``metric_series``.

They choose what the same selector chooses in a query. Source: https://prometheus.io/docs/prometheus/latest/querying/api/ ("Finding series").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promql_parser import Expr, VectorSelector

from collector.errors import QueryError
from collector.query.promql.grid import instant
from collector.query.promql.scope import Params, Scope
from collector.query.promql.selectors import condition_of
from collector.query.promql.syntax import parse


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    Which series.

    Attributes:
        sql: On the rows of ``metric_series AS s``.
        params: Values of its places.
    """

    sql: str
    params: Mapping[str, object]


def chosen(selectors: Sequence[VectorSelector]) -> Chosen:
    """Return the condition that some of *selectors* fits; without any, one that all series fit."""
    params = Params()
    scope = Scope(instant(0), 0, 0, 0, params)
    ways = [condition_of(selector, scope)[0] for selector in selectors]
    return Chosen(" OR ".join(f"({way})" for way in ways) or "true", params.values)


def parse_selector(text: str) -> VectorSelector:
    """
    Parse one ``match[]``.

    Raises:
        QueryError: It is not a selector, or one with offset or @.
    """
    found = parse(text)
    if not isinstance(found, VectorSelector) or found.offset is not None or found.at is not None:
        raise QueryError("bad_parameter", f"parse error: {text[:200]!r} is not a series selector", "match[]")
    return found


def selectors(expression: Expr) -> Sequence[VectorSelector]:
    """Return every selector in *expression*, those of range selectors included."""
    return tuple(_selectors(expression))


def _selectors(node: Expr) -> Iterator[VectorSelector]:
    if isinstance(node, VectorSelector):
        yield node
        return
    for name in ("vector_selector", "expr", "param", "lhs", "rhs"):
        below = getattr(node, name, None)
        if isinstance(below, Expr):
            yield from _selectors(below)
    for argument in getattr(node, "args", ()):
        yield from _selectors(argument)
