"""PromQL questions: one point or a range of them, answered as the Prometheus API shapes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collector.errors import QueryError, QueryTooExpensive
from collector.query.promql import Compiled, Grid, compile_promql
from collector.query.promql.compiler import ValueType
from collector.read.sql import Cost, Reader, Row

LOOKBACK_MS = 300_000
SERIES_LIMIT = 10_000
# Series times points: what a page can draw, and what is shaped here, value by value, in about two seconds.
VALUES_LIMIT = 2_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """
    One series of an answer.

    Attributes:
        labels: Sorted by name; ``__name__`` among them where it is kept.
        points: (milliseconds since the epoch, value), oldest first, none missing values; one of an instant query.
    """

    labels: Mapping[str, str]
    points: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """
    What a question is answered with.

    Attributes:
        type: ``vector``, ``matrix``, ``scalar`` or ``string``.
        series: In order where the question asks for one; a scalar is one series without labels.
        text: Of a ``string``.
        warnings: Something may be wrong with the answer.
        infos: Something may be wrong with the question.
        stats: What it cost.
    """

    type: ValueType
    series: list[Series]
    text: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    stats: Cost = field(default_factory=Cost)


def instant(
    reader: Reader,
    text: str,
    at_ms: int,
    lookback_ms: int = LOOKBACK_MS,
    series_limit: int = SERIES_LIMIT,
) -> MetricAnswer:
    """
    Answer *text* at one point.

    Raises:
        QuerySyntax: 400, with the position.
        QueryUnanswerable: 422: unsupported, or series that cannot be told apart.
        QueryTooExpensive: 422: more series than *series_limit*, more time or memory than allowed.
        StoreUnavailable: No answer.
    """
    grid = Grid(at_ms, at_ms, 0)
    return _answer(reader, compile_promql(text, grid, lookback_ms, series_limit), grid, series_limit)


def range_query(
    reader: Reader,
    text: str,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    lookback_ms: int = LOOKBACK_MS,
    series_limit: int = SERIES_LIMIT,
) -> MetricAnswer:
    """
    Answer *text* at ``start, start + step, …, end``.

    Raises:
        QueryError: 400 ``bad_range``: no step, or an end before the start; else as `instant`.
    """
    if step_ms <= 0:
        raise QueryError("bad_range", f"the step is {step_ms} ms; it must be more than 0", "step")
    if end_ms < start_ms:
        raise QueryError("bad_range", "the end is before the start", "end")
    grid = Grid(start_ms, end_ms, step_ms)
    compiled = compile_promql(text, grid, lookback_ms, series_limit)
    if compiled.type == "string":
        raise QueryError(
            "bad_promql",
            'invalid expression type "string" for range query, must be Scalar or instant Vector',
            "query",
        )
    return _answer(reader, compiled, grid, series_limit)


def _answer(reader: Reader, compiled: Compiled, grid: Grid, series_limit: int) -> MetricAnswer:
    if compiled.type == "string":
        return MetricAnswer("string", [], compiled.text, stats=reader.cost)
    rows = reader.rows(compiled.sql, compiled.params, compiled.settings)
    if len(rows) > series_limit:
        raise QueryTooExpensive(
            f"the answer has more than {series_limit} series; narrow the selector or aggregate with sum by (…)"
        )
    if len(rows) * grid.points > VALUES_LIMIT:
        raise QueryTooExpensive(
            f"the answer has {len(rows)} series of {grid.points} points, {VALUES_LIMIT} values are allowed; "
            "a longer step, a shorter range or an aggregation has fewer"
        )
    series = [_raw_series(row) if compiled.raw else _series(row, grid.times) for row in rows]
    if not compiled.ordered:
        series.sort(key=lambda one: tuple(one.labels.items()))
    if not series:
        return MetricAnswer(compiled.type, [], stats=reader.cost)
    return MetricAnswer(compiled.type, series, "", compiled.warnings, compiled.infos, reader.cost)


def _series(row: Row, times: Iterable[int]) -> Series:
    points = [
        (at_ms, float(value)) for at_ms, value in zip(times, row["values"], strict=True) if value is not None
    ]
    return Series(row["labels"], points)


def _raw_series(row: Row) -> Series:
    return Series(row["labels"], [(at_ms, float(value)) for at_ms, value in row["values"]])
