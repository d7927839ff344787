"""
Range functions: what a window of samples says at each point, ``rate(x[5m])`` and the ``*_over_time`` family.

Most are aggregate functions of ClickHouse, compared with a slow reference in the tests; the others get each window as an array.
A series of delta temporality is never treated as a counter: its rate and increase are the sum of the window (design.md §6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from collector.query.promql.scope import Matrix, Scalar, Scope, Vector, mapped
from collector.query.promql.selectors import repeated

# PromQL -> ClickHouse's timeSeries…ToGrid.
_TO_GRID = {
    "delta": "Delta",
    "idelta": "InstantDelta",
    "irate": "InstantRate",
    "deriv": "Deriv",
    "resets": "Resets",
    "sum_over_time": "Sum",
    "count_over_time": "Count",
    "min_over_time": "Min",
    "max_over_time": "Max",
    "last_over_time": "Last",
    "ts_of_max_over_time": "TimestampOfMax",
    "ts_of_min_over_time": "TimestampOfMin",
}
# Of a window, by an aggregate function that needs not see it as a whole.
_REDUCED = {"stdvar_over_time": "varPopStable", "stddev_over_time": "stddevPopStable"}
# Of a window of values ``w`` in order, never empty.
_MEDIAN = "arrayReduce('quantileExactInclusive(0.5)', {})"
_OF_VALUES = {
    "first_over_time": "w[1]",
    "mad_over_time": _MEDIAN.format(f"arrayMap(x -> abs(x - {_MEDIAN.format('w')}), w)"),
}
# Of a window of times in seconds.
_OF_TIMES = {"ts_of_first_over_time": "w[1]", "ts_of_last_over_time": "w[-1]"}
# Level and trend of (level, trend, samples so far), sample by sample (promql/functions.go, funcDoubleExponentialSmoothing).
_SMOOTHED = (
    "if(length(w) < 2 OR throwIf(NOT ($a > 0 AND $a < 1), 'the smoothing factor must be more than 0 and less than 1') "
    "OR throwIf(NOT ($b > 0 AND $b < 1), 'the trend factor must be more than 0 and less than 1'), NULL, tupleElement(arrayFold((acc, x) -> ("
    "$a * x + (1 - $a) * (acc.1 + acc.2), "
    "$b * (($a * x + (1 - $a) * (acc.1 + acc.2)) - acc.1) + (1 - $b) * acc.2), "
    "arrayPopFront(w), (w[1], w[2] - w[1])), 1))"
)
_WITH_NUMBERS = frozenset({"predict_linear", "quantile_over_time"})
_SMOOTHING = frozenset({"double_exponential_smoothing", "holt_winters"})
KEEPS_NAME = frozenset({"last_over_time", "first_over_time"})
# Sums of huge samples overflow before they are divided; a power of two scales exactly.
_SCALE = "pow(2, 64)"
# Longer than any samples reach back.
_EVER_MS = 100 * 365 * 86_400_000


def over_window(function: str, matrix: Matrix, numbers: list[Scalar], scope: Scope) -> Vector | None:
    """
    Compile a range function.

    Args:
        function: Its PromQL name.
        matrix: The samples.
        numbers: Its other arguments, in order.
        scope: Where the result is wanted.

    Returns:
        The vector; None if there is no such range function.
    """
    values = _values(function, matrix, numbers, scope)
    if values is None:
        return None
    sql = f"SELECT t.labels AS labels, {values} AS values FROM ({matrix.sql}) AS t GROUP BY labels"
    return Vector(sql, matrix.named, matrix.unique, matrix.drops or function not in KEEPS_NAME)


def is_over_window(function: str) -> bool:
    """Whether there is such a range function."""
    return (
        function in {*_TO_GRID, *_SPECIAL, *_OF_TIMES, *_REDUCED, *_OF_VALUES, *_SMOOTHING}
        or function in _WITH_NUMBERS
    )


def _values(function: str, matrix: Matrix, numbers: list[Scalar], scope: Scope) -> str | None:
    if function in _TO_GRID:
        values = matrix.scope.to_grid(_TO_GRID[function], "t.samples", matrix.window_ms)
        return repeated(values, matrix, scope)
    if function in _SPECIAL:
        return repeated(_SPECIAL[function](matrix), matrix, scope)
    if function == "predict_linear":
        return _predicted(matrix, numbers[0], scope)
    if function in _OF_TIMES:
        times = "arrayMap(s -> toUnixTimestamp64Milli(s.1) / 1000, timeSeriesGroupArray(t.samples))"
        return _of_windows(_OF_TIMES[function], times, matrix, {}, scope)
    return _of_values(function, matrix, numbers, scope)


def _of_values(function: str, matrix: Matrix, numbers: list[Scalar], scope: Scope) -> str | None:
    values = "arrayMap(s -> s.2, timeSeriesGroupArray(t.samples))"
    if function in _SMOOTHING:
        return _of_windows(_SMOOTHED, values, matrix, dict(zip("ab", numbers, strict=True)), scope)
    if function == "quantile_over_time":
        return _of_windows(quantile("w", "$a"), values, matrix, {"a": numbers[0]}, scope)
    if function in _REDUCED:
        reduced = f"arrayReduceInRanges('{_REDUCED[function]}', {_ranges(matrix)}, {values})"
        within = matrix.scope.to_grid("Count", "t.samples", matrix.window_ms)
        return repeated(f"arrayMap((v, k) -> if(k > 0, v, NULL), {reduced}, {within})", matrix, scope)
    if function in _OF_VALUES:
        return _of_windows(_OF_VALUES[function], values, matrix, {}, scope)
    return None


def quantile(values: str, q: str) -> str:
    """Give the *q*-quantile of an array, interpolated; NaN is smaller than any number (promql/quantile.go)."""
    ordered = f"arraySort(x -> if(isNaN(x), -inf, x), {values})"
    rank = f"({q} * (length({values}) - 1))"
    low, high = (
        f"{ordered}[toInt64(floor({rank})) + 1]",
        f"{ordered}[least(toInt64(floor({rank})) + 2, length({values}))]",
    )
    between = f"{low} * (1 - ({rank} - floor({rank}))) + {high} * ({rank} - floor({rank}))"
    return f"multiIf(empty({values}), NULL, isNaN({q}), nan, {q} < 0, -inf, {q} > 1, inf, {between})"


def _of_windows(body: str, values: str, matrix: Matrix, numbers: dict[str, Scalar], scope: Scope) -> str:
    """Apply *body* to each window ``w`` of *values*."""
    windows = repeated(f"arrayReduceInRanges('groupArray', {_ranges(matrix)}, {values})", matrix, scope)
    return mapped(f"if(empty(w), NULL, {body})", windows, numbers, "w")


def _ranges(matrix: Matrix) -> str:
    """Say where each window lies among the samples, as (first, length): those up to the point, of them as many as it has."""
    at = matrix.scope
    until = at.to_grid("Count", "t.samples", _EVER_MS)
    within = at.to_grid("Count", "t.samples", matrix.window_ms)
    return f"arrayMap((n, k) -> (toInt64(ifNull(n, 0)) - toInt64(ifNull(k, 0)) + 1, toUInt64(ifNull(k, 0))), {until}, {within})"


def _rate(matrix: Matrix) -> str:
    told = matrix.scope.to_grid("Sum", "t.samples", matrix.window_ms, "t.delta")
    window_s = matrix.scope.params.number(matrix.window_ms / 1000)
    return _counted("Rate", f"arrayMap(v -> v / {window_s}, {told})", matrix)


def _increase(matrix: Matrix) -> str:
    return _counted("Increase", matrix.scope.to_grid("Sum", "t.samples", matrix.window_ms, "t.delta"), matrix)


def _counted(function: str, told: str, matrix: Matrix) -> str:
    counted = matrix.scope.to_grid(function, "t.samples", matrix.window_ms, "NOT t.delta")
    return f"if(any(t.delta), {told}, {counted})"


def _average(matrix: Matrix) -> str:
    scaled = matrix.scope.to_grid("Avg", f"arrayMap(s -> (s.1, s.2 / {_SCALE}), t.samples)", matrix.window_ms)
    return f"arrayMap(v -> v * {_SCALE}, {scaled})"


def _changes(matrix: Matrix) -> str:
    """Count changes; ClickHouse takes -0 for another value than 0."""
    return matrix.scope.to_grid("Changes", "arrayMap(s -> (s.1, s.2 + 0.), t.samples)", matrix.window_ms)


def _present(matrix: Matrix) -> str:
    return (
        f"arrayMap(v -> if(v > 0, 1., NULL), {matrix.scope.to_grid('Count', 't.samples', matrix.window_ms)})"
    )


def _predicted(matrix: Matrix, ahead: Scalar, scope: Scope) -> str:
    """Predict from the question's time, not from the window's end: under ``@`` each point looks further ahead."""
    at = matrix.scope
    ago = at.params.number(matrix.ago_ms / 1000)
    if ahead.constant and not matrix.repeated:
        return at.to_grid("PredictLinear", "t.samples", matrix.window_ms, "", f"({ahead.sql} + {ago})")
    now = repeated(at.to_grid("PredictLinear", "t.samples", matrix.window_ms, "", ago), matrix, scope)
    slope = repeated(at.to_grid("Deriv", "t.samples", matrix.window_ms), matrix, scope)
    step = scope.params.number(scope.grid.step_ms / 1000 if matrix.repeated else 0)
    return f"arrayMap((v, d, a, i) -> v + d * (a + (i - 1) * {step}), {now}, {slope}, {ahead.array(scope)}, arrayEnumerate({now}))"


_SPECIAL: Mapping[str, Callable[[Matrix], str]] = {
    "rate": _rate,
    "increase": _increase,
    "avg_over_time": _average,
    "changes": _changes,
    "present_over_time": _present,
}
