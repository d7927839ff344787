"""
What metrics say of services minute by minute: CPU, memory, restarts, pools, queues, and requests of services that send no spans.

`METRICS` says which names of which exporters play which role; names that are a whole quantity (``cpu``, ``latency_90``: columns of tables, recorded by anybody) are known too.
Two roles of requests: histograms' ``_sum`` and ``_count`` as counters, and gauges of rates and latencies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.bulkheads import METRICS as POOLS
from collector.read.queues import METRICS as QUEUES
from collector.read.sql import ONE_THREAD, Reader, Row

Owner = tuple[str, str]  # service, env
Key = tuple[str, str]  # role, what it is about (a pool, a queue; mostly "")
Values = dict[int, float]  # minute, seconds since the epoch -> value


class Metric(NamedTuple):
    """Samples of *metric* play *role*; *how* they are read: ``sum``, ``max`` of gauges, ``growth`` of counters; about what the label *about* says."""

    metric: str
    role: str
    how: str = "sum"
    about: str = ""


_CPU, _MEMORY = "container_cpu", "container_memory"
METRICS: tuple[Metric, ...] = (
    Metric(f"{_CPU}_usage_seconds_total", "cpu", "growth"),
    Metric(f"{_CPU}_time_seconds_total", "cpu", "growth"),
    Metric("process_cpu_seconds_total", "cpu_process", "growth"),
    Metric("process_cpu_time_seconds_total", "cpu_process", "growth"),
    Metric("container_spec_cpu_limit_cores", "cpu_limit"),
    Metric(f"{_CPU}_cfs_periods_total", "periods", "growth"),
    Metric(f"{_CPU}_cfs_throttled_periods_total", "throttled", "growth"),
    Metric(f"{_MEMORY}_working_set_bytes", "memory"),
    Metric("process_resident_memory_bytes", "memory_process"),
    Metric("container_spec_memory_limit_bytes", "memory_limit"),
    Metric("container_oom_events_total", "oom", "growth"),
    Metric("container_restarts_total", "restarts", "growth"),
    Metric("kube_pod_container_status_restarts_total", "restarts", "growth"),
    Metric("shop_queue_waiting_messages", "queue", "sum", "queue"),
    *(Metric(f"{name}_count", "requests", "growth") for name in ("http_server_request_duration_seconds", "http_server_duration_milliseconds",
      "http_server_requests_seconds", "istio_request_duration_milliseconds", "rpc_server_duration_milliseconds", "http_request_duration_seconds")),
    *(Metric(f"{name}_sum", "request_s", "growth") for name in ("http_server_request_duration_seconds", "http_server_requests_seconds", "http_request_duration_seconds")),
    *(Metric(f"{name}_sum", "request_ms", "growth") for name in ("http_server_duration_milliseconds", "istio_request_duration_milliseconds", "rpc_server_duration_milliseconds")),
    *(Metric(name, "column_cpu") for name in ("cpu", "cpu_usage", "CpuUsage", "container_cpu_usage")),
    *(Metric(name, "column_memory") for name in ("mem", "memory", "memory_usage", "MemoryUsage", "mem_usage")),
    *(Metric(name, "column_load") for name in ("load", "workload", "rps", "qps", "PodWorkload")),
    *(Metric(name, "column_latency", "max") for name in ("latency", "latency_50", "latency_90", "latency_95", "latency_99", "rt", "PodServerLatencyP90", "PodServerLatencyP95")),
    *(Metric(name, "column_error") for name in ("error", "errors", "error_rate")),
    *(Metric(name, "column_io") for name in ("diskio", "disk", "socket", "sockets", "NetworkReceiveBytes", "NetworkTransmitBytes")),
)  # fmt: skip
_POOL_ROLES = {
    "in_use": "pool_in_use",
    "available": "pool_available",
    "limit": "pool_limit",
    "queued": "pool_queued",
    "rejected": "pool_rejected",
}
# A consumer's lag is summed over its partitions and groups: what waits for anybody.
_QUEUE_ROLES = frozenset({"ready", "lag"})
# Of its limit: from here on a pool is full. A little less by what rounding may make of it.
POOL_FULL, _ALMOST = 0.95, 0.999
_POOL = "pool_"
_Known = tuple[str, str, str, str, str, str]  # as `Metric`, and a label's name and value
_ROWS: tuple[_Known, ...] = (
    *((each.metric, each.role, each.how, each.about, "", "") for each in METRICS),
    *(
        (
            pool.metric,
            _POOL_ROLES[pool.role],
            "growth" if pool.role == "rejected" else "sum",
            pool.name,
            pool.label,
            pool.value,
        )
        for pool in POOLS
        if pool.role in _POOL_ROLES
    ),
    *((each.metric, "queue", "sum", each.queue, "", "") for each in QUEUES if each.role in _QUEUE_ROLES),
)

# Whose a series is: central exporters tell of containers that are not themselves. A status of 5xx marks requests that failed.
_SERIES = """
        SELECT series_id, CAST(any(m.env), 'String') AS env, CAST(any(service), 'String') AS reporter, any(metric.role) AS role, any(metric.how) AS how,
               any(if(NOT startsWith(m.name, 'container_') AND NOT startsWith(m.name, 'kube_'), '', if(labels['container'] IN ('', 'POD'), labels['pod'], labels['container']))) AS owner,
               any(arrayStringConcat(arrayMap(label -> labels[label], splitByChar('/', metric.about)), '/')) AS about,
               any(startsWith(coalesce(nullIf(labels['http_response_status_code'], ''), nullIf(labels['http_status_code'], ''), nullIf(labels['status'], ''),
                                       nullIf(labels['response_code'], ''), labels['code']), '5')) AS failed
        FROM metric_series AS m
        INNER JOIN
        (
            SELECT metric.1 AS name, metric.2 AS role, metric.3 AS how, metric.4 AS about, metric.5 AS label, metric.6 AS value
            FROM (SELECT arrayJoin({metrics:Array(Tuple(String, String, String, String, String, String))}) AS metric)
        ) AS metric ON metric.name = m.name
        WHERE m.name IN {names:Array(String)} AND (metric.label = '' OR labels[metric.label] = metric.value)
          AND ({env:String} = '' OR m.env = {env:String}) AND last_seen >= {start:DateTime64(9, 'UTC')}
        GROUP BY series_id
