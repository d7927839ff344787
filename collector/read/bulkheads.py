"""
Bulkheads: what bounds a service's concurrency, how full it is, and when it will be.

Read from the newest samples of the last minutes; nothing is stored for them. `METRICS` says which metrics of which libraries
play which role for the bulkhead that the labels name:

=============  =============================================
``in_use``     calls, connections, threads in use
``available``  what is left of the limit
``limit``      how many there may be
``there``      how many there are now: a pool that may grow; the limit where nobody tells one
``queued``     who waits for one
``rejected``   counter of those turned away
``at_limit``   1 = full, where nobody counts (Envoy)
=============  =============================================

Sources: resilience4j's Micrometer binder, Micrometer's HikariCP, Hystrix, executor, Tomcat and JDBC binders, OpenTelemetry's
``db.client.connection.*``, Envoy's cluster circuit breakers (limits of concurrency, whatever they are called there), MicroProfile Fault
Tolerance; any library that exports ``bulkhead_*``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.breaker_metrics import ENVOY_NAME
from collector.read.labelled import INSTANCE, called
from collector.read.sql import ONE_THREAD, Reader, Row

Key = tuple[str, str, str, str]  # service, env, bulkhead, instance

# A sample this old is not the present: scrapes come at least every minute.
_FRESH_NS = 180 * SECOND_NS
# The trend that says when it will be full: long enough to be one, short enough to be this one.
_TREND_NS = 600 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS
# Beyond a day a forecast is a guess.
_FORECAST_S = 86_400.0
_RISING = 0.001
# Two points are no trend.
_TREND_SAMPLES = 3


class Metric(NamedTuple):
    """One row: samples of *metric* whose *label* is *value* play *role* for the bulkhead of *kind* that the labels *name* (joined by ``/``)."""

    metric: str
    role: str
    kind: str
    name: str
    label: str = ""
    value: str = ""


_R4J, _OTEL, _ENVOY = "resilience4j_bulkhead", "db_client_connection", "envoy_cluster_circuit_breakers"

METRICS: tuple[Metric, ...] = (
    Metric(f"{_R4J}_available_concurrent_calls", "available", "semaphore", "name"),
    Metric(f"{_R4J}_max_allowed_concurrent_calls", "limit", "semaphore", "name"),
    Metric(f"{_R4J}_queue_depth", "queued", "semaphore", "name"),
    Metric(f"{_R4J}_rejected_calls_total", "rejected", "semaphore", "name"),
    Metric(f"{_R4J}_active_thread_count", "in_use", "threads", "name"),
    Metric(f"{_R4J}_max_thread_pool_size", "limit", "threads", "name"),
    Metric("hystrix_threadpool_threads_active_current_count", "in_use", "threads", "key"),
    Metric("hystrix_threadpool_threads_max_pool_current_size", "limit", "threads", "key"),
    Metric("hystrix_threadpool_queue_current_size", "queued", "threads", "key"),
    Metric("hystrix_threadpool_threads_executed_rejected_total", "rejected", "threads", "key"),
    Metric("hikaricp_connections_active", "in_use", "connections", "pool"),
    Metric("hikaricp_connections_max", "limit", "connections", "pool"),
    Metric("hikaricp_connections_pending", "queued", "connections", "pool"),
    Metric("hikaricp_connections_timeout_total", "rejected", "connections", "pool"),
    Metric("jdbc_connections_active", "in_use", "connections", "name"),
    Metric("jdbc_connections_max", "limit", "connections", "name"),
    Metric(f"{_OTEL}_count", "in_use", "connections", f"{_OTEL}_pool_name", f"{_OTEL}_state", "used"),
    Metric(f"{_OTEL}_max", "limit", "connections", f"{_OTEL}_pool_name"),
    Metric(f"{_OTEL}_pending_requests", "queued", "connections", f"{_OTEL}_pool_name"),
    Metric(f"{_OTEL}_timeouts_total", "rejected", "connections", f"{_OTEL}_pool_name"),
    Metric("db_client_connections_usage", "in_use", "connections", "pool_name", "state", "used"),
    Metric("db_client_connections_max", "limit", "connections", "pool_name"),
    Metric("db_client_connections_pending_requests", "queued", "connections", "pool_name"),
    Metric("db_client_connections_timeouts_total", "rejected", "connections", "pool_name"),
    Metric("executor_active_threads", "in_use", "threads", "name"),
    Metric("executor_pool_max_threads", "limit", "threads", "name"),
    Metric("executor_queued_tasks", "queued", "threads", "name"),
    Metric("tomcat_threads_busy_threads", "in_use", "threads", "name"),
    Metric("tomcat_threads_config_max_threads", "limit", "threads", "name"),
    Metric("ft_bulkhead_executionsRunning", "in_use", "semaphore", "method"),
    Metric("ft_bulkhead_executionsWaiting", "queued", "semaphore", "method"),
    Metric("ft_bulkhead_calls_total", "rejected", "semaphore", "method", "bulkheadResult", "rejected"),
    Metric("envoy_cluster_upstream_rq_active", "in_use", "requests", ENVOY_NAME),
    Metric(f"{_ENVOY}_default_remaining_rq", "available", "requests", ENVOY_NAME),
    Metric("envoy_cluster_upstream_rq_pending_active", "queued", "requests", ENVOY_NAME),
    Metric("envoy_cluster_upstream_rq_pending_overflow", "rejected", "requests", ENVOY_NAME),
    Metric(f"{_ENVOY}_default_rq_open", "at_limit", "requests", ENVOY_NAME),
    Metric("bulkhead_in_use", "in_use", "semaphore", "name"),
    Metric("bulkhead_limit", "limit", "semaphore", "name"),
    Metric("bulkhead_queued", "queued", "semaphore", "name"),
    Metric("bulkhead_rejected_total", "rejected", "semaphore", "name"),
    # psycopg_pool's get_stats(), as its exporters name it
    Metric("psycopg_pool_pool_max", "limit", "connections", "pool"),
    Metric("psycopg_pool_pool_size", "there", "connections", "pool"),
    Metric("psycopg_pool_pool_available", "available", "connections", "pool"),
    Metric("psycopg_pool_size", "there", "connections", "pool"),
    Metric("psycopg_pool_available", "available", "connections", "pool"),
    Metric("psycopg_pool_requests_waiting", "queued", "connections", "pool"),
    Metric("psycopg_pool_requests_errors_total", "rejected", "connections", "pool"),
    # QueuePool.checkedout(), .size() and asyncpg's Pool.get_size(), as exporters name them
    Metric("sqlalchemy_pool_checked_out", "in_use", "connections", "pool"),
    Metric("sqlalchemy_pool_size", "limit", "connections", "pool"),
    Metric("asyncpg_pool_max_size", "limit", "connections", "pool"),
    Metric("asyncpg_pool_size", "there", "connections", "pool"),
    Metric("asyncpg_pool_idle", "available", "connections", "pool"),
    # Polly 8's and ASP.NET's limiters of concurrency
    Metric(
        "resilience_polly_strategy_events_total",
        "rejected",
        "semaphore",
        "pipeline_name/strategy_name",
        "event_name",
        "OnRateLimiterRejected",
    ),
    Metric(
        "aspnetcore_rate_limiting_active_request_leases",
        "in_use",
        "semaphore",
        "aspnetcore_rate_limiting_policy",
    ),
    Metric(
        "aspnetcore_rate_limiting_queued_requests", "queued", "semaphore", "aspnetcore_rate_limiting_policy"
    ),
)

# Each metric once: a name means one thing.
_COLUMNS: dict[str, object] = {
    name: [str(value) for value in column]
    for name, column in zip(
        ("names", "roles", "kinds", "called", "labels", "values"), zip(*METRICS, strict=True), strict=True
    )
}
# Which series play which role for which bulkhead. What a name means is looked up once per name: `transform` of a LowCardinality works on its dictionary.
_SERIES = f"""
    SELECT series_id, CAST(any(m.service), 'String') AS service, CAST(any(m.env), 'String') AS env, any({INSTANCE}) AS instance,
           any(transform(name, {{names:Array(String)}}, {{kinds:Array(String)}}, '')) AS kind, any(transform(name, {{names:Array(String)}}, {{roles:Array(String)}}, '')) AS role,
           any({called("transform(name, {names:Array(String)}, {called:Array(String)}, '')")}) AS bulkhead
    FROM metric_series AS m
    WHERE name IN {{names:Array(String)}} AND labels[transform(name, {{names:Array(String)}}, {{labels:Array(String)}}, '')] = transform(name, {{names:Array(String)}}, {{values:Array(String)}}, '')
      AND last_seen >= {{fresh:DateTime64(9, 'UTC')}} AND ({{env:String}} = '' OR m.env = {{env:String}}) AND ({{service:String}} = '' OR m.service = {{service:String}})
    GROUP BY series_id
    HAVING bulkhead != ''
