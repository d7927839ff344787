"""The values of leaves, as one SELECT for many series: the compiler's range functions over samples that are grouped by series, not by labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from collector.query.promql.grid import instant
from collector.query.promql.instants.leaves import LAST, TIMESTAMP, Leaf
from collector.query.promql.instants.vectors import GivenUp
from collector.query.promql.scope import Matrix, Params, Scalar, Scope, Vector
from collector.query.promql.selectors import FRESH, last_of, times_of
from collector.query.promql.windows import over_window

# What the compiler takes for labels is the series here.
_SAMPLES = """SELECT series_id AS labels, {delta} AS delta, timeSeriesGroupArray(at, value) AS samples FROM metric_samples
PREWHERE series_id IN {ids} AND at > {after} AND at <= {until}{fresh} GROUP BY series_id"""
_VALUES = """SELECT t.labels AS series_id, t.values[1] AS value FROM ({values}) AS t WHERE isNotNull(t.values[1]) LIMIT {limit}"""


@dataclass(frozen=True, slots=True)
class Readings:
    """
    What leaves that are read together have in common.

    Attributes:
        function: As `Leaf`.
        numbers: As `Leaf`.
        window_ms: As `Leaf`.
        until_ms: Where the window ends.
        offset_ms: As `Leaf`.
    """

    function: str
    numbers: tuple[float, ...]
    window_ms: int
    until_ms: int
    offset_ms: int

    @classmethod
    def of(cls, leaf: Leaf, at_ms: int) -> Readings:
        """Give those of *leaf* at *at_ms*."""
        until_ms = at_ms - leaf.offset_ms
        return cls(leaf.function, leaf.numbers, leaf.window_ms, until_ms, leaf.offset_ms)

    def sees(self, first_ms: int, last_ms: int) -> bool:
        """Whether a series that was heard of between these may have samples in the window."""
        return last_ms > self.until_ms - self.window_ms and first_ms <= self.until_ms


def reading(
    wanted: Readings, ids: Collection[int], deltas: Collection[int]
) -> tuple[str, Mapping[str, object]]:
    """
    Give the statement of ``series_id`` and ``value``, series without a value left out, and the values of its places.

    Args:
        wanted: Function and window.
        ids: The series.
        deltas: Those of them of delta temporality.

    Raises:
        GivenUp: There is no such range function.
    """
    params = Params()
    scope = Scope(instant(wanted.until_ms), wanted.until_ms, wanted.until_ms, wanted.window_ms, params)
    plain = wanted.function in {LAST, TIMESTAMP}
    sql = _SAMPLES.format(
        delta=f"series_id IN {params.bind('Array(UInt64)', sorted(deltas))}" if deltas else "0",
        ids=params.bind("Array(UInt64)", sorted(ids)),
        after=params.time(wanted.until_ms - wanted.window_ms),
        until=params.time(wanted.until_ms),
        fresh="" if plain else FRESH,
    )
    vector = _vector(wanted, Matrix(sql, wanted.window_ms, scope, ago_ms=wanted.offset_ms), scope)
    return _VALUES.format(values=vector.sql, limit=params.integer(len(ids))), params.values


def _vector(wanted: Readings, matrix: Matrix, scope: Scope) -> Vector:
    if wanted.function == LAST:
        return last_of(matrix, scope)
    if wanted.function == TIMESTAMP:
        return times_of(matrix, scope)
    numbers = [Scalar(scope.params.number(number), constant=True) for number in wanted.numbers]
    vector = over_window(wanted.function, matrix, numbers, scope)
    if vector is None:
        raise GivenUp
    return vector