"""
# The extremes of each series say whether its pool can have been full in any minute: most never are, and their minutes are not read.
_FULL = f"""
SELECT groupArray(told.series_id) AS ids, countIf(role = 'pool_in_use') AS users, countIf(role = 'pool_limit') AS limits, countIf(role = 'pool_available') AS rests,
       sumIf(told.highest, role = 'pool_in_use') AS used, sumIf(told.lowest, role = 'pool_limit') AS least, sumIf(told.highest, role = 'pool_limit') AS most,
       sumIf(told.lowest, role = 'pool_available') AS rest
FROM
(
    SELECT series_id, max(value) AS highest, min(value) AS lowest
    FROM metric_samples
    WHERE at >= {{start:DateTime64(9, 'UTC')}} AND at < {{end:DateTime64(9, 'UTC')}} AND NOT isNaN(value)
      AND series_id IN (SELECT series_id FROM metric_series WHERE name IN {{names:Array(String)}} AND ({{env:String}} = '' OR env = {{env:String}})
                        AND last_seen >= {{start:DateTime64(9, 'UTC')}})
    GROUP BY series_id
) AS told
INNER JOIN ({_SERIES}) AS series ON series.series_id = told.series_id
GROUP BY reporter, env, about
HAVING (users > 0 AND limits > 0 AND used >= {{full:Float64}} * least) OR (users > 0 AND rests > 0 AND used >= {{full:Float64}} * (used + rest))
    OR (limits > 0 AND rests > 0 AND most - rest >= {{full:Float64}} * most)
