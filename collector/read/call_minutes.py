"""
The calls between services minute by minute, as their callers see them, of those that may be abnormal; and what callers waited for.

A large system has thousands of edges, and nothing is wrong with most. ClickHouse judges each by the rules of health/signs.py, a little less strictly, and only of
those that do not pass failures and durations are returned: a list that Python never sees costs a tenth of one that it judges.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.query.window import Window
from collector.read.edges import NAMES
from collector.read.minutes import EdgeKey, Minutes, ServiceKey
from collector.read.sql import Reader, Row


@dataclass(frozen=True, slots=True)
class Screen:
    """
    From where on calls may be abnormal: the numbers of health/signs.py and health/anomaly.py under their names there.

    Attributes:
        first_s: Where what is judged begins, seconds since the epoch; *end_s* is not in it.
    """

    first_s: int
    end_s: int
    error_ratio: float
    error_calls: int
    slow_factor: float
    slow_ms: float
    mads: float
    mad_sigma: float
    min_calls: int
    pooled_calls: int
    pooled_s: int
    min_baseline: int


# Less than a limit by what rounding may make of it.
_ALMOST = 0.999
# Lists are judged whole: to evaluate parts of an OR only where they are needed would evaluate all before them again and again (five times the CPU).
_WHOLE = {"short_circuit_function_evaluation": "disable"}

# Edges are grouped by a hash of their names: numbers are grouped three times as fast. A peer that paired spans know as a service has that service's hash.
_TOLD = """
    SELECT minute, transform(cityHash64(env, caller, callee), arrayConcat([toUInt64(0)], renamed.1), arrayConcat([toUInt64(0)], renamed.2), cityHash64(env, caller, callee)) AS edge,
           protocol IN ('messaging', 'kafka', 'rabbitmq', 'aws_sqs', 'gcp_pubsub', 'jms', 'pulsar', 'activemq', 'servicebus', 'nats', 'redis_streams') AS queued,
           calls, errors, duration_ns_sum AS spent_ns
    FROM edge_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
    UNION ALL
    SELECT minute, cityHash64(env, caller, callee) AS edge, 0 AS queued, calls, errors, duration_ns_sum AS spent_ns
    FROM paired_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
"""
_RENAMED = f"(SELECT (groupArray(cityHash64(env, caller, peer)), groupArray(cityHash64(env, caller, callee))) FROM ({NAMES}) WHERE callee != '') AS renamed"
_WHO = f"""
    SELECT DISTINCT told.env AS env, told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee, cityHash64(env, caller, callee) AS edge
    FROM (
        SELECT DISTINCT CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee
        FROM edge_minutes
        WHERE minute >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND minute < {{end:DateTime64(9, 'UTC')}} AND ({{env:String}} = '' OR env = {{env:String}})
        UNION DISTINCT
        SELECT DISTINCT CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee
        FROM paired_minutes
        WHERE minute >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND minute < {{end:DateTime64(9, 'UTC')}} AND ({{env:String}} = '' OR env = {{env:String}})
    ) AS told
    LEFT JOIN ({NAMES}) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
