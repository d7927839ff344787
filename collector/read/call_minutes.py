"""
The calls between services minute by minute, as their callers see them, of those that may be abnormal; and what callers waited for.

A large system has thousands of edges, and nothing is wrong with most. ClickHouse judges each by the rules of health/signs.py, a little less strictly, and only of
those that do not pass failures and durations are returned: a list that Python never sees costs a tenth of one that it judges. Each edge is read into lists with a
place per minute (Resample); names are looked for and sums made list by list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.edges import NAMES
from collector.read.minutes import EdgeKey, Minutes, ServiceKey
from collector.read.sql import ONE_THREAD, Reader, Row

MINUTE_S = 60
# A week: of longer windows the last part is looked at, for lists have a place for every minute.
_MINUTES_MOST = 10_080


@dataclass(frozen=True, slots=True)
class Screen:
    """
    From where on calls may be abnormal: the numbers of health/signs.py and health/anomaly.py under their names there.

    Attributes:
        first_s: Where what is judged begins, seconds since the epoch, a whole minute; it ends where the minutes end.
    """

    first_s: int
    error_ratio: float
    error_calls: int
    slow_factor: float
    slow_ms: float
    mads: float
    mad_sigma: float
    min_calls: int
    pooled_calls: int
    min_baseline: int


# Sparse minutes are looked at together with so many before: `anomaly.POOLED_MINUTES` less the minute itself.
POOLED_BACK = 3
# Less than a limit by what rounding may make of it.
_ALMOST = 0.999
# Lists are judged whole: to evaluate parts of an OR only where they are needed would evaluate all before them again and again (five times the CPU).
_WHOLE = {"short_circuit_function_evaluation": "disable", **ONE_THREAD}

# Grouped by numbers of dictionaries (LowCardinality); names become text in the few rows that are left.
_TOLD = """
    SELECT env, caller, callee, max(q) AS queued, sumResample(0, {minutes:UInt32}, 1)(n, nth) AS calls,
           sumResample(0, {minutes:UInt32}, 1)(bad, nth) AS failed, sumResample(0, {minutes:UInt32}, 1)(ns, nth) AS spent_ns
    FROM (
        SELECT env, caller, callee, calls AS n, errors AS bad, duration_ns_sum AS ns, intDiv(toUnixTimestamp(minute) - {first:UInt32}, 60) AS nth,
               protocol IN ('messaging', 'kafka', 'rabbitmq', 'aws_sqs', 'gcp_pubsub', 'jms', 'pulsar', 'activemq', 'servicebus', 'nats', 'redis_streams') AS q
        FROM edge_minutes
        WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
        UNION ALL
        SELECT env, caller, callee, calls AS n, errors AS bad, duration_ns_sum AS ns, intDiv(toUnixTimestamp(minute) - {first:UInt32}, 60) AS nth, 0 AS q
        FROM paired_minutes
        WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
    )
    GROUP BY env, caller, callee
"""
_NAMED = f"""
    SELECT told.env AS env, told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee, max(told.queued) AS queued,
           sumForEach(told.calls) AS calls, sumForEach(told.failed) AS failed, arrayMap(ns -> ns / 1e6, sumForEach(told.spent_ns)) AS spent_ms
    FROM (SELECT CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee, queued, calls, failed, spent_ns FROM ({_TOLD})) AS told
    LEFT JOIN ({NAMES}) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
    GROUP BY env, caller, callee
