"""
Calls at the entry, by client and route: of spans from the rollup, else of the access logs of what is known for a gateway.

A service whose spans tell of calls from outside is not counted again by its access logs. Access logs are read as they are, so a sample of them when they
are many; they know no caller's span: every line is a call from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.query.window import Window
from collector.read.sql import Reader, Row

# As jobs/entries.py names what tells clients apart, the most telling first.
VIEWS = ("client", "user", "agent", "address")
_LINES_MOST = 500_000

_ENTRIES = """
SELECT env, service, by, client, method, route, sum(e.calls) AS spans, sum(e.errors) AS failed, sum(e.weighted_calls) AS weighted,
       sum(e.weighted_errors) AS weighted_failed, round(quantilesTDigestMerge(0.5, 0.95, 0.99)(e.duration_ns)[2] / 1e6, 3) AS p95_ms,
       max(e.last_at) AS last_at, toUnixTimestamp(min(minute)) AS first
FROM entry_minutes AS e
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
  AND ({by:String} = 'auto' OR by IN ('', {by:String}))
GROUP BY env, service, by, client, method, route
ORDER BY spans DESC, client, route
LIMIT 20000
"""


def entries(reader: Reader, window: Window, env: str, service: str, by: str) -> list[Row]:
    """
    Return ``{env, service, by, client, method, route, spans, failed, weighted, weighted_failed, p95_ms, last_at, first}``, the busiest first.

    *by* ``auto``: every view; else that one and "", which has each call once.
    """
    return reader.rows(_ENTRIES, {**window.params(), "env": env, "service": service, "by": by})


_ACCESS_COUNT = """
SELECT count() AS records
FROM logs
WHERE occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at < {end:DateTime64(9, 'UTC')}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({end:DateTime64(9, 'UTC')})
  AND ({env:String} = '' OR env = {env:String}) AND service IN {services:Array(String)}
LIMIT 1
"""
# Under the conventions' names, or nginx' and Envoy's own where they log JSON; Envoy's text is read here. The path without what looks like an id; v1 stays.
# Envoy's duration is in ms, nginx' request_time in s.
_LINES = """
    SELECT occurred_at AS at, CAST(env, 'String') AS env, CAST(service, 'String') AS service,
           if(attributes['http.request.method'] != '' OR attributes['method'] != '' OR attributes['request_method'] != '', []::Array(String),
              extractGroups(body, '^\\\\[[^\\\\]]+\\\\] "([A-Z]+) ([^ "?]*)[^"]*" ([0-9]{3}) [^ ]+ (?:[^ ]+ [^ ]+ "[^"]*" )?[0-9-]+ [0-9-]+ ([0-9-]+) [0-9-]+ "([^"]*)" "([^"]*)"')) AS envoy,
           coalesce(nullIf(attributes['http.request.method'], ''), nullIf(attributes['method'], ''), nullIf(attributes['request_method'], ''), envoy[1]) AS method,
           coalesce(nullIf(attributes['http.response.status_code'], ''), nullIf(attributes['response_code'], ''), nullIf(attributes['status'], ''), envoy[3]) AS code,
           coalesce(nullIf(attributes['http.route'], ''), nullIf(attributes['url.path'], ''), nullIf(attributes['path'], ''), nullIf(attributes['uri'], ''),
                    nullIf(attributes['request_uri'], ''), envoy[2]) AS path,
           replaceRegexpAll(cutQueryString(path), '/(?:[0-9]+|[0-9a-fA-F]{8,}|[^/]*[0-9]{3,}[^/]*|[0-9a-fA-F]{4,}-[0-9a-fA-F-]+)', '/{id}') AS route,
           multiIf(attributes['duration_ms'] != '', toFloat64OrZero(attributes['duration_ms']), attributes['request_time'] != '', toFloat64OrZero(attributes['request_time']) * 1000,
                   attributes['duration'] != '', toFloat64OrZero(attributes['duration']), toFloat64OrZero(envoy[4])) AS took_ms,
           coalesce(nullIf(attributes['user_agent.original'], ''), nullIf(attributes['user_agent'], ''), nullIf(attributes['http_user_agent'], ''), envoy[6]) AS agent_text,
           coalesce(nullIf(attributes['client.address'], ''), nullIf(attributes['remote_addr'], ''), splitByChar(':', attributes['downstream_remote_address'])[1]) AS told_address,
           coalesce(nullIf(told_address, ''), if(envoy[5] = '-', '', trim(splitByChar(',', envoy[5])[1]))) AS address,
           arrayJoin(arrayFilter(each -> each.1 = '' OR each.2 != '', [('', ''),
               ('user', coalesce(nullIf(attributes['enduser.id'], ''), attributes['user.name'])),
               ('agent', substring(extract(agent_text, '^[^/ ;(]+'), 1, 60)), ('address', address)])) AS view
    FROM logs
    WHERE occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at < {end:DateTime64(9, 'UTC')}
      AND toStartOfMinute(occurred_at) >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({end:DateTime64(9, 'UTC')})
      AND ({env:String} = '' OR env = {env:String}) AND service IN {services:Array(String)}
      AND ({one_in:UInt32} = 1 OR cityHash64(batch_id, line) % {one_in:UInt32} = 0)
