"""The compiler: a PromQL tree -> one SELECT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import promql_parser as pp

from collector.errors import QueryError, QueryTooExpensive
from collector.query.promql import enrich, labels, operators, remarks
from collector.query.promql.aggregates import aggregate
from collector.query.promql.calls import call
from collector.query.promql.grid import Grid
from collector.query.promql.scope import (
    Matrix,
    Params,
    Result,
    Scalar,
    Scope,
    Text,
    Vector,
    mapped,
    nameless,
    without_name,
)
from collector.query.promql.selectors import OWN, at_and_offset, milliseconds, select_matrix, select_vector
from collector.query.promql.syntax import parse, unsupported

# Prometheus' own bound on the points of one series (web/api/v1: 11,000 points per timeseries).
POINTS_LIMIT = 11_001
# A subquery's own grid: a week of 15 s, once.
SUBQUERY_POINTS_LIMIT = 50_000
# timeSeries…ToGrid are in preview; NaN and infinities come as text, NULL as null.
SETTINGS: Mapping[str, object] = {
    "allow_experimental_time_series_aggregate_functions": 1,
    "output_format_json_quote_denormals": 1,
}
# Which arguments of a function name labels that it reads.
_NAMES_FROM = {
    "label_replace": slice(3, 4),
    "label_join": slice(3, None),
    "sort_by_label": slice(1, None),
    "sort_by_label_desc": slice(1, None),
}
ValueType = Literal["scalar", "vector", "matrix", "string"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    A statement that answers a question.

    Attributes:
        sql: Gives ``labels`` and ``values``, one row per series, at most one more than the limit; "" for a string.
        params: Values of its places.
        settings: It runs with.
        type: Of the answer: ``matrix`` for a range.
        raw: ``values`` are (milliseconds, value) pairs, not one value per point.
        ordered: The rows' order is part of the answer.
        text: Of a string.
        warnings: What may be wrong with the answer, if it has any series.
        infos: What may be wrong with the question, if the answer has any series.
    """

    sql: str
    params: Mapping[str, object]
    settings: Mapping[str, object]
    type: ValueType
    raw: bool = False
    ordered: bool = False
    text: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


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
        QueryError: 400 ``bad_value``: something a function cannot be given.
        QueryUnanswerable: 422 ``promql_unsupported``.
        QueryTooExpensive: More points than `POINTS_LIMIT`.
    """
    if grid.points > POINTS_LIMIT:
        raise QueryTooExpensive(
            f"{grid.points} points per series are asked for, {POINTS_LIMIT} are allowed; a longer step or a shorter range has fewer"
        )
    tree = parse(text)
    scope = Scope(grid, grid.start_ms, grid.end_ms, lookback_ms, Params(), own_columns(tree))
    compiled = _statement(tree, _node(tree, scope), scope, series_limit)
    return replace(
        compiled, warnings=tuple(dict.fromkeys(scope.warnings)), infos=tuple(dict.fromkeys(scope.infos))
    )


def _statement(tree: Any, result: Result, scope: Scope, series_limit: int) -> Compiled:
    bound = scope.params
    if isinstance(result, Text):
        return Compiled("", {}, SETTINGS, "string", text=result.value)
    if isinstance(result, Scalar):
        sql = f"SELECT CAST(map(), 'Map(String, String)') AS labels, {result.array(scope)} AS values LIMIT 1"
        return Compiled(sql, bound.values, SETTINGS, _type(scope, "scalar"))
    limit = bound.integer(series_limit + 1)
    if isinstance(result, Matrix):
        return Compiled(_raw(result, scope, limit), bound.values, SETTINGS, "matrix", raw=True)
    order, result = _order(tree, scope), nameless(result)
    sql = (
        f"SELECT t.labels AS labels, t.values AS values FROM ({result.sql}) AS t "
        f"WHERE arrayExists(v -> isNotNull(v), t.values){order} LIMIT {limit}"
    )
    return Compiled(sql, bound.values, SETTINGS, _type(scope, "vector"), ordered=bool(order))


def _type(scope: Scope, of_one_point: ValueType) -> ValueType:
    return of_one_point if scope.grid.step_ms == 0 else "matrix"


def _raw(matrix: Matrix, scope: Scope, limit: str) -> str:
    if scope.grid.step_ms != 0:
        raise QueryError(
            "bad_value",
            "a range of samples has no value at a point; a range query needs an instant vector or a scalar",
            "query",
        )
    samples = "arrayMap(s -> (toUnixTimestamp64Milli(s.1), s.2), timeSeriesGroupArray(t.samples))"
    labels = without_name("t.labels") if matrix.named and matrix.drops else "t.labels"
    return f"SELECT {labels} AS labels, {samples} AS values FROM ({matrix.sql}) AS t GROUP BY labels HAVING notEmpty(values) LIMIT {limit}"


def _order(tree: Any, scope: Scope) -> str:
    """Give the ORDER BY of an instant answer whose outermost function sorts."""
    while isinstance(tree, pp.ParenExpr):
        tree = tree.expr
    if scope.grid.step_ms != 0:
        return ""
    if isinstance(tree, pp.AggregateExpr):
        order = labels.order_by(str(tree.op), [], scope)
    elif isinstance(tree, pp.Call):
        named = [argument.val for argument in tree.args if isinstance(argument, pp.StringLiteral)]
        order = labels.order_by(tree.func.name, named, scope)
    else:
        order = None
    return f" ORDER BY {order}" if order else ""


def own_columns(tree: Any) -> frozenset[str]:
    """Say which columns a question names like labels, outside of matchers: only then they are shown as such."""
    named: set[str] = set()

    def _visit(node: Any) -> None:
        if isinstance(node, pp.AggregateExpr) and node.modifier is not None:
            named.update(node.modifier.labels)
        elif isinstance(node, pp.BinaryExpr) and node.modifier is not None:
            matching = node.modifier.matching
            named.update(
                [*(matching.labels if matching is not None else ()), *(node.modifier.group_labels or ())]
            )
        elif isinstance(node, pp.Call) and node.func.name in _NAMES_FROM:
            names = node.args[_NAMES_FROM[node.func.name]]
            named.update(argument.val for argument in names if isinstance(argument, pp.StringLiteral))

    pp.walk(tree, _visit)
    return frozenset(named & OWN.keys())


def _node(node: Any, scope: Scope) -> Result:
    compiled = _BY_KIND.get(type(node))
    if compiled is None:
        raise unsupported(type(node).__name__)
    return compiled(node, scope)


def _call(node: pp.Call, scope: Scope) -> Result:
    remarks.call(node, scope)
    if node.func.name == "info":
        return _info(node, scope)
    return call(node, [_node(argument, scope) for argument in node.args], scope)


def _info(node: pp.Call, scope: Scope) -> Vector:
    base = _node(node.args[0], scope)
    assert isinstance(base, Vector)
    return enrich.info(base, node.args[1] if len(node.args) > 1 else None, scope)


def _aggregate(node: pp.AggregateExpr, scope: Scope) -> Vector:
    inner = _node(node.expr, scope)
    if str(node.op) == "quantile":
        remarks.quantile(node.param, scope)
    if str(node.op) == "limit_ratio":
        remarks.ratio(node.param, scope)
    parameter = None if node.param is None else _node(node.param, scope)
    assert isinstance(inner, Vector)
    assert parameter is None or isinstance(parameter, Scalar | Text)
    return aggregate(node, inner, parameter, scope)


def _negated(result: Result) -> Result:
    if isinstance(result, Scalar):
        return Scalar(f"(-{result.sql})" if result.constant else mapped("-v", result.sql), result.constant)
    assert isinstance(result, Vector)
    sql = f"SELECT t.labels AS labels, {mapped('-v', 't.values')} AS values FROM ({result.sql}) AS t"
    return Vector(sql, result.named, result.unique, drops=True)


def _binary(node: pp.BinaryExpr, scope: Scope) -> Result:
    left, right, op = _node(node.lhs, scope), _node(node.rhs, scope), str(node.op)
    how = operators.matching_of(node.modifier)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return operators.scalars(op, left, right)
    if isinstance(left, Vector) and isinstance(right, Vector):
        return operators.vectors(op, left, right, how, scope)
    vector, scalar = (right, left) if isinstance(left, Scalar) else (left, right)
    assert isinstance(vector, Vector)
    assert isinstance(scalar, Scalar)
    values, drops = operators.vector_and_scalar(
        op, scalar, swapped=isinstance(left, Scalar), as_bool=how.as_bool
    )
    sql = f"SELECT t.labels AS labels, {values} AS values FROM ({vector.sql}) AS t"
    return Vector(sql, vector.named, vector.unique, vector.drops or drops)


def _subquery(node: pp.SubqueryExpr, scope: Scope) -> Matrix:
    """Compile a subquery: its expression on a grid of its own, whose points are multiples of the step since the epoch."""
    grid, repeated = at_and_offset(node, scope)
    window_ms = milliseconds(node.range)
    step_ms = milliseconds(node.step) or scope.default_step_ms
    start_ms = ((grid.start_ms - window_ms) // step_ms + 1) * step_ms
    own = Grid(start_ms, max(start_ms, grid.end_ms), step_ms)
    if own.points > SUBQUERY_POINTS_LIMIT:
        raise QueryTooExpensive(
            f"a subquery has {own.points} points, {SUBQUERY_POINTS_LIMIT} are allowed; a longer step or a shorter range has fewer"
        )
    inner_scope = scope.on(own)
    inner = _node(node.expr, inner_scope)
    assert isinstance(inner, Vector)
    bind = scope.params
    times = f"timeSeriesRange({bind.time(own.start_ms)}, {bind.time(own.end_ms)}, {bind.duration(step_ms)})"
    samples = f"arrayMap(p -> (p.1, assumeNotNull(p.2)), arrayFilter(p -> isNotNull(p.2), arrayZip({times}, t.values)))"
    sql = f"SELECT t.labels AS labels, 0 AS delta, {samples} AS samples FROM ({inner.sql}) AS t"
    ago_ms = scope.grid.start_ms - grid.start_ms
    return Matrix(sql, window_ms, scope.on(grid), repeated, ago_ms, inner.named, inner.unique, inner.drops)


_BY_KIND: Mapping[type, Callable[[Any, Scope], Result]] = {
    pp.ParenExpr: lambda node, scope: _node(node.expr, scope),
    pp.NumberLiteral: lambda node, scope: Scalar(scope.params.number(node.val), constant=True),
    pp.StringLiteral: lambda node, _: Text(node.val),
    pp.VectorSelector: select_vector,
    pp.MatrixSelector: lambda node, scope: select_matrix(
        node.vector_selector, milliseconds(node.range), scope
    ),
    pp.SubqueryExpr: _subquery,
    pp.AggregateExpr: _aggregate,
    pp.Call: _call,
    pp.UnaryExpr: lambda node, scope: _negated(_node(node.expr, scope)),
    pp.BinaryExpr: _binary,
}
