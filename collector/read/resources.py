"""
What metrics say of services minute by minute: CPU, memory, restarts, pools, queues, and requests of services that send no spans.

`METRICS` says which names of which exporters play which role; names that are a whole quantity (``cpu``, ``latency_90``: columns of tables, recorded by anybody) are known too.
Two roles of requests: histograms' ``_sum`` and ``_count`` as counters, and gauges of rates and latencies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from collector.query.window import Window
from collector.read.bulkheads import METRICS as POOLS
from collector.read.queues import METRICS as QUEUES
from collector.read.sql import Reader

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
_ROWS: tuple[tuple[str, str, str, str, str, str], ...] = (
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
_MINUTES = """
SELECT owner, reporter, env, role, about, failed, groupArray(at) AS minutes, groupArray(amount) AS amounts
FROM
(
SELECT owner, reporter, env, role, about, failed, toUnixTimestamp(minute) AS at,
       multiIf(how = 'growth', sum(grown), how = 'max', max(highest), sum(mean)) AS amount
FROM
(
    SELECT owner, reporter, env, role, about, failed, how, m.minute AS minute, m.mean AS mean, m.highest AS highest,
           if(m.last < m.before, m.last, m.last - m.before) AS grown
    FROM
    (
        SELECT series_id, minute, mean, highest, last,
               lagInFrame(last, 1, first) OVER (PARTITION BY series_id ORDER BY minute ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
        FROM
        (
            SELECT series_id, toStartOfMinute(at) AS minute, avg(value) AS mean, max(value) AS highest, argMax(value, at) AS last, argMin(value, at) AS first
            FROM metric_samples
            WHERE at >= {start:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')} AND NOT isNaN(value)
              AND series_id IN (SELECT series_id FROM metric_series WHERE name IN {names:Array(String)} AND ({env:String} = '' OR env = {env:String})
                                AND last_seen >= {start:DateTime64(9, 'UTC')})
            GROUP BY series_id, minute
        )
    ) AS m
    INNER JOIN
    (
        SELECT series_id, CAST(any(m.env), 'String') AS env, CAST(any(service), 'String') AS reporter, any(metric.2) AS role, any(metric.3) AS how,
               any(multiIf(NOT startsWith(metric.1, 'container_') AND NOT startsWith(metric.1, 'kube_'), '', labels['container'] IN ('', 'POD'), labels['pod'], labels['container'])) AS owner,
               any(arrayStringConcat(arrayMap(name -> labels[name], splitByChar('/', metric.4)), '/')) AS about,
               any(startsWith(coalesce(nullIf(labels['http_response_status_code'], ''), nullIf(labels['http_status_code'], ''), nullIf(labels['status'], ''),
                                       nullIf(labels['response_code'], ''), labels['code']), '5')) AS failed
        FROM metric_series AS m
        ARRAY JOIN {metrics:Array(Tuple(String, String, String, String, String, String))} AS metric
        WHERE name IN {names:Array(String)} AND name = metric.1 AND (metric.5 = '' OR labels[metric.5] = metric.6)
          AND ({env:String} = '' OR m.env = {env:String}) AND last_seen >= {start:DateTime64(9, 'UTC')}
        GROUP BY series_id
    ) AS series ON series.series_id = m.series_id
)
GROUP BY owner, reporter, env, role, about, failed, how, minute
)
GROUP BY owner, reporter, env, role, about, failed
LIMIT 200000
"""


class Told(NamedTuple):
    """Whose it is: the container that the labels name, the service that reports it; its environment."""

    owner: str
    reporter: str
    env: str


def minutes(
    reader: Reader, window: Window, env: str, roles: Collection[str] = ()
) -> Mapping[Told, Mapping[Key, Values]]:
    """Return every known quantity of *window*, or those of *roles*, minute by minute; requests that failed under the role ``requests_failed``."""
    wanted = [row for row in _ROWS if not roles or row[1] in roles]
    names = sorted({row[0] for row in wanted})
    found: dict[Told, dict[Key, Values]] = defaultdict(lambda: defaultdict(dict))
    for row in reader.rows(_MINUTES, {**window.params(), "env": env, "names": names, "metrics": wanted}):
        quantities = found[Told(row["owner"], row["reporter"], row["env"])]
        for role in (
            (row["role"], "requests_failed")
            if row["role"] == "requests" and row["failed"]
            else (row["role"],)
        ):
            values = quantities[role, row["about"]]
            for at, amount in zip(row["minutes"], row["amounts"], strict=True):
                values[at] = values.get(at, 0.0) + amount
    return found
