"""
What services use: CPU against its limit and throttling by containers' metrics, and how durations move with load by the minutes.

Metrics are our agent's and cAdvisor's ``container_*`` (as they belong to a service), else the process's own ``process_cpu_seconds_total``.
"""

from __future__ import annotations

from collections import defaultdict

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.sql import Reader, Row

Key = tuple[str, str]  # service, env

# Rates of the last ten minutes: what a service needs now.
_RECENT_NS = 600 * SECOND_NS
# Load is looked at over at most six hours: longer, and deploys change what load means.
_LOAD_S = 6 * 3600.0

# Metric -> what it tells.
METRICS = {
    "container_cpu_usage_seconds_total": "cores",
    "process_cpu_seconds_total": "process_cores",
    "container_cpu_cfs_periods_total": "periods",
    "container_cpu_cfs_throttled_periods_total": "throttled",
    "container_spec_cpu_limit_cores": "limit",
    "container_spec_cpu_quota": "quota",
    "container_spec_cpu_period": "period",
}
_COUNTERS = ("cores", "process_cores", "periods", "throttled")

_USAGE = """
SELECT service, env, role, count() AS series, sum(if(role IN {counters:Array(String)}, grown / greatest(seconds, 1), newest)) AS amount
FROM (
    SELECT series.service AS service, series.env AS env, series.role AS role, argMax(s.value, s.at) AS newest,
           toFloat64(dateDiff('millisecond', min(s.at), max(s.at))) / 1000 AS seconds,
           -- what a counter grew by; a fall is a restart
           arraySum((now, step) -> if(step < 0, now, step),
                    arrayPopFront(arraySort((v, t) -> t, groupArray(s.value), groupArray(s.at)) AS counted), arrayPopFront(arrayDifference(counted))) AS grown
    FROM metric_samples AS s
    INNER JOIN (
        SELECT series_id, any(CAST(metric_series.service, 'String')) AS service, any(CAST(metric_series.env, 'String')) AS env, any(metric.2) AS role
        FROM metric_series
        ARRAY JOIN {metrics:Array(Tuple(String, String))} AS metric
        WHERE name IN {names:Array(String)} AND name = metric.1 AND last_seen >= {recent:DateTime64(9, 'UTC')}
          AND ({env:String} = '' OR metric_series.env = {env:String})
        GROUP BY series_id
    ) AS series ON series.series_id = s.series_id
    WHERE s.at >= {recent:DateTime64(9, 'UTC')} AND s.at < {end:DateTime64(9, 'UTC')} AND isFinite(s.value)
      AND s.series_id IN (SELECT series_id FROM metric_series WHERE name IN {names:Array(String)} AND last_seen >= {recent:DateTime64(9, 'UTC')})
    GROUP BY s.series_id, service, env, role
)
GROUP BY service, env, role
LIMIT 50000
"""


def usage(reader: Reader, window: Window, env: str) -> dict[Key, dict[str, float]]:
    """
    Return what each service uses at the end of *window*, instances added up.

    Returns:
        Of each, what is told: ``cores`` in use, ``process_cores``, ``limit`` (cores), ``periods`` and ``throttled`` per second, ``quota``, ``period``, ``instances``.
    """
    end_ns = min(window.end_ns, window.now_ns)
    params = {"metrics": list(METRICS.items()), "names": list(METRICS), "counters": list(_COUNTERS), "env": env,
              "recent": sql_time(max(end_ns - _RECENT_NS, 0)), "end": sql_time(end_ns)}  # fmt: skip
    found: dict[Key, dict[str, float]] = defaultdict(dict)
    for row in reader.rows(_USAGE, params):
        told = found[row["service"], row["env"]]
        told[row["role"]] = row["amount"]
        if row["role"] in ("cores", "process_cores"):
            told["instances"] = max(told.get("instances", 0), row["series"])
    return dict(found)


# Thirds of the minutes by their calls: how long calls take at the least load and at the most.
_LOAD = """
SELECT service, env, count() AS minutes, corr(toFloat64(calls), took_ms) AS correlation,
       quantile(1 / 3)(calls) AS low, quantile(2 / 3)(calls) AS high,
       arrayAvg(arrayMap(each -> each.2, arrayFilter(each -> each.1 <= low, groupArray((toFloat64(calls), took_ms))))) AS low_ms,
       arrayAvg(arrayMap(each -> each.2, arrayFilter(each -> each.1 >= high, groupArray((toFloat64(calls), took_ms))))) AS high_ms
FROM (
    SELECT service, env, minute, sum(s.calls) AS calls, sum(s.duration_ns_sum) / sum(s.calls) / 1e6 AS took_ms
    FROM service_minutes AS s
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < toStartOfMinute({end:DateTime64(9, 'UTC')}) AND kind IN ('server', 'consumer')
      AND ({env:String} = '' OR env = {env:String})
    GROUP BY service, env, minute
)
GROUP BY service, env
LIMIT 5000
"""


def load(reader: Reader, window: Window, env: str) -> dict[Key, Row]:
    """
    Return ``{minutes, correlation, low, high, low_ms, high_ms}`` per service: mean durations in the third of the minutes with the fewest and the most calls.

    At most the last six hours of *window*; *low* and *high* are calls per minute at the thirds' bounds.
    """
    near = window.last(min(window.seconds, _LOAD_S))
    return {(row["service"], row["env"]): row for row in reader.rows(_LOAD, {**near.params(), "env": env})}


_BUSY = """
SELECT service, env, sum(s.duration_ns_sum) / 1e9 AS seconds
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')} AND kind IN ('server', 'consumer')
  AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env
LIMIT 5000
"""


def busy(reader: Reader, window: Window, env: str) -> dict[Key, float]:
    """Return the seconds that each service spent serving in *window*."""
    rows = reader.rows(_BUSY, {**window.params(), "env": env})
    return {(row["service"], row["env"]): row["seconds"] for row in rows}