"""
# n1 to n3, b1 to b3: calls of up to three minutes before, within pooled_s; of sparse minutes so many are looked at together as have enough calls (`anomaly.pooled`).
_EDGES = f"""
WITH {_RENAMED}
SELECT who.caller AS caller, who.callee AS callee, who.env AS env, queued, minutes, calls, if(suspicious, failed, []) AS failed, if(suspicious, spent_ms, []) AS spent_ms
FROM (
    SELECT edge, queued, minutes, calls, failed, spent_ms,
           arrayMap((at, n, ms, at1, n1, ms1, at2, n2, ms2, at3, n3, ms3) ->
                        multiIf(n >= {{pooled_calls:UInt32}}, ms / n,
                                (n + if(at - at1 < {{pooled_s:UInt32}}, n1, 0) AS two) >= {{pooled_calls:UInt32}}, (ms + ms1) / two,
                                (two + if(at - at2 < {{pooled_s:UInt32}}, n2, 0) AS three) >= {{pooled_calls:UInt32}}, (ms + if(at - at1 < {{pooled_s:UInt32}}, ms1, 0) + ms2) / three,
                                (three + if(at - at3 < {{pooled_s:UInt32}}, n3, 0) AS four) >= {{min_calls:UInt32}},
                                (ms + if(at - at1 < {{pooled_s:UInt32}}, ms1, 0) + if(at - at2 < {{pooled_s:UInt32}}, ms2, 0) + if(at - at3 < {{pooled_s:UInt32}}, ms3, 0)) / four,
                                nan),
                    minutes, calls, spent_ms, arrayShiftRight(minutes, 1), arrayShiftRight(calls, 1), arrayShiftRight(spent_ms, 1),
                    arrayShiftRight(minutes, 2), arrayShiftRight(calls, 2), arrayShiftRight(spent_ms, 2),
                    arrayShiftRight(minutes, 3), arrayShiftRight(calls, 3), arrayShiftRight(spent_ms, 3)) AS means,
           arrayFilter((ms, at) -> at < {{first_s:UInt32}} AND NOT isNaN(ms), means, minutes) AS before,
           arrayReduce('quantileExactInclusive(0.5)', before) AS middle,
           {{mad_sigma:Float64}} * arrayReduce('quantileExactInclusive(0.5)', arrayMap(ms -> abs(ms - middle), before)) AS spread,
           greatest({{slow_factor:Float64}} * middle, middle + {{mads:Float64}} * spread, middle + {{slow_ms:Float64}}) AS slow,
           {{every:Bool}} OR length(before) < {{min_baseline:UInt32}}
               OR arrayExists((ms, at) -> at >= {{first_s:UInt32}} AND at < {{end_s:UInt32}} AND ms >= {{almost:Float64}} * slow, means, minutes)
               OR (arrayExists((bad, n, at) -> at + {{pooled_s:UInt32}} > {{first_s:UInt32}} AND at < {{end_s:UInt32}} AND bad > 0 AND bad >= {{almost:Float64}} * {{error_ratio:Float64}} * n, failed, calls, minutes)
                   AND arraySum((bad, at) -> if(at + 2 * {{pooled_s:UInt32}} > {{first_s:UInt32}}, bad, 0), failed, minutes) >= {{error_calls:UInt32}}) AS suspicious
    FROM (
        SELECT edge, max(minute_queued) AS queued, arraySort(groupArray((toUnixTimestamp(minute), requests, bad, ms))) AS told, tupleElement(told, 1) AS minutes,
               tupleElement(told, 2) AS calls, tupleElement(told, 3) AS failed, tupleElement(told, 4) AS spent_ms
        FROM (
            SELECT edge, minute, max(queued) AS minute_queued, sum(t.calls) AS requests, sum(t.errors) AS bad, sum(t.spent_ns) / 1e6 AS ms
            FROM ({_TOLD}) AS t
            GROUP BY edge, minute
        )
        GROUP BY edge
    )
) AS judged
INNER JOIN ({_WHO}) AS who ON who.edge = judged.edge
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
    found: dict[EdgeKey, Minutes] = {}
    params = {**window.params(), "env": env, "almost": _ALMOST, **_places(screen)}
    for row in reader.rows(_EDGES, params, _WHOLE):
        at = row["minutes"]
        minutes = Minutes(calls=dict(zip(at, row["calls"], strict=True)), queued=bool(row["queued"]))
        if row["failed"]:
            minutes.failed = dict(zip(at, row["failed"], strict=True))
            minutes.spent_ms = dict(zip(at, row["spent_ms"], strict=True))
        found[row["caller"], row["callee"], row["env"]] = minutes
    return found


_NO_SCREEN = Screen(0, 0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)


def _places(screen: Screen | None) -> Row:
    chosen = screen or _NO_SCREEN
    return {"every": screen is None, **{name: getattr(chosen, name) for name in Screen.__slots__}}


_WAITED = """
SELECT env, caller, groupArray(at) AS minutes, groupArray(bad) AS failed, groupArray(ms) AS spent_ms
FROM (
    SELECT env, caller, toUnixTimestamp(minute) AS at, sum(t.errors) AS bad, sum(t.spent_ns) / 1e6 AS ms
    FROM (
        SELECT minute, env, caller, errors, duration_ns_sum AS spent_ns
        FROM edge_minutes
        WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
          AND protocol NOT IN ('messaging', 'kafka', 'rabbitmq', 'aws_sqs', 'gcp_pubsub', 'jms', 'pulsar', 'activemq', 'servicebus', 'nats', 'redis_streams')
        UNION ALL
        SELECT minute, env, caller, errors, duration_ns_sum AS spent_ns
        FROM paired_minutes
        WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
    ) AS t
    GROUP BY env, caller, minute
)
GROUP BY env, caller
LIMIT 20000
"""


def waited(reader: Reader, window: Window, env: str) -> dict[ServiceKey, Minutes]:
    """Return per caller, of all calls that it makes and waits for, how many failed and how long they took, minute by minute."""
    return {
        (row["caller"], row["env"]): Minutes(
            failed=dict(zip(row["minutes"], row["failed"], strict=True)),
            spent_ms=dict(zip(row["minutes"], row["spent_ms"], strict=True)),
        )
        for row in reader.rows(_WAITED, {**window.params(), "env": env})
    }
