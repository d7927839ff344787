"""
Selectors: matchers -> which series, samples -> values on the grid.

A statement reads `metric_series` twice (once for the set that `metric_samples` is read by, its primary key's first
column, once for the labels) and `metric_samples` once.
"""

from __future__ import annotations

import promql_parser as pp

from collector.errors import QueryError, QueryTooExpensive
from collector.query.promql.grid import Grid, instant
from collector.query.promql.scope import NAME, Matrix, Scope, Vector
from collector.query.promql.syntax import EARLY_S

# Each costs the engine some 13 ms of reading before it begins, and in a chain of operators each is read again for the next: 20 take seconds.
SELECTORS_LIMIT = 20
# Columns of `metric_series` that may be named like labels: (label, column). A label of that name goes first.
OWN = {"service": "service", "service_name": "service", "env": "env"}
# Prometheus' stale marker, a NaN of these bits: the series has ended (prometheus/prometheus, model/value/value.go).
STALE = "0x7ff0000000000002"

_SERIES = """SELECT s.series_id AS series_id, mapSort(mapFilter((k, v) -> v != '', {labels})) AS told, (any(s.service), any(s.env)) AS place, any(s.temporality) = 'delta' AS delta
FROM metric_series AS s WHERE {matched} GROUP BY s.series_id HAVING max(s.last_seen) > {after} AND min(s.first_seen) <= {until}"""
# Two services may write the same labels: then, and only then, service and env tell them apart.
_APART = """SELECT series_id, delta,
if(min(place) OVER w = max(place) OVER w, told, mapSort(mapUpdate(map('service', place.1, 'env', place.2), told))) AS labels
FROM ({series}) WINDOW w AS (PARTITION BY told)"""
_SAMPLES = """SELECT m.labels AS labels, m.delta AS delta, s.samples AS samples
FROM (SELECT series_id, timeSeriesGroupArray(at, value) AS samples FROM metric_samples
PREWHERE series_id IN (SELECT s.series_id FROM metric_series AS s WHERE {matched}) AND at > {after} AND at <= {until}{fresh}
GROUP BY series_id) AS s INNER JOIN ({series}) AS m ON s.series_id = m.series_id"""
FRESH = f"\nWHERE reinterpretAsUInt64(value) != {STALE}"


def at_and_offset(node: pp.VectorSelector | pp.SubqueryExpr, scope: Scope) -> tuple[Grid, bool]:
    """Apply ``@`` and ``offset``: the grid that is looked at, and whether it is one point standing for all."""
    offset_ms = milliseconds(node.offset)
    at = node.at
    if at is None:
        return scope.grid.moved(-offset_ms), False
    if at.type == pp.AtModifierType.Start:
        at_ms = scope.start_ms
    elif at.type == pp.AtModifierType.End:
        at_ms = scope.end_ms
    else:
        at_ms = _at_ms(at)
    return instant(at_ms - offset_ms), True


def _at_ms(at: pp.AtModifier) -> int:
    try:
        moment = at.at
    except (ValueError, OverflowError) as error:  # a number of seconds that no datetime holds
        raise QueryError("bad_time", "the time behind @ is beyond the year 9999", "query") from error
    assert moment is not None
    at_ms = round(moment.timestamp() * 1000)
    return at_ms if at_ms < EARLY_S * 1000 else EARLY_S * 1000 - at_ms


def milliseconds(duration: object) -> int:
    """Give a timedelta in milliseconds, exactly; None = 0."""
    if duration is None:
        return 0
    from datetime import timedelta

    assert isinstance(duration, timedelta)
    return duration // timedelta(milliseconds=1)


def select_matrix(node: pp.VectorSelector, window_ms: int, scope: Scope, *, fresh: bool = True) -> Matrix:
    """
    Compile a selector with the samples that windows of *window_ms* see.

    Args:
        node: The selector, its ``@`` and offset included.
        window_ms: Length of the window, open on its left.
        scope: Where.
        fresh: Stale markers are left out.
    """
    _counted(scope)
    grid, repeated = at_and_offset(node, scope)
    inner = scope.on(grid)
    matched, exact_name = condition_of(node, inner)
    sql = _SAMPLES.format(
        matched=matched,
        series=_series(matched, inner, window_ms),
        after=inner.params.time(grid.start_ms - window_ms),
        until=inner.params.time(grid.end_ms),
        fresh=FRESH if fresh else "",
    )
    ago_ms = scope.grid.start_ms - grid.start_ms
    return Matrix(sql, window_ms, inner, repeated, ago_ms, named=True, unique=exact_name)


def _counted(scope: Scope) -> None:
    scope.params.selectors += 1
    if scope.params.selectors > SELECTORS_LIMIT:
        raise QueryTooExpensive(f"the question has more than {SELECTORS_LIMIT} selectors; ask it in parts")


