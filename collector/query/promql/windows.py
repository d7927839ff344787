"""
Range functions: what a window of samples says at each point, ``rate(x[5m])`` and the ``*_over_time`` family.

Most are aggregate functions of ClickHouse, compared with a slow reference in the tests; the others get each window as an array.
A series of delta temporality is never treated as a counter: its rate and increase are the sum of the window (design.md §6).
"""

from __future__ import annotations

from collector.query.promql.scope import Matrix, Scope, Vector, distinct, without_name
from collector.query.promql.selectors import repeated

# PromQL -> ClickHouse's timeSeries…ToGrid.
_TO_GRID = {
    "rate": "Rate",
    "increase": "Increase",
    "delta": "Delta",
    "idelta": "InstantDelta",
    "irate": "InstantRate",
    "deriv": "Deriv",
    "changes": "Changes",
    "resets": "Resets",
    "sum_over_time": "Sum",
    "count_over_time": "Count",
    "min_over_time": "Min",
    "max_over_time": "Max",
    "last_over_time": "Last",
    "ts_of_max_over_time": "TimestampOfMax",
    "ts_of_min_over_time": "TimestampOfMin",
}
_KEEPS_NAME = frozenset({"last_over_time", "first_over_time"})
# Sums of huge samples overflow before they are divided; a power of two scales exactly.
_SCALE = "pow(2, 64)"


def over_window(function: str, matrix: Matrix, scope: Scope) -> Vector | None:
    """
    Compile a range function.

    Args:
        function: Its PromQL name.
        matrix: The samples.
        scope: Where the result is wanted.

    Returns:
        The vector; None if there is no such range function.
    """
    values = _values(function, matrix)
    if values is None:
        return None
    keeps = function in _KEEPS_NAME
    drops_now = matrix.named and not keeps and matrix.unique
    labels = without_name("t.labels") if drops_now else "t.labels"
    shown = repeated(values, matrix, scope)
    sql = f"SELECT {labels} AS labels, {shown} AS values FROM ({matrix.sql}) AS t GROUP BY labels"
    vector = Vector(sql, matrix.named and not drops_now, matrix.unique)
    return vector if keeps else nameless(vector)


def nameless(vector: Vector) -> Vector:
    """Drop the name; series that differed by it alone must not have a value at the same point."""
    if not vector.named:
        return vector
    dropped = f"SELECT {without_name('t.labels')} AS labels, t.values AS values FROM ({vector.sql}) AS t"
    return Vector(dropped if vector.unique else distinct(Vector(dropped)))


def _values(function: str, matrix: Matrix) -> str | None:
    at = matrix.scope
    if function in ("rate", "increase"):
        return _counter(function, matrix)
    if function in _TO_GRID:
        return at.to_grid(_TO_GRID[function], "t.samples", matrix.window_ms)
    if function == "avg_over_time":
        scaled = f"arrayMap(s -> (s.1, s.2 / {_SCALE}), t.samples)"
        return f"arrayMap(v -> v * {_SCALE}, {at.to_grid('Avg', scaled, matrix.window_ms)})"
    if function == "present_over_time":
        count = at.to_grid("Count", "t.samples", matrix.window_ms)
        return f"arrayMap(v -> if(v > 0, 1., NULL), {count})"
    return None


def _counter(function: str, matrix: Matrix) -> str:
    at = matrix.scope
    told = at.to_grid("Sum", "t.samples", matrix.window_ms, "t.delta")
    if function == "rate":
        told = f"arrayMap(v -> v / {at.params.number(matrix.window_ms / 1000)}, {told})"
    counted = at.to_grid(
        "Rate" if function == "rate" else "Increase", "t.samples", matrix.window_ms, "NOT t.delta"
    )
    return f"if(any(t.delta), {told}, {counted})"
