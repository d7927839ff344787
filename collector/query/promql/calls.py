"""Function calls: each PromQL function by the kind of thing it works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import promql_parser as pp

from collector.query.promql import functions, labels
from collector.query.promql.histograms import histogram_fraction, histogram_quantile
from collector.query.promql.scope import Matrix, Result, Scalar, Scope, Text, Vector
from collector.query.promql.selectors import select_timestamps
from collector.query.promql.syntax import unsupported
from collector.query.promql.windows import over_window

_SORTS = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})


def call(node: pp.Call, arguments: Sequence[Result], scope: Scope) -> Result:
    """
    Compile a call.

    Args:
        node: The call.
        arguments: Its arguments, compiled.
        scope: Where.

    Raises:
        QueryUnanswerable: 422, naming the function.
    """
    name = node.func.name
    numbers = [argument for argument in arguments if isinstance(argument, Scalar)]
    for argument in arguments:
        if isinstance(argument, Matrix):
            return _of_matrix(name, node, argument, numbers, scope)
    for argument in arguments:
        if isinstance(argument, Vector):
            return _of_vector(name, node, argument, arguments, scope)
    return _of_numbers(name, numbers, scope)


def _of_matrix(name: str, node: pp.Call, matrix: Matrix, numbers: list[Scalar], scope: Scope) -> Vector:
    if name == "absent_over_time":
        present = over_window("present_over_time", matrix, [], scope)
        assert present is not None
        return labels.absent(present, node.args[0], scope)
    vector = over_window(name, matrix, numbers, scope)
    if vector is None:
        raise unsupported(f"the function {name}()")
    return vector


def _of_vector(name: str, node: pp.Call, vector: Vector, arguments: Sequence[Result], scope: Scope) -> Result:
    numbers = [argument for argument in arguments if isinstance(argument, Scalar)]
    values = functions.value_by_value(name, numbers, scope)
    if values is not None:
        return _with_values(vector, values)
    if name in _SORTS:
        return vector
    if name in _OF_VECTOR:
        return _OF_VECTOR[name](node, vector, numbers, scope)
    texts = [argument.value for argument in arguments if isinstance(argument, Text)]
    return _of_labels(name, vector, texts, scope)


def _of_labels(name: str, vector: Vector, texts: list[str], scope: Scope) -> Vector:
    if name == "label_replace":
        target, replacement, source, pattern = texts
        return labels.label_replace(vector, target, replacement, source, pattern, scope)
    if name == "label_join":
        return labels.label_join(vector, texts[0], texts[1], texts[2:], scope)
    raise unsupported(f"the function {name}()")


def _of_numbers(name: str, numbers: list[Scalar], scope: Scope) -> Result:
    if name == "vector":
        return Vector(
            f"SELECT CAST(map(), 'Map(String, String)') AS labels, {_nullable(numbers[0], scope)} AS values"
        )
    if functions.is_calendar(name):
        seconds = functions.time_of_evaluation(scope).array(scope)
        values = (
            f"CAST(arrayMap(v -> {functions.calendar(name, 'v')}, {seconds}), 'Array(Nullable(Float64))')"
        )
        return Vector(f"SELECT CAST(map(), 'Map(String, String)') AS labels, {values} AS values")
    number = functions.number(name, scope)
    if number is None:
        raise unsupported(f"the function {name}()")
    return number


def _nullable(number: Scalar, scope: Scope) -> str:
    return f"CAST({number.array(scope)}, 'Array(Nullable(Float64))')"


def _with_values(vector: Vector, values: str) -> Vector:
    sql = f"SELECT t.labels AS labels, {values} AS values FROM ({vector.sql}) AS t"
    return Vector(sql, vector.named, vector.unique, drops=True)


def _scalar(_: pp.Call, vector: Vector, __: list[Scalar], scope: Scope) -> Scalar:
    """Give the value of the only series, NaN where there is none or more than one."""
    length = scope.length
    sql = (
        f"(SELECT arrayMap((n, v) -> if(n = 1, assumeNotNull(v), nan), arrayResize(countForEach(t.values), {length}), "
        f"arrayResize(anyForEach(t.values), {length})) FROM ({vector.sql}) AS t)"
    )
    return Scalar(f"{sql}[1]" if scope.grid.points == 1 else sql, constant=scope.grid.points == 1)


def _timestamps(node: pp.Call, vector: Vector, _: list[Scalar], scope: Scope) -> Vector:
    selector = _bare(node.args[0])
    if isinstance(selector, pp.VectorSelector):
        return replace(select_timestamps(selector, scope), drops=True)
    times = functions.time_of_evaluation(scope).array(scope)
    return _with_values(vector, f"arrayMap((v, w) -> if(isNull(v), NULL, w), t.values, {times})")


def _bare(node: Any) -> Any:
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    return node


_OF_VECTOR: Mapping[str, Callable[[pp.Call, Vector, list[Scalar], Scope], Result]] = {
    "scalar": _scalar,
    "timestamp": _timestamps,
    "absent": lambda node, vector, _, scope: labels.absent(vector, _bare(node.args[0]), scope),
    "histogram_quantile": lambda _, vector, numbers, scope: histogram_quantile(numbers[0], vector, scope),
    "histogram_fraction": lambda _, vector, numbers, scope: histogram_fraction(
        numbers[0], numbers[1], vector, scope
    ),
}
