"""
Calls from outside: spans of servers whose caller's span is not inside, by client and route.

A client is known by what its calls tell, each a view of its own (``by``): ``client`` (an application, tenant or API key), ``user``, ``agent`` (the
product of the user agent), ``address``. There may be millions of them: of each service, window and view the `_CLIENTS` busiest are kept by name,
the others together as ``(others)``. A key itself is a secret: what is kept of it is the beginning of a hash.
"""

from __future__ import annotations

from collector.jobs.runner import Job, Statement

_CLIENTS = 50
_LEAD_S = 300
_DELAY_S = 60
_LATE_S = 3600

_STARTED = f"""start >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LATE_S}) AND start < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond(600)"""
_RECEIVED = f"""observed_at >= {{start:DateTime64(9, 'UTC')}} AND observed_at < {{end:DateTime64(9, 'UTC')}} AND {_STARTED}"""
_NEAR = f"""observed_at >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LEAD_S}) AND observed_at < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond({_DELAY_S})
          AND {_STARTED}"""

# Named clients first; the hash of a key is told apart, the key is not kept.
_NAMED = """coalesce(nullIf(attributes['client.id'], ''), nullIf(attributes['oauth.client_id'], ''), nullIf(attributes['api.client'], ''), nullIf(attributes['tenant.id'], ''),
                    nullIf(attributes['http.request.header.x-client-id'], ''), nullIf(attributes['api.key.id'], ''),
                    if(attributes['api.key'] != '', concat('key ', substring(lower(hex(SHA256(attributes['api.key']))), 1, 8)), NULL),
                    if(attributes['http.request.header.x-api-key'] != '', concat('key ', substring(lower(hex(SHA256(attributes['http.request.header.x-api-key']))), 1, 8)), NULL), '')"""
_USER = "coalesce(nullIf(attributes['enduser.id'], ''), attributes['user.id'])"
_AGENT_TEXT = "coalesce(nullIf(attributes['user_agent.original'], ''), attributes['http.user_agent'])"
# A browser by its name, everything else by its product without the version.
_AGENT = """multiIf(agent_text = '', '', match(agent_text, 'Edg/'), 'Edge', match(agent_text, 'OPR/'), 'Opera', match(agent_text, 'Firefox/'), 'Firefox',
                   match(agent_text, 'Chrome/'), 'Chrome', match(agent_text, 'Safari/'), 'Safari', substring(extract(agent_text, '^[^/ ;(]+'), 1, 60))"""
_ADDRESS = """coalesce(nullIf(attributes['client.address'], ''), nullIf(attributes['http.client_ip'], ''), attributes['net.sock.peer.addr'])"""

_CALLED = f"""
SELECT trace_id, parent_span_id, start AS started, duration_ns AS took_ns, weight, CAST(service, 'String') AS service, CAST(env, 'String') AS env,
       status = 'error' OR startsWith(attributes['http.response.status_code'], '5') AS failed, retention_days,
       multiIf(attributes['http.request.method'] != '', attributes['http.request.method'],
               attributes['http.method'] != '', attributes['http.method'], attributes['rpc.method'] != '', 'RPC', '') AS method,
       multiIf(attributes['http.route'] != '', attributes['http.route'],
               attributes['rpc.method'] != '', concat(attributes['rpc.service'], '/', attributes['rpc.method']), CAST(name, 'String')) AS route,
       {_AGENT_TEXT} AS agent_text,
       arrayFilter(pair -> pair.1 = '' OR pair.2 != '',
                   [('', ''), ('client', {_NAMED}), ('user', {_USER}), ('agent', {_AGENT}), ('address', {_ADDRESS})]) AS identities
FROM spans
WHERE kind = 'server' AND {_RECEIVED}
"""
# One row per call and view, of calls from outside only.
_FROM_OUTSIDE = f"""
SELECT called.started AS started, called.took_ns AS took_ns, called.weight AS weight, called.service AS service, called.env AS env, called.failed AS failed,
       called.retention_days AS retention_days, called.method AS method, called.route AS route, arrayJoin(called.identities) AS who
FROM ({_CALLED}) AS called
LEFT ANTI JOIN (SELECT trace_id, span_id FROM spans WHERE kind != 'server' AND {_NEAR}) AS inside
ON inside.trace_id = called.trace_id AND inside.span_id = called.parent_span_id
"""
_COUNTED = f"""
SELECT toStartOfMinute(toDateTime(started)) AS minute, env, service, who.1 AS by, substring(who.2, 1, 200) AS named, method, route, retention_days,
       count() AS spans, countIf(failed) AS failures, sum(weight) AS weighted, sumIf(weight, failed) AS weighted_failures,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(took_ns)) AS durations, max(started) AS last
FROM ({_FROM_OUTSIDE})
GROUP BY minute, env, service, by, named, method, route, retention_days
"""
_ENTRIES = f"""
INSERT INTO entry_minutes (minute, env, service, by, client, method, route, retention_days, calls, errors, weighted_calls, weighted_errors, duration_ns, last_at)
SELECT minute, env, service, by, if(place <= {_CLIENTS}, named, '(others)') AS client, method, route, retention_days,
       sum(spans) AS calls, sum(failures) AS errors, sum(weighted) AS weighted_calls, sum(weighted_failures) AS weighted_errors,
       quantilesTDigestMergeState(0.5, 0.95, 0.99)(durations) AS duration_ns, max(last) AS last_at
FROM (
    SELECT minute, env, service, by, named, method, route, retention_days, spans, failures, weighted, weighted_failures, durations, last,
           dense_rank() OVER (PARTITION BY env, service, by ORDER BY of_client DESC, named) AS place
    FROM (
        SELECT minute, env, service, by, named, method, route, retention_days, spans, failures, weighted, weighted_failures, durations, last,
               sum(spans) OVER (PARTITION BY env, service, by, named) AS of_client
        FROM ({_COUNTED})
    )
)
GROUP BY minute, env, service, by, client, method, route, retention_days
"""
_ANY = f"""
SELECT 1 AS found
FROM spans
WHERE kind = 'server' AND {_RECEIVED}
LIMIT 1
"""

ENTRIES = Job(
    "entries",
    reads="spans",
    version=1,
    window_s=60,
    delay_s=_DELAY_S,
    statements=(Statement("entry_minutes", _ENTRIES),),
    wanted=(_ANY,),
)
