"""
Both sides of a call: a span of a server or consumer, and the span that is its parent.

A span belongs to the window it was received in, so each is paired once. Its parent may have been received a little earlier or later: the
caller's span ends after the callee's, and both wait in exporters for some seconds.

What a client sends again below one span of its own (retries and hedges of a library, a proxy's) are several calls that were received: each is counted. Their caller
waited once, so the span's duration is counted once. All of them failed where the client's span did, else those whose own span did. A hedge to another service is
an edge of its own. Measured (200,000 calls, three of four with a named peer): 0.96 CPU-s of the engine for all three statements, 0.82 when a client span counted once.
"""

from __future__ import annotations

from collector.jobs.runner import Job, Statement

# The caller's span began before the callee's; calls that wait longer than this for an answer are not paired.
_LEAD_S = 300
# Exporters send every five seconds, agents' spools for longer when a collector was away.
_DELAY_S = 60
# Spans that come later than this after they began are not looked for: reading all days for them would cost more than they tell.
_LATE_S = 3600

_METHOD = """multiIf(attributes['http.request.method'] != '', attributes['http.request.method'],
            attributes['http.method'] != '', attributes['http.method'], attributes['rpc.method'] != '', 'RPC', '')"""
_ROUTE = """multiIf(attributes['http.route'] != '', attributes['http.route'],
            attributes['rpc.method'] != '', concat(attributes['rpc.service'], '/', attributes['rpc.method']), '')"""
# As edge_minutes_mv names protocol and callee (store/schema/002_spans.sql).
_PROTOCOL = """multiIf(kind IN ('producer', 'consumer'), coalesce(nullIf(attributes['messaging.system'], ''), 'messaging'),
              attributes['rpc.system'] != '', attributes['rpc.system'], 'http')"""
_PEER = """coalesce(nullIf(attributes['peer.service'], ''), nullIf(attributes['service.peer.name'], ''), attributes['server.address'])"""

_RECEIVED = f"""observed_at >= {{start:DateTime64(9, 'UTC')}} AND observed_at < {{end:DateTime64(9, 'UTC')}}
          AND start >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LATE_S})
          AND start < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond(600)"""
_NEAR = f"""observed_at >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LEAD_S})
          AND observed_at < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond({_DELAY_S})
          AND start >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LATE_S})
          AND start < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond(600)"""

_CALLERS = f"""
INSERT INTO endpoint_callers (hour, env, service, method, route, version, caller, caller_version, retention_days,
                              calls, errors, last_at)
SELECT toStartOfHour(toDateTime(callee.started)) AS hour, callee.env AS env, callee.service AS service, callee.method AS method,
       callee.route AS route, callee.version AS version, parent.service AS caller, parent.version AS caller_version,
       greatest(callee.retention_days, toUInt16(400)) AS retention_days,
       count() AS calls, countIf(callee.failed) AS errors, max(callee.started) AS last_at
FROM (
    SELECT trace_id, parent_span_id, start AS started, CAST(service, 'String') AS service, CAST(env, 'String') AS env,
           {_METHOD} AS method,
           {_ROUTE} AS route,
           resource['service.version'] AS version, status = 'error' AS failed, retention_days
    FROM spans
    WHERE kind = 'server' AND route != ''
      AND {_RECEIVED}
) AS callee
LEFT ANY JOIN (
    SELECT trace_id, span_id, CAST(service, 'String') AS service, resource['service.version'] AS version
    FROM spans
    WHERE kind != 'server'
      AND {_NEAR}
) AS parent ON parent.trace_id = callee.trace_id AND parent.span_id = callee.parent_span_id
GROUP BY hour, env, service, method, route, version, caller, caller_version, retention_days
"""

# Which calls are wanted is said of the callers' spans before they are joined: of most callers all name whom they call.
_PAIRS = f"""
FROM (
    SELECT trace_id, parent_span_id, CAST(service, 'String') AS service, count() AS received, countIf(status = 'error') AS refused
    FROM spans
    WHERE kind = 'server' AND parent_span_id != ''
      AND {_RECEIVED}
    GROUP BY trace_id, parent_span_id, service
) AS callee
LEFT SEMI JOIN (
    SELECT trace_id, span_id, CAST(service, 'String') AS service, CAST(env, 'String') AS env, start AS started, duration_ns AS took_ns,
           status = 'error' AS failed, weight, {_PEER} AS peer,
           {_PROTOCOL} AS protocol,
           if(attributes['http.route'] != '', attributes['http.route'], CAST(name, 'String')) AS route, retention_days
    FROM spans
    WHERE kind = 'client' AND peer %s ''
      AND {_NEAR}
) AS caller ON caller.trace_id = callee.trace_id AND caller.span_id = callee.parent_span_id
"""

_NAMES = f"""
INSERT INTO peer_names (env, caller, peer, callee, day, retention_days, calls, last_at)
SELECT caller.env AS env, caller.service AS caller, caller.peer AS peer, callee.service AS callee, toDate(caller.started) AS day,
       caller.retention_days AS retention_days, sum(callee.received) AS calls, max(caller.started) AS last_at
{_PAIRS % "!="}
WHERE caller.service != callee.service
GROUP BY env, caller, peer, callee, day, retention_days
"""

_UNNAMED = f"""
INSERT INTO paired_minutes (minute, env, caller, callee, protocol, route, retention_days, calls, errors, weighted_calls,
                            weighted_errors, duration_ns_sum, duration_ns, last_at)
SELECT toStartOfMinute(toDateTime(caller.started)) AS minute, caller.env AS env, caller.service AS caller, callee.service AS callee,
       caller.protocol AS protocol, caller.route AS route, caller.retention_days AS retention_days, sum(callee.received) AS calls,
       sum(multiIf(caller.failed, callee.received, callee.received > 1, callee.refused, 0) AS lost) AS errors,
       sum(caller.weight * callee.received) AS weighted_calls, sum(caller.weight * lost) AS weighted_errors,
       sum(caller.took_ns) AS duration_ns_sum,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(caller.took_ns)) AS duration_ns, max(caller.started) AS last_at
{_PAIRS % "="}
GROUP BY minute, env, caller, callee, protocol, route, retention_days
"""

_ANY = f"""
SELECT 1 AS found
FROM spans
WHERE kind = 'server'
  AND {_RECEIVED}
LIMIT 1
"""

CALLS = Job(
    "calls",
    reads="spans",
    version=3,
    window_s=60,
    delay_s=_DELAY_S,
    statements=(
        Statement("endpoint_callers", _CALLERS),
        Statement("peer_names", _NAMES),
        Statement("paired_minutes", _UNNAMED),
    ),
    wanted=(_ANY,),
)
