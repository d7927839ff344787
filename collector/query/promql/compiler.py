"""The compiler: a PromQL tree -> one SELECT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import promql_parser as pp

from collector.errors import QueryTooExpensive
from collector.query.promql.aggregates import aggregate
from collector.query.promql.grid import Grid
from collector.query.promql.scope import Matrix, Params, Result, Scope, Vector
from collector.query.promql.selectors import milliseconds, select_matrix, select_vector
from collector.query.promql.syntax import parse, unsupported
from collector.query.promql.windows import over_window

# Prometheus' own bound on the points of one series (web/api/v1: 11,000 points per timeseries).
POINTS_LIMIT = 11_000
# timeSeries…ToGrid are in preview; NaN and infinities come as text, NULL as null.
SETTINGS: Mapping[str, object] = {
    "allow_experimental_time_series_aggregate_functions": 1,
    "output_format_json_quote_denormals": 1,
}
ValueType = Literal["scalar", "vector", "matrix", "string"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    A statement that answers a question.

    Attributes:
        sql: Gives ``labels`` and ``values``, one row per series; ends in a LIMIT.
        params: Values of its places.
        settings: It runs with.
        type: Of the answer: ``matrix`` for a range.
        warnings: What the asker should know.
    """

    sql: str
    params: Mapping[str, object]
    settings: Mapping[str, object]
    type: ValueType
    warnings: tuple[str, ...] = ()


def compile_promql(text: str, grid: Grid, lookback_ms: int = 300_000, series_limit: int = 10_000) -> Compiled:
    """
    Compile *text* for *grid*.

    Args:
        text: PromQL.
        grid: The points; an instant query has one.
        lookback_ms: How old a sample may be to stand for its series.
        series_limit: One row more than this many is asked for, so that the reader sees that there are more.

    Raises:
        QuerySyntax: 400, with the position.
        QueryError: 400 for types that do not fit; 422 ``promql_unsupported``.
        QueryTooExpensive: More points than `POINTS_LIMIT`.
    """
    if grid.points > POINTS_LIMIT:
        raise QueryTooExpensive(
            f"{grid.points} points per series are asked for, {POINTS_LIMIT} are allowed; a longer step or a shorter range has fewer"
        )
    tree = parse(text)
    scope = Scope(grid, grid.start_ms, grid.end_ms, lookback_ms, Params())
    result = _node(tree, scope)
    limit = scope.params.integer(series_limit + 1)
    if not isinstance(result, Vector):
        raise unsupported("an answer of this type")
    sql = (
        f"SELECT t.labels AS labels, t.values AS values FROM ({result.sql}) AS t "
        f"WHERE arrayExists(v -> isNotNull(v), t.values) LIMIT {limit}"
    )
    return Compiled(sql, scope.params.values, SETTINGS, "vector" if grid.step_ms == 0 else "matrix")


def _node(node: Any, scope: Scope) -> Result:
    if isinstance(node, pp.ParenExpr):
        return _node(node.expr, scope)
    if isinstance(node, pp.VectorSelector):
        return select_vector(node, scope)
    if isinstance(node, pp.MatrixSelector):
        return select_matrix(node.vector_selector, milliseconds(node.range), scope)
    if isinstance(node, pp.AggregateExpr):
        inner = _node(node.expr, scope)
        assert isinstance(inner, Vector)
        return _known(aggregate(node, inner, scope), f"the aggregation {node.op}")
    if isinstance(node, pp.Call):
        arguments = [_node(argument, scope) for argument in node.args]
        matrices = [a for a in arguments if isinstance(a, Matrix)]
        if matrices:
            return _known(over_window(node.func.name, matrices[0], scope), f"the function {node.func.name}()")
    raise unsupported(type(node).__name__)


def _known(vector: Vector | None, what: str) -> Vector:
    if vector is None:
        raise unsupported(what)
    return vector