"""
# n1 to n3, ms1 to ms3: of the three minutes before; of sparse minutes so many are looked at together as have enough calls (`anomaly.pooled`).
_EDGES = f"""
SELECT caller, callee, env, queued, calls, if(suspicious, failed, []) AS failed, if(suspicious, spent_ms, []) AS spent_ms
FROM (
    SELECT caller, callee, env, queued, calls, failed, spent_ms,
           arrayMap((n, n1, n2, n3, ms, ms1, ms2, ms3) ->
                        multiIf(n = 0, nan, n >= {{pooled_calls:UInt32}}, ms / n, n + n1 >= {{pooled_calls:UInt32}}, (ms + ms1) / (n + n1),
                                n + n1 + n2 >= {{pooled_calls:UInt32}}, (ms + ms1 + ms2) / (n + n1 + n2),
                                n + n1 + n2 + n3 >= {{min_calls:UInt32}}, (ms + ms1 + ms2 + ms3) / (n + n1 + n2 + n3), nan),
                    calls, arrayShiftRight(calls, 1), arrayShiftRight(calls, 2), arrayShiftRight(calls, 3),
                    spent_ms, arrayShiftRight(spent_ms, 1), arrayShiftRight(spent_ms, 2), arrayShiftRight(spent_ms, 3)) AS means,
           arrayFilter(ms -> NOT isNaN(ms), arraySlice(means, 1, {{before:UInt32}})) AS baseline,
           arrayReduce('quantileExactInclusive(0.5)', baseline) AS middle,
           {{mad_sigma:Float64}} * arrayReduce('quantileExactInclusive(0.5)', arrayMap(ms -> abs(ms - middle), baseline)) AS spread,
           greatest({{slow_factor:Float64}} * middle, middle + {{mads:Float64}} * spread, middle + {{slow_ms:Float64}}) AS slow,
           {{every:Bool}} OR length(baseline) < {{min_baseline:UInt32}}
               OR arrayExists(ms -> ms >= {{almost:Float64}} * slow, arraySlice(means, {{before:UInt32}} + 1))
               OR (arraySum(arraySlice(failed, {{counted:UInt32}})) >= {{error_calls:UInt32}}
                   AND arrayExists((bad, n) -> bad > 0 AND bad >= {{almost:Float64}} * {{error_ratio:Float64}} * n,
                                   arraySlice(failed, {{failing:UInt32}}), arraySlice(calls, {{failing:UInt32}}))) AS suspicious
    FROM ({_NAMED})
)
LIMIT 20000
"""


def edges(reader: Reader, window: Window, env: str, screen: Screen | None = None) -> dict[EdgeKey, Minutes]:
    """
    Return the minutes of every edge as its caller sees it.

    Args:
        reader: The store.
        window: Of the minutes.
        env: "" = every one.
        screen: Of edges that it lets pass (nothing is abnormal of them) only calls are returned, neither failures nor durations; None = all of everything.
    """
    grid = _grid(window)
    params = {**_places(window, env, grid), **_screened(screen, grid), "almost": _ALMOST}
    # the same numbers for all edges: two thousand times a hundred of them take longer to make than to point at
    at = list(grid)
    return {
        (row["caller"], row["callee"], row["env"]): Minutes(
            calls=_there(at, row["calls"], row["calls"]),
            failed=_there(at, row["failed"], row["calls"]) if row["failed"] else {},
            spent_ms=_there(at, row["spent_ms"], row["calls"]) if row["failed"] else {},
            queued=bool(row["queued"]),
        )
        for row in reader.rows(_EDGES, params, _WHOLE)
    }


def _grid(window: Window) -> range:
    """Give the minutes of *window*, seconds since the epoch."""
    first_s = window.start_ns // SECOND_NS // MINUTE_S * MINUTE_S
    return range(first_s, -(-window.end_ns // SECOND_NS), MINUTE_S)[-_MINUTES_MOST:]


def _places(window: Window, env: str, at: range) -> Row:
    start_ns = max(window.start_ns, at.start * SECOND_NS)
    return {
        "start": sql_time(start_ns), "end": sql_time(window.end_ns), "env": env, "first": at.start, "minutes": len(at),
    }  # fmt: skip


def _there(at: Sequence[int], values: Sequence[float], calls: Sequence[int]) -> dict[int, Any]:
    """Give the minutes that have calls."""
    if all(calls):
        return dict(zip(at, values, strict=True))
    return {minute: value for minute, value, there in zip(at, values, calls, strict=True) if there}


_NO_SCREEN = Screen(0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0)


def _screened(screen: Screen | None, at: range) -> Row:
    """Give the places of the judgement: of what is judged failures are counted from the minutes before that may be looked at together with it."""
    chosen = screen or _NO_SCREEN
    before = max((chosen.first_s - at.start) // MINUTE_S, 0)
    return {
        "every": screen is None,
        "before": before,
        "failing": max(before - POOLED_BACK, 0) + 1,
        "counted": max(before - 2 * POOLED_BACK, 0) + 1,
        **{name: getattr(chosen, name) for name in Screen.__slots__ if name != "first_s"},
    }


_WAITED = f"""
SELECT env, caller, sumForEach(told.calls) AS calls, sumForEach(told.failed) AS failed, arrayMap(ns -> ns / 1e6, sumForEach(told.spent_ns)) AS spent_ms
FROM ({_TOLD}) AS told
WHERE NOT queued
GROUP BY env, caller
LIMIT 20000
"""


def waited(reader: Reader, window: Window, env: str) -> dict[ServiceKey, Minutes]:
    """Return per caller all calls that it makes and waits for, minute by minute."""
    at = _grid(window)
    return {
        (row["caller"], row["env"]): Minutes(
            calls=_there(at, row["calls"], row["calls"]),
            failed=_there(at, row["failed"], row["calls"]),
            spent_ms=_there(at, row["spent_ms"], row["calls"]),
        )
        for row in reader.rows(_WAITED, _places(window, env, at), ONE_THREAD)
    }
