"""Services: requests, errors and durations of each, when it was last heard of, its versions and owner."""

from __future__ import annotations

from collections import defaultdict

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.log_counts import step_ns
from collector.read.sampling import sampling
from collector.read.sql import Reader, Row

Key = tuple[str, str]  # service, env

# RED counts what a service served; one that serves nothing (a worker, a job) is measured by all its spans.
_RED = """
SELECT service, env, kind IN ('server', 'consumer') AS serves,
       sum(s.calls) AS calls, sum(s.errors) AS failed, sum(s.weighted_calls) AS weighted, sum(s.weighted_errors) / weighted AS error_ratio,
       quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns) AS quantiles_ns,
       toUnixTimestamp(min(minute)) AS first
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
  AND ({service:String} = '' OR service = {service:String})
GROUP BY service, env, serves
ORDER BY serves DESC
LIMIT 1 BY service, env
LIMIT 5000
"""


def red(reader: Reader, window: Window, env: str, service: str = "") -> dict[Key, Row]:
    """
    Return ``{calls, failed, rate, error_ratio, p50_ms, p95_ms, p99_ms, sampled, sampling}`` per service with spans in *window*.

    *calls* and *failed* count spans: what a verdict may rest on. *rate* and *error_ratio* are of the calls they stand for (sampling.py).
    """
    rows = reader.rows(_RED, {**window.params(), "env": env, "service": service})
    return {(row["service"], row["env"]): red_row(row, window) for row in rows}


def red_row(row: Row, window: Window) -> Row:
    """Give the API's shape of a row of `_RED`."""
    # a service that is younger than the window has no rate for the time before it
    seconds = max(min(window.seconds, window.end_ns / SECOND_NS - row["first"]), 1.0)
    return {
        "calls": row["calls"],
        "failed": row["failed"],
        "rate": round(row["weighted"] / seconds, 4),
        "error_ratio": round(row["error_ratio"], 6),
        **_milliseconds(row["quantiles_ns"]),
        **sampling(row["calls"], row["weighted"]),
    }


def _milliseconds(quantiles_ns: list[float | None]) -> Row:
    values = [None if value is None else round(value / 1e6, 3) for value in quantiles_ns]
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), values, strict=True))


_HEARD = """
SELECT service, env, max(last) AS last_seen, sum(records) AS heard
FROM (SELECT service, env, max(l.last_at) AS last, sum(l.records) AS records FROM log_minutes AS l
      WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      GROUP BY service, env
      UNION ALL
      SELECT service, env, max(s.last_at) AS last, sum(s.calls) AS records FROM service_minutes AS s
      WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      GROUP BY service, env)
WHERE ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
  AND service != '' AND (service != 'fuseboard' OR {service:String} = 'fuseboard')
GROUP BY service, env
ORDER BY service, env
LIMIT 5000
"""


def heard(reader: Reader, window: Window, env: str, service: str = "") -> dict[Key, Row]:
    """
    Return ``{last_seen, heard}`` per service that sent a record or a span in *window*; *heard* counts both.

    Our own service (own.py) is left out unless it is asked for.
    """
    rows = reader.rows(_HEARD, {**window.params(), "env": env, "service": service})
    return {(row["service"], row["env"]): row for row in rows}


_VERSIONS = """
SELECT service, env, version, min(d.first_seen) AS began, max(d.last_seen) AS ended
FROM deploys AS d
WHERE ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
GROUP BY service, env, version
HAVING ended >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')}
ORDER BY began DESC
LIMIT 10000
"""


def versions(reader: Reader, window: Window, env: str, service: str = "") -> dict[Key, list[Row]]:
    """Return ``{version, began, ended}`` per service, the newest version first."""
    by_service: dict[Key, list[Row]] = defaultdict(list)
    for row in reader.rows(_VERSIONS, {**window.params(), "env": env, "service": service}):
        by_service[row["service"], row["env"]].append(row)
    return by_service


_DESCRIBED = """
SELECT service, env, groupArray((field, said)) AS told
FROM (SELECT service, env, field, argMaxMerge(d.value) AS said FROM descriptions AS d GROUP BY service, env, field)
GROUP BY service, env
LIMIT 5000
"""


