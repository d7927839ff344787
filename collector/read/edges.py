"""Edges: who calls whom, over which protocol, how often, how well."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.sampling import sampling
from collector.read.sql import Reader, Row

# Calls minute by minute as they were told: by the caller's span, or by the pair where the caller does not say whom it called.
_TOLD = """
    SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee,
           CAST(protocol, 'String') AS protocol, calls, errors, weighted_calls, weighted_errors, duration_ns
    FROM edge_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
    UNION ALL
    SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee,
           CAST(protocol, 'String') AS protocol, calls, errors, weighted_calls, weighted_errors, duration_ns
    FROM paired_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
"""
# A host name or address is the service that answered there, as paired spans tell; of several the busiest of the window's days.
NAMES = """
    SELECT env, caller, peer, argMax(callee, n) AS callee
    FROM (SELECT env, caller, peer, callee, sum(p.calls) AS n FROM peer_names AS p
          WHERE day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND day <= toDate({end:DateTime64(9, 'UTC')})
          GROUP BY env, caller, peer, callee)
    GROUP BY env, caller, peer
"""
# Calls minute by minute under the names of services.
NAMED = f"""
SELECT told.minute AS minute, told.env AS env, told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee,
       told.protocol AS protocol, told.calls AS calls, told.errors AS errors, told.weighted_calls AS weighted_calls,
       told.weighted_errors AS weighted_errors, told.duration_ns AS duration_ns
FROM ({_TOLD}) AS told
LEFT JOIN ({NAMES}) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
"""
# Added up before names are looked for: a join copies the states of durations, row by row.
_EDGES = f"""
SELECT told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee, told.protocol AS protocol,
       sum(told.calls) AS spans, sum(told.weighted_calls) AS weighted,
       toUInt64(round(weighted)) AS requests,
       weighted / {{seconds:Float64}} AS rate,
       sum(told.weighted_errors) / weighted AS error_ratio,
       round(quantilesTDigestMerge(0.5, 0.95, 0.99)(told.durations)[2] / 1e6, 3) AS p95_ms
FROM (
    SELECT env, caller, callee, protocol, sum(m.calls) AS calls, sum(m.weighted_calls) AS weighted_calls,
           sum(m.weighted_errors) AS weighted_errors, quantilesTDigestMergeState(0.5, 0.95, 0.99)(m.duration_ns) AS durations
    FROM ({_TOLD}) AS m
    GROUP BY env, caller, callee, protocol
) AS told
LEFT JOIN ({NAMES}) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
WHERE {{service:String}} = '' OR caller = {{service:String}} OR callee = {{service:String}}
GROUP BY caller, callee, protocol
ORDER BY requests DESC, caller, callee
LIMIT 5000
"""


def edges(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """
    Return ``{caller, callee, protocol, requests, rate, error_ratio, p95_ms, sampled, sampling}``, the busiest first.

    Of sampled traces *requests*, *rate* and *error_ratio* are of the calls that the spans stand for (sampling.py).

    Args:
        reader: The store.
        window: Whole minutes of it count.
        env: "" = every one, added up.
        service: Only edges that touch it; "" = all.
    """
    params = {**window.params(), "env": env, "service": service, "seconds": _seconds(reader, window, env)}
    rows = reader.rows(_EDGES, params)
    return [{**row, **sampling(row.pop("spans"), row.pop("weighted"))} for row in rows]


# The same names as `_EDGES`, without numbers: states of durations are most of what that reads.
_PAIRS = f"""
SELECT DISTINCT told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee
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
ORDER BY caller, callee
LIMIT 50000
"""


def pairs(reader: Reader, window: Window, env: str) -> list[tuple[str, str]]:
    """Return who called whom in *window*, (caller, callee), each once; *env* "" = every one."""
    return [(row["caller"], row["callee"]) for row in reader.rows(_PAIRS, {**window.params(), "env": env})]


_FIRST_MINUTE = """
SELECT toUnixTimestamp(min(minute)) AS first, count() AS minutes
FROM edge_minutes
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
LIMIT 1
"""


def _seconds(reader: Reader, window: Window, env: str) -> float:
    """Give the length of the part of *window* that has data: a system an hour old has no rate for yesterday."""
    found = reader.rows(_FIRST_MINUTE, {**window.params(), "env": env})
    if not found or not found[0]["minutes"]:
        return window.seconds
    first_s: int = found[0]["first"]
    return max(min(window.seconds, window.end_ns / 1e9 - first_s), 1.0)