LIMIT 50000
"""
# Each series is read once into lists with a place per minute (Resample), NULL where it has no sample; lists are added up, and what a series is
# called is said last and once. A counter has grown since its minute before; its first minute has nothing before. The highest of several series is
# found in Python: they are few.
_MINUTES = f"""
SELECT owner, reporter, env, role, about, failed, how, arrayMap((amount, samples) -> if(samples = 0, NULL, amount), sumForEach(amounts), sumForEach(there)) AS amounts
FROM
(
    SELECT owner, reporter, env, role, about, failed, how, m.series_id AS series_id, m.there AS there,
           multiIf(how = 'growth', m.grown, how = 'max', m.highest, m.mean) AS amounts
    FROM
    (
        SELECT series_id, there, arrayMap(each -> if(isNaN(each), 0., each), means) AS mean, highest,
               arrayFill((each, samples) -> samples > 0, lasts, there) AS filled,
               arrayMap((each, before, samples, so_far) -> multiIf(samples = 0, 0., so_far = samples, each - first, each < before, each, each - before),
                        filled, arrayPushFront(arrayPopBack(filled), 0.), there, arrayCumSum(there)) AS grown
        FROM
        (
            SELECT series_id, countResample(0, {{minutes:UInt32}}, 1)(nth) AS there, avgResample(0, {{minutes:UInt32}}, 1)(value, nth) AS means,
                   maxResample(0, {{minutes:UInt32}}, 1)(value, nth) AS highest, argMaxResample(0, {{minutes:UInt32}}, 1)(value, at, nth) AS lasts,
                   argMin(value, at) AS first
            FROM
            (
                SELECT series_id, at, value, intDiv(toUnixTimestamp(at) - {{first:UInt32}}, 60) AS nth
                FROM metric_samples
                WHERE at >= {{start:DateTime64(9, 'UTC')}} AND at < {{end:DateTime64(9, 'UTC')}} AND NOT isNaN(value)
                  AND (series_id IN {{full:Array(UInt64)}}
                       OR series_id IN (SELECT series_id FROM metric_series WHERE name IN {{plain:Array(String)}} AND ({{env:String}} = '' OR env = {{env:String}})
                                        AND last_seen >= {{start:DateTime64(9, 'UTC')}}))
            )
            GROUP BY series_id
        )
    ) AS m
    INNER JOIN ({_SERIES}) AS series ON series.series_id = m.series_id
)
GROUP BY owner, reporter, env, role, about, failed, how, if(how = 'max', series_id, 0)
LIMIT 200000
"""
# A week: of longer windows the last part is looked at, for lists have a place for every minute.
_MINUTES_MOST = 10_080


class Told(NamedTuple):
    """Whose it is: the container that the labels name, the service that reports it; its environment."""

    owner: str
    reporter: str
    env: str


def minutes(
    reader: Reader, window: Window, env: str, roles: Collection[str] = (), judged: Window | None = None
) -> Mapping[Told, Mapping[Key, Values]]:
    """
    Return every known quantity of *window*, or those of *roles*, minute by minute; requests that failed under the role ``requests_failed``.

    Args:
        reader: The store.
        window: Of the minutes.
        env: "" = every one.
        roles: () = all.
        judged: Of pools only those are returned that may have been full in this part of *window*, by the highest that each series told of it and the lowest
            limit; None = all.
    """
    wanted = [row for row in _ROWS if not roles or row[1] in roles]
    at = range(window.start_ns // SECOND_NS // 60 * 60, -(-window.end_ns // SECOND_NS), 60)[-_MINUTES_MOST:]
    asked = {
        "start": sql_time(max(window.start_ns, at.start * SECOND_NS)),
        "end": sql_time(window.end_ns),
        "first": at.start,
        "minutes": len(at),
        "env": env,
    }
    rows = _read(reader, asked, wanted) if judged is None else _read_judged(reader, asked, wanted, judged)
    found: dict[Told, dict[Key, Values]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        quantities = found[Told(row["owner"], row["reporter"], row["env"])]
        failed = row["role"] == "requests" and row["failed"]
        for role in ("requests", "requests_failed") if failed else (row["role"],):
            _put(quantities[role, row["about"]], row, at)
    return found


def _read_judged(reader: Reader, asked: Row, wanted: Sequence[_Known], judged: Window) -> list[Row]:
    """Run `_MINUTES`; of pools for those that may have been full, which mostly are none."""
    plain = [row for row in wanted if not row[1].startswith(_POOL)]
    pools = [row for row in wanted if row[1].startswith(_POOL)]
    full, rows = reader.together(
        lambda its: _full(its, judged, asked["env"]), lambda its: _read(its, asked, plain)
    )
    if full and pools:
        rows = rows + _read(reader, asked, pools, full)
    return list(rows)


def _read(reader: Reader, asked: Row, wanted: Sequence[_Known], only: Sequence[int] = ()) -> list[Row]:
    """Run `_MINUTES` for metrics; for some of their series *only*, if any are given."""
    names = sorted({row[0] for row in wanted})
    params = {
        **asked,
        "names": names,
        "metrics": list(wanted),
        "plain": [] if only else names,
        "full": list(only),
    }
    return reader.rows(_MINUTES, params)


def _full(reader: Reader, judged: Window, env: str) -> list[int]:
    """Give the series of pools that may have been full."""
    pools = [row for row in _ROWS if row[1].startswith(_POOL)]
    params = {
        **judged.params(),
        "env": env,
        "names": [row[0] for row in pools],
        "metrics": pools,
        "full": _ALMOST * POOL_FULL,
    }
    return [series for row in reader.rows(_FULL, params, ONE_THREAD) for series in row["ids"]]


def _put(values: Values, row: Row, minutes: Sequence[int]) -> None:
    told = {at: amount for at, amount in zip(minutes, row["amounts"], strict=True) if amount is not None}
    if not values:
        values.update(told)
        return
    together = max if row["how"] == "max" else sum
    for at, amount in told.items():
        values[at] = together((values[at], amount)) if at in values else amount