def described(reader: Reader) -> dict[Key, dict[str, str]]:
    """Return what each service last said of itself in resource attributes ``fuseboard.<field>``, by field; also of those that are silent."""
    return {(row["service"], row["env"]): dict(row["told"]) for row in reader.rows(_DESCRIBED)}


_SERIES = """
SELECT intDiv(toUnixTimestamp(minute), {step_s:UInt32}) * {step_s:UInt32} AS bucket,
       sumIf(s.calls, kind IN ('server', 'consumer')) AS served, sum(s.calls) AS every,
       if(served > 0, sumIf(s.weighted_calls, kind IN ('server', 'consumer')), sum(s.weighted_calls)) AS calls,
       if(served > 0, sumIf(s.weighted_errors, kind IN ('server', 'consumer')), sum(s.weighted_errors)) AS failed,
       if(served > 0, quantilesTDigestMergeIf(0.5, 0.95, 0.99)(s.duration_ns, kind IN ('server', 'consumer')),
                      quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns)) AS quantiles_ns
FROM service_minutes AS s
WHERE service = {service:String} AND env = {env:String}
  AND minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
GROUP BY bucket
ORDER BY bucket
LIMIT 2000
"""
_NOTHING: Row = {"rate": 0.0, "error_ratio": None, "p50_ms": None, "p95_ms": None, "p99_ms": None}


def series(reader: Reader, window: Window, env: str, service: str) -> list[Row]:
    """Return ``{at, rate, error_ratio, p50_ms, p95_ms, p99_ms}`` per bucket of whole minutes, empty buckets included."""
    step_s = minutes_step_s(window)
    found = {}
    for row in reader.rows(_SERIES, {**window.params(), "service": service, "env": env, "step_s": step_s}):
        length_s = max(min(step_s, window.end_ns / SECOND_NS - row["bucket"]), 1.0)
        ratio = round(row["failed"] / row["calls"], 6)
        red_row = {
            "rate": round(row["calls"] / length_s, 4),
            "error_ratio": ratio,
            **_milliseconds(row["quantiles_ns"]),
        }
        found[row["bucket"]] = red_row
    return [{"at": rfc_minute(at), **found.get(at, _NOTHING)} for at in bucket_starts(window, step_s)]


_LOG_SERIES = """
SELECT intDiv(toUnixTimestamp(minute), {step_s:UInt32}) * {step_s:UInt32} AS bucket,
       sumIf(l.records, severity IN ('error', 'fatal')) AS error, sumIf(l.records, severity = 'warn') AS warn,
       sum(l.records) AS total
FROM log_minutes AS l
WHERE service = {service:String} AND env = {env:String}
  AND minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
GROUP BY bucket
ORDER BY bucket
LIMIT 2000
"""


def log_series(reader: Reader, window: Window, env: str, service: str) -> list[Row]:
    """Return ``{at, error, warn, total}`` per bucket of whole minutes; *error* counts error and fatal."""
    step_s = minutes_step_s(window)
    rows = reader.rows(_LOG_SERIES, {**window.params(), "service": service, "env": env, "step_s": step_s})
    found = {row.pop("bucket"): row for row in rows}
    nothing = {"error": 0, "warn": 0, "total": 0}
    return [{"at": rfc_minute(at), **found.get(at, nothing)} for at in bucket_starts(window, step_s)]


def minutes_step_s(window: Window, buckets: int = 60) -> int:
    """Give the seconds of a stretch of whole minutes that cuts *window* into at most about *buckets*."""
    return max(60, step_ns(window, buckets) // SECOND_NS)


def bucket_starts(window: Window, step_s: int) -> range:
    """Give the seconds since the epoch at which the stretches of *window* begin."""
    first = window.start_ns // SECOND_NS // step_s * step_s
    return range(first, -(-window.end_ns // SECOND_NS), step_s)


def rfc_minute(at_s: int) -> str:
    """Write the begin of a stretch as the API writes times."""
    return sql_time(at_s * SECOND_NS).replace(" ", "T") + "Z"
