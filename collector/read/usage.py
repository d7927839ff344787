"""
What services use: CPU against its limit and throttling by containers' metrics, and how durations move with load by the minutes.

Metrics are our agent's and cAdvisor's ``container_*`` (as they belong to a service), else the process's own ``process_cpu_seconds_total``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.services import red_row
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


# One reading for all three: RED as services.py has it, the seconds spent, and minute by minute calls and what they took (lists with a place per minute).
# Thirds of the minutes by their calls: how long calls take at the least load and at the most.
_SERVED = """
SELECT service, env, serves, calls, failed, weighted, error_ratio, quantiles_ns, first, seconds, length(loads) AS minutes, arrayReduce('corr', loads, took) AS correlation,
       arrayReduce('quantile(0.3333333333333333)', loads) AS low, arrayReduce('quantile(0.6666666666666666)', loads) AS high,
       arrayAvg(arrayFilter((ms, load) -> load <= low, took, loads)) AS low_ms, arrayAvg(arrayFilter((ms, load) -> load >= high, took, loads)) AS high_ms
FROM (
    WITH intDiv(toInt64(toUnixTimestamp(minute)) - {near:UInt32}, 60) AS nth
    SELECT service, env, kind IN ('server', 'consumer') AS serves, sum(s.calls) AS calls, sum(s.errors) AS failed, sum(s.weighted_calls) AS weighted,
           sum(s.weighted_errors) / weighted AS error_ratio, quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns) AS quantiles_ns,
           toUnixTimestamp(min(minute)) AS first, sum(s.duration_ns_sum) / 1e9 AS seconds,
           sumResample(0, {minutes:UInt32}, 1)(s.calls, nth) AS every_load, sumResample(0, {minutes:UInt32}, 1)(s.duration_ns_sum, nth) AS spent,
           arrayFilter(load -> load > 0, every_load) AS counted, arrayMap(load -> toFloat64(load), counted) AS loads,
           arrayMap((ns, load) -> ns / load / 1e6, arrayFilter((ns, load) -> load > 0, spent, every_load), counted) AS took
    FROM service_minutes AS s
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
    GROUP BY service, env, serves
)
ORDER BY serves DESC
LIMIT 1 BY service, env
LIMIT 5000
"""


@dataclass(frozen=True, slots=True)
class Served:
    """
    What one service served.

    Attributes:
        red: As `collector.read.services.red` gives it.
        seconds: Spent serving, of all calls together; 0 = it serves nothing.
        load: ``{minutes, correlation, low, high, low_ms, high_ms}`` of at most the last six hours: mean durations in the third of the minutes with the fewest and
            the most calls, *low* and *high* are calls per minute at the thirds' bounds; None = it serves nothing.
    """

    red: Row
    seconds: float
    load: Row | None


def served(reader: Reader, window: Window, env: str) -> dict[Key, Served]:
    """Return what each service with spans in *window* served."""
    near = window.last(min(window.seconds, _LOAD_S))
    first_s, end_s = (at_ns // SECOND_NS // 60 * 60 for at_ns in (near.start_ns, near.end_ns))
    params = {**window.params(), "env": env, "near": first_s, "minutes": max((end_s - first_s) // 60, 1)}
    return {(row["service"], row["env"]): _served(row, window) for row in reader.rows(_SERVED, params)}


def _served(row: Row, window: Window) -> Served:
    red = red_row(row, window)
    if not row["serves"]:
        return Served(red, 0.0, None)
    load = {name: row[name] for name in ("minutes", "correlation", "low", "high", "low_ms", "high_ms")}
    return Served(red, row["seconds"], load)
