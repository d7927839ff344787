"""RED minute by minute, of services (of the calls between them: call_minutes.py): what a change is looked for in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.query.window import Window
from collector.read.sql import ONE_THREAD, Reader

ServiceKey = tuple[str, str]  # service, env
EdgeKey = tuple[str, str, str]  # caller, callee, env


@dataclass(slots=True)
class Minutes:
    """
    A series: minute (seconds since the epoch) -> numbers of that minute.

    Attributes:
        calls: Requests; *failed* of them with an error.
        p95_ms: Of their durations, where it was read (`tails`); *spent_ms* all of them together.
        records: Log records; *severe* of them error or fatal.
        queued: Of an edge: to or from a queue; nobody waits for an answer.
    """

    calls: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    p95_ms: dict[int, float] = field(default_factory=dict)
    spent_ms: dict[int, float] = field(default_factory=dict)
    records: dict[int, int] = field(default_factory=dict)
    severe: dict[int, int] = field(default_factory=dict)
    queued: bool = False


# RED counts what a service served; one that serves nothing is measured by all its spans. A row per service: a list is read faster than as many rows.
_SERVICES = """
SELECT service, env, groupArray(at) AS minutes, groupArray(requests) AS calls, groupArray(bad) AS failed, groupArray(ms) AS spent_ms
FROM (
    SELECT service, env, toUnixTimestamp(minute) AS at,
           sumIf(s.calls, kind IN ('server', 'consumer')) AS served,
           if(served > 0, served, sum(s.calls)) AS requests,
           if(served > 0, sumIf(s.errors, kind IN ('server', 'consumer')), sum(s.errors)) AS bad,
           if(served > 0, sumIf(s.duration_ns_sum, kind IN ('server', 'consumer')), sum(s.duration_ns_sum)) / 1e6 AS ms
    FROM service_minutes AS s
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
    GROUP BY service, env, minute
)
GROUP BY service, env
LIMIT 5000
"""
_LOGS = """
SELECT service, env, groupArray(at) AS minutes, groupArray(every) AS records, groupArray(bad) AS severe
FROM (
    SELECT service, env, toUnixTimestamp(minute) AS at, sum(l.records) AS every, sumIf(l.records, severity IN ('error', 'fatal')) AS bad
    FROM log_minutes AS l
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String}) AND service != 'fuseboard'
    GROUP BY service, env, minute
)
GROUP BY service, env
LIMIT 5000
"""


def services(reader: Reader, window: Window, env: str) -> dict[ServiceKey, Minutes]:
    """Return the minutes of every service that sent spans or log records in *window*, all but their p95 (`tails`)."""
    params = {**window.params(), "env": env}
    found: dict[ServiceKey, Minutes] = defaultdict(Minutes)
    for row in reader.rows(_SERVICES, params):
        minutes = found[row["service"], row["env"]]
        minutes.calls = dict(zip(row["minutes"], row["calls"], strict=True))
        minutes.failed = dict(zip(row["minutes"], row["failed"], strict=True))
        minutes.spent_ms = dict(zip(row["minutes"], row["spent_ms"], strict=True))
    for row in reader.rows(_LOGS, params):
        minutes = found[row["service"], row["env"]]
        minutes.records = dict(zip(row["minutes"], row["records"], strict=True))
        minutes.severe = dict(zip(row["minutes"], row["severe"], strict=True))
    return {key: minutes for key, minutes in found.items() if key[0]}


_TAILS = """
SELECT service, env, toUnixTimestamp(minute) AS at,
       if(sumIf(s.calls, kind IN ('server', 'consumer')) > 0,
          quantilesTDigestMergeIf(0.5, 0.95, 0.99)(s.duration_ns, kind IN ('server', 'consumer')),
          quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns))[2] / 1e6 AS p95_ms
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND (env, service) IN {services:Array(Tuple(String, String))}
GROUP BY service, env, minute
LIMIT 500000
"""


def tails(
    reader: Reader, window: Window, services: Iterable[ServiceKey]
) -> dict[ServiceKey, dict[int, float]]:
    """Return the p95 of each minute of *services*, ms: states of durations are what is dear of a minute, and only who is slow needs them."""
    asked = [(env, service) for service, env in services]
    found: dict[ServiceKey, dict[int, float]] = defaultdict(dict)
    if asked:
        for row in reader.rows(_TAILS, {**window.params(), "services": asked}):
            if row["p95_ms"] is not None:
                found[row["service"], row["env"]][row["at"]] = row["p95_ms"]
    return found


_SLOWER = """
SELECT service, env, groupArray(at) AS minutes, groupArray(requests) AS calls, groupArray(ms) AS spent,
       sumIf(ms, at >= {recent:UInt32}) / sumIf(requests, at >= {recent:UInt32}) AS now_ms,
       sumIf(ms, at < {recent:UInt32}) / sumIf(requests, at < {recent:UInt32}) AS before_ms