"""
_ACCESS = f"""
SELECT env, service, view.1 AS by, substring(view.2, 1, 200) AS client, method, route, count() * {{one_in:UInt32}} AS spans,
       countIf(startsWith(code, '5')) * {{one_in:UInt32}} AS failed, toFloat64(spans) AS weighted, toFloat64(failed) AS weighted_failed,
       round(quantileTDigestIf(0.95)(took_ms, took_ms > 0), 3) AS p95_ms, max(at) AS last_at, toUnixTimestamp(min(at)) AS first
FROM ({_LINES})
WHERE method != '' AND match(code, '^[1-5][0-9][0-9]$') AND ({{by:String}} = 'auto' OR by IN ('', {{by:String}}))
GROUP BY env, service, by, client, method, route
ORDER BY spans DESC, client, route
LIMIT 20000
"""


def access_logs(
    reader: Reader, window: Window, env: str, services: Sequence[str], by: str
) -> tuple[list[Row], int]:
    """Return the same rows out of the access logs of *services*, and one in how many lines was read."""
    if not services:
        return [], 1
    params = {**window.params(), "env": env, "services": list(services), "by": by}
    found = reader.rows(_ACCESS_COUNT, params)
    one_in = max(1, -(-found[0]["records"] // _LINES_MOST)) if found else 1
    return reader.rows(_ACCESS, {**params, "one_in": one_in}), one_in


_SERVED = """
SELECT env, service, '' AS by, '' AS client, '' AS method, route, sum(s.calls) AS spans, sum(s.errors) AS failed, sum(s.weighted_calls) AS weighted,
       sum(s.weighted_errors) AS weighted_failed, round(quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns)[2] / 1e6, 3) AS p95_ms,
       max(s.last_at) AS last_at, toUnixTimestamp(min(minute)) AS first
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND kind = 'server'
  AND ({env:String} = '' OR env = {env:String}) AND service IN {services:Array(String)}
GROUP BY env, service, route
ORDER BY spans DESC, route
LIMIT 20000
"""


def served(reader: Reader, window: Window, env: str, services: Sequence[str]) -> list[Row]:
    """Return the same rows of all that *services* served, whoever called: what is known of a gateway behind another traced program."""
    if not services:
        return []
    return reader.rows(_SERVED, {**window.params(), "env": env, "services": list(services)})


_LOGGING = """
SELECT DISTINCT service
FROM log_minutes
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
  AND (match(service, '(?i)(?:^|[^a-z])(?:nginx|envoy|ingress|gateway|traefik|haproxy|httpd|apache|caddy|edge|proxy)(?:$|[^a-z])') OR service IN {gateways:Array(String)})
ORDER BY service
LIMIT 50
"""


def logging_gateways(
    reader: Reader, window: Window, env: str, service: str, gateways: Sequence[str]
) -> list[str]:
    """Return services with log records whose name is a gateway's, or that are *gateways* by the catalogue."""
    params = {**window.params(), "env": env, "service": service, "gateways": list(gateways)}
    return [row["service"] for row in reader.rows(_LOGGING, params)]