"""
_OF = """SELECT series_id FROM metric_series
                        WHERE name IN {%s:Array(String)} AND last_seen >= {fresh:DateTime64(9, 'UTC')}
                          AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})"""
# Of each series the newest value and its slope, of a counter what it grew by within the hour (a fall is a restart); what several series of a role give is
# added up, slopes too. One reading for both: samples lie series by series, so what is read for an hour is what is read for ten minutes.
_NOW = f"""
SELECT service, env, kind, bulkhead, instance, role, sum(told.amount) AS amount, sum(told.slope) AS per_s, max(told.samples) AS samples
FROM
(
    SELECT series_id, max(at) AS last_at, if(counts, 0, count()) AS samples,
           if(counts, arraySum((now, step) -> if(step < 0, now, step),
                               arrayPopFront(arraySort((v, t) -> t, groupArrayIf(value, counts), groupArrayIf(toUnixTimestamp64Milli(at), counts)) AS counted),
                               arrayPopFront(arrayDifference(counted))), argMax(value, at)) AS amount,
           if(counts, 0., simpleLinearRegressionIf(toUnixTimestamp64Milli(at) / 1000 - toUnixTimestamp64Milli({{trend:DateTime64(3, 'UTC')}}) / 1000, value, NOT counts).1) AS slope
    FROM
    (
        SELECT series_id, at, value, series_id IN ({_OF % "counters"}) AS counts
        FROM metric_samples
        WHERE series_id IN ({_OF % "names"}) AND at >= {{hour:DateTime64(9, 'UTC')}} AND at < {{end:DateTime64(9, 'UTC')}} AND NOT isNaN(value)
          AND (counts OR at >= {{trend:DateTime64(9, 'UTC')}})
    )
    GROUP BY series_id, counts
    HAVING counts OR last_at >= {{fresh:DateTime64(9, 'UTC')}}
) AS told
INNER JOIN ({_SERIES}) AS series ON series.series_id = told.series_id
GROUP BY service, env, kind, bulkhead, instance, role
LIMIT 50000
"""


def bulkheads(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """
    Return every bulkhead as it is at the end of *window*, the fullest first.

    Returns:
        ``{service, env, bulkhead, instance, kind, in_use, limit, queued, rejected_1h, saturation, full_in_s}``; numbers nobody tells are None;
        *saturation* of the limit, 0 to 1; *full_in_s* at the trend of the last ten minutes, None = not within a day.
    """
    found: dict[Key, Row] = defaultdict(dict)
    slopes: dict[Key, dict[str, float]] = defaultdict(dict)
    for row in reader.rows(_NOW, _params(window, env, service), ONE_THREAD):
        key = (row["service"], row["env"], row["bulkhead"], row["instance"])
        found[key] |= {"kind": row["kind"], row["role"]: row["amount"]}
        if row["samples"] >= _TREND_SAMPLES and row["per_s"] is not None:
            slopes[key][row["role"]] = row["per_s"]
    rows = [_bulkhead(key, told, slopes[key]) for key, told in found.items()]
    return sorted(
        (
            row
            for row in rows
            if row["in_use"] is not None or row["saturation"] is not None or row["rejected_1h"]
        ),
        key=lambda row: (-(row["saturation"] or 0), row["service"], row["bulkhead"], row["instance"]),
    )


def _params(window: Window, env: str, service: str) -> dict[str, object]:
    end_ns = min(window.end_ns, window.now_ns)
    return {
        **_COLUMNS,
        "counters": [metric.metric for metric in METRICS if metric.role == "rejected"],
        "fresh": sql_time(max(end_ns - _FRESH_NS, 0)),
        "trend": sql_time(max(end_ns - _TREND_NS, 0)),
        "hour": sql_time(max(end_ns - HOUR_NS, 0)),
        "end": sql_time(end_ns),
        "env": env,
        "service": service,
    }


def _bulkhead(key: Key, told: Mapping[str, float], slopes: Mapping[str, float]) -> Row:
    limit, in_use = _bounds(told)
    saturation = None if in_use is None or not limit else round(min(in_use / limit, 1.0), 4)
    if saturation is None and "at_limit" in told:
        saturation = 1.0 if told["at_limit"] else None
    service, env, bulkhead, instance = key
    return {
        "service": service,
        "env": env,
        "bulkhead": bulkhead,
        "instance": instance,
        "kind": told["kind"],
        "in_use": in_use,
        "limit": limit,
        "queued": told.get("queued"),
        "rejected_1h": told.get("rejected"),
        "saturation": saturation,
        "full_in_s": _full_in_s(limit, in_use, slopes.get("in_use", -slopes.get("available", 0.0))),
    }


def _bounds(told: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Give (limit, in use); of limit, in use and available two tell the third."""
    limit, in_use, available, there = (told.get(name) for name in ("limit", "in_use", "available", "there"))
    if in_use is None and there is not None and available is not None:
        in_use = max(there - available, 0.0)
    limit = there if limit is None else limit
    if in_use is None and limit is not None and available is not None:
        in_use = max(limit - available, 0.0)
    if limit is None and in_use is not None and available is not None:
        limit = in_use + available
    return limit, in_use


def _full_in_s(limit: float | None, in_use: float | None, per_s: float) -> float | None:
    if limit is None or in_use is None or limit <= 0:
        return None
    if in_use >= limit:
        return 0.0
    seconds = (limit - in_use) / per_s if per_s > _RISING * limit / _FORECAST_S else _FORECAST_S
    return round(seconds, 1) if seconds < _FORECAST_S else None