FROM (
    SELECT service, env, toUnixTimestamp(minute) AS at, sumIf(s.calls, kind IN ('server', 'consumer')) AS served,
           if(served > 0, served, sum(s.calls)) AS requests,
           if(served > 0, sumIf(s.duration_ns_sum, kind IN ('server', 'consumer')), sum(s.duration_ns_sum)) / 1e6 AS ms
    FROM service_minutes AS s
    WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      AND ({env:String} = '' OR env = {env:String})
    GROUP BY service, env, minute
)
GROUP BY service, env
HAVING now_ms > 1.3 * before_ms OR isNaN(before_ms)
LIMIT 5000
"""


def slower(reader: Reader, window: Window, env: str, recent_s: int) -> dict[ServiceKey, Minutes]:
    """Return calls and durations, minute by minute, of services that have been slower since *recent_s* (seconds since the epoch) than before in *window*."""
    return {
        (row["service"], row["env"]): Minutes(
            calls=dict(zip(row["minutes"], row["calls"], strict=True)),
            spent_ms=dict(zip(row["minutes"], row["spent"], strict=True)),
        )
        for row in reader.rows(_SLOWER, {**window.params(), "env": env, "recent": recent_s}, ONE_THREAD)
    }


_SAME_TIME = """
SELECT service, env, max(mean_ms) AS usual_ms
FROM (
    SELECT service, env, toDate(minute) AS day,
           if(sumIf(s.calls, kind IN ('server', 'consumer')) > 0,
              sumIf(s.duration_ns_sum, kind IN ('server', 'consumer')) / sumIf(s.calls, kind IN ('server', 'consumer')),
              sum(s.duration_ns_sum) / sum(s.calls)) / 1e6 AS mean_ms
    FROM service_minutes AS s
    WHERE (minute >= toStartOfMinute({end:DateTime64(9, 'UTC')}) - toIntervalMinute(1455) AND minute < {end:DateTime64(9, 'UTC')} - toIntervalMinute(1425)
           OR minute >= toStartOfMinute({end:DateTime64(9, 'UTC')}) - toIntervalMinute(10095) AND minute < {end:DateTime64(9, 'UTC')} - toIntervalMinute(10065))
      AND ({env:String} = '' OR env = {env:String})
    GROUP BY service, env, day
)
GROUP BY service, env
LIMIT 5000
"""


def same_time(reader: Reader, window: Window, env: str) -> dict[ServiceKey, float]:
    """Return how slow each service was at the time of day of the end of *window*, a quarter of an hour around it, a day and a week ago: the slower mean, ms."""
    rows = reader.rows(_SAME_TIME, {"end": window.params()["end"], "env": env})
    return {(row["service"], row["env"]): row["usual_ms"] for row in rows}


_FIRST_SIGNS = """
SELECT service, env, minOrNull(if(status = 'error', ended, NULL)) AS failed_at, minOrNull(if(duration_ns >= slow_ns, ended, NULL)) AS slow_at
FROM (
    SELECT CAST(spans.service, 'String') AS service, CAST(spans.env, 'String') AS env, status, duration_ns,
           toUnixTimestamp64Nano(spans.start) + duration_ns AS ended, suspect.4 AS slow_ns
    FROM spans
    ARRAY JOIN {suspects:Array(Tuple(String, String, UInt32, UInt64))} AS suspect
    WHERE spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start < {end:DateTime64(9, 'UTC')}
      AND spans.service IN {names:Array(String)} AND spans.service = suspect.1 AND spans.env = suspect.2
      AND spans.start >= toDateTime(suspect.3) - 60 AND spans.start < toDateTime(suspect.3) + 120
)
GROUP BY service, env
LIMIT 1000
"""


def first_signs(
    reader: Reader, window: Window, suspects: Iterable[tuple[str, str, int, int]]
) -> dict[ServiceKey, tuple[int | None, int | None]]:
    """
    Return when the first failing and the first slow call around a minute ended, nanoseconds since the epoch.

    A failing callee ends before its caller does: within a minute this orders what the minutes cannot.

    Args:
        reader: The store.
        window: Bounds what is read.
        suspects: (service, env, minute in seconds since the epoch, what is slow in nanoseconds).
    """
    asked = list(suspects)
    if not asked:
        return {}
    params = {**window.params(), "suspects": asked, "names": sorted({each[0] for each in asked})}
    return {
        (row["service"], row["env"]): (row["failed_at"], row["slow_at"])
        for row in reader.rows(_FIRST_SIGNS, params)
    }