def select_vector(node: pp.VectorSelector, scope: Scope) -> Vector:
    """Compile an instant selector: the last sample within the lookback, unless it says that the series has ended."""
    return last_of(select_matrix(node, scope.lookback_ms, scope, fresh=False), scope)


def last_of(matrix: Matrix, scope: Scope) -> Vector:
    """Give the last sample, stale markers being among them."""
    last = matrix.scope.to_grid("Last", "t.samples", matrix.window_ms)
    alive = f"arrayMap(v -> if(reinterpretAsUInt64(assumeNotNull(v)) = {STALE}, NULL, v), {last})"
    return Vector(_per_labels(matrix, alive, scope), named=True, unique=matrix.unique)


def select_timestamps(node: pp.VectorSelector, scope: Scope) -> Vector:
    """Compile ``timestamp(selector)``: when the sample was taken, in seconds, rather than its value."""
    return times_of(select_matrix(node, scope.lookback_ms, scope, fresh=False), scope)


def times_of(matrix: Matrix, scope: Scope) -> Vector:
    """Give when the last sample was taken, stale markers being among them."""
    times = "arrayMap(s -> (s.1, toUnixTimestamp64Milli(s.1) / 1000), t.samples)"
    last = matrix.scope.to_grid("Last", "t.samples", matrix.window_ms)
    taken = matrix.scope.to_grid("Last", times, matrix.window_ms)
    alive = (
        f"arrayMap((v, w) -> if(reinterpretAsUInt64(assumeNotNull(v)) = {STALE}, NULL, w), {last}, {taken})"
    )
    return Vector(_per_labels(matrix, alive, scope), named=True, unique=matrix.unique)


def repeated(values: str, matrix: Matrix, scope: Scope) -> str:
    """Let the one point of an ``@`` stand for all of *scope*'s."""
    if not matrix.repeated or scope.grid.points == 1:
        return values
    return f"arrayWithConstant({scope.length}, ({values})[1])"


def _per_labels(matrix: Matrix, values: str, scope: Scope) -> str:
    return (
        f"SELECT t.labels AS labels, {repeated(values, matrix, scope)} AS values "
        f"FROM ({matrix.sql}) AS t GROUP BY labels"
    )


def _series(matched: str, scope: Scope, window_ms: int) -> str:
    labels = f"mapConcat(map('{NAME}', any(s.name)), CAST(any(s.labels), 'Map(String, String)'))"
    if scope.own:
        own = ", ".join(f"'{label}', any(s.{OWN[label]})" for label in sorted(scope.own))
        labels = f"mapUpdate(CAST(map({own}), 'Map(String, String)'), {labels})"
    series = _SERIES.format(
        labels=labels,
        matched=matched,
        after=scope.params.time(scope.grid.start_ms - window_ms),
        until=scope.params.time(scope.grid.end_ms),
    )
    return _APART.format(series=series)


def condition_of(node: pp.VectorSelector, scope: Scope) -> tuple[str, bool]:
    """Give the condition on `metric_series`, and whether it fixes the name."""
    fixed = [pp.Matcher(pp.MatchOp.Equal, NAME, node.name)] if node.name else []
    every = fixed + list(node.matchers.matchers)
    parts = [_condition(matcher, scope) for matcher in every]
    if node.matchers.or_matchers:
        ways = (" AND ".join(_condition(m, scope) for m in way) for way in node.matchers.or_matchers)
        parts.append("(" + " OR ".join(f"({way})" for way in ways) + ")")
    exact = any(m.name == NAME and m.op == pp.MatchOp.Equal for m in every)
    return " AND ".join(parts), exact


def _condition(matcher: pp.Matcher, scope: Scope) -> str:
    value = _subject(matcher.name, scope)
    if matcher.op == pp.MatchOp.Equal:
        return f"{value} = {scope.params.text(matcher.value)}"
    if matcher.op == pp.MatchOp.NotEqual:
        return f"{value} != {scope.params.text(matcher.value)}"
    matches = f"match({value}, {scope.params.text(anchored(matcher.value))})"
    return matches if matcher.op == pp.MatchOp.Re else f"NOT {matches}"


def _subject(label: str, scope: Scope) -> str:
    if label == NAME:
        return "s.name"
    value = f"s.labels[{scope.params.text(label)}]"
    return f"if({value} = '', s.{OWN[label]}, {value})" if label in OWN else value


def anchored(pattern: str) -> str:
    """Make an RE2 pattern match the whole of a text, as Prometheus' do."""
    if "\0" in pattern:
        raise QueryError("bad_regex", "a regular expression holds a zero byte", "query")
    return f"^(?s:{pattern})$"
