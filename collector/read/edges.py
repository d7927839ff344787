"""Edges: who calls whom, over which protocol, how often, how well; and who feels it when a service fails."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.sql import Reader, Row

# Calls minute by minute under the names of services. A host name or address is the service that answered there, as paired spans tell; of
# several the busiest of the window's days. What the caller does not name at all only the pairs know.
NAMED = """
SELECT told.minute AS minute, told.env AS env, told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee,
       told.protocol AS protocol, told.calls AS calls, told.errors AS errors, told.duration_ns AS duration_ns
FROM (
    SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee,
           CAST(protocol, 'String') AS protocol, calls, errors, duration_ns
    FROM edge_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
    UNION ALL
    SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee,
           CAST(protocol, 'String') AS protocol, calls, errors, duration_ns
    FROM paired_minutes
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
) AS told
LEFT JOIN (
    SELECT env, caller, peer, argMax(callee, n) AS callee
    FROM (SELECT env, caller, peer, callee, sum(p.calls) AS n FROM peer_names AS p
          WHERE day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND day <= toDate({end:DateTime64(9, 'UTC')})
          GROUP BY env, caller, peer, callee)
    GROUP BY env, caller, peer
) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
"""
_EDGES = f"""
SELECT caller, callee, protocol,
       sum(e.calls) AS requests,
       sum(e.calls) / {{seconds:Float64}} AS rate,
       sum(e.errors) / sum(e.calls) AS error_ratio,
       round(quantilesTDigestMerge(0.5, 0.95, 0.99)(e.duration_ns)[2] / 1e6, 3) AS p95_ms
FROM ({NAMED}) AS e
WHERE {{service:String}} = '' OR caller = {{service:String}} OR callee = {{service:String}}
GROUP BY caller, callee, protocol
ORDER BY requests DESC, caller, callee
LIMIT 5000
"""


def edges(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """
    Return ``{caller, callee, protocol, requests, rate, error_ratio, p95_ms}``, the busiest first.

    Args:
        reader: The store.
        window: Whole minutes of it count.
        env: "" = every one, added up.
        service: Only edges that touch it; "" = all.
    """
    params = {**window.params(), "env": env, "service": service, "seconds": _seconds(reader, window, env)}
    return reader.rows(_EDGES, params)


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


_CALLERS = """
SELECT caller AS service, sum(e.calls) AS requests, sum(e.calls) / sum(sum(e.calls)) OVER () AS share
FROM edge_minutes AS e
WHERE callee = {service:String} AND ({env:String} = '' OR env = {env:String})
  AND minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
GROUP BY caller
ORDER BY requests DESC, service
LIMIT 100
"""
_FAILING_ROUTES = """
SELECT route, sum(s.calls) AS requests, sum(s.errors) AS failed
FROM service_minutes AS s
WHERE service = {service:String} AND ({env:String} = '' OR env = {env:String}) AND kind IN ('server', 'consumer')
  AND minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
GROUP BY route
ORDER BY failed DESC, route
LIMIT 1000
"""


def blast_radius(reader: Reader, service: str, env: str, during: Window) -> Row:
    """
    Return who feels that *service* has lost a dependency *during* the opening.

    Returns:
        ``callers``: ``{service, share, requests}``, *share* of the requests *service* got; ``endpoints``: its routes that
        failed; ``share``: of all its requests, those that failed, 0 to 1.
    """
    params = {**during.params(), "service": service, "env": env}
    routes = reader.rows(_FAILING_ROUTES, params)
    requests = sum(route["requests"] for route in routes)
    failed = sum(route["failed"] for route in routes)
    return {
        "callers": reader.rows(_CALLERS, params),
        "endpoints": [route["route"] for route in routes if route["failed"]],
        "share": failed / requests if requests else 0.0,
    }
