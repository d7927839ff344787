"""RED minute by minute, of services and of the calls between them: what a change is looked for in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.query.window import Window
from collector.read.edges import NAMED
from collector.read.sql import Reader, Row

ServiceKey = tuple[str, str]  # service, env
EdgeKey = tuple[str, str, str]  # caller, callee, env


@dataclass(slots=True)
class Minutes:
    """
    A series: minute (seconds since the epoch) -> numbers of that minute.

    Attributes:
        calls: Requests; *failed* of them with an error.
        p95_ms: Of their durations.
        records: Log records; *severe* of them error or fatal.
    """

    calls: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    p95_ms: dict[int, float] = field(default_factory=dict)
    records: dict[int, int] = field(default_factory=dict)
    severe: dict[int, int] = field(default_factory=dict)


# RED counts what a service served; one that serves nothing is measured by all its spans.
_SERVICES = """
SELECT service, env, toUnixTimestamp(minute) AS at,
       sumIf(s.calls, kind IN ('server', 'consumer')) AS served,
       if(served > 0, served, sum(s.calls)) AS requests,
       if(served > 0, sumIf(s.errors, kind IN ('server', 'consumer')), sum(s.errors)) AS failed,
       if(served > 0, quantilesTDigestMergeIf(0.5, 0.95, 0.99)(s.duration_ns, kind IN ('server', 'consumer')),
                      quantilesTDigestMerge(0.5, 0.95, 0.99)(s.duration_ns))[2] / 1e6 AS p95_ms
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env, minute
ORDER BY minute
LIMIT 500000
"""
_LOGS = """
SELECT service, env, toUnixTimestamp(minute) AS at, sum(l.records) AS records, sumIf(l.records, severity IN ('error', 'fatal')) AS severe
FROM log_minutes AS l
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND service != 'fuseboard'
GROUP BY service, env, minute
ORDER BY minute
LIMIT 500000
"""


def services(reader: Reader, window: Window, env: str) -> dict[ServiceKey, Minutes]:
    """Return the minutes of every service that sent spans or log records in *window*."""
    params = {**window.params(), "env": env}
    found: dict[ServiceKey, Minutes] = defaultdict(Minutes)
    for row in reader.rows(_SERVICES, params):
        _add(found[row["service"], row["env"]], row)
    for row in reader.rows(_LOGS, params):
        minutes = found[row["service"], row["env"]]
        minutes.records[row["at"]], minutes.severe[row["at"]] = row["records"], row["severe"]
    return {key: minutes for key, minutes in found.items() if key[0]}


_EDGES = f"""
SELECT caller, callee, env, toUnixTimestamp(minute) AS at, sum(e.calls) AS requests, sum(e.errors) AS failed,
       quantilesTDigestMerge(0.5, 0.95, 0.99)(e.duration_ns)[2] / 1e6 AS p95_ms
FROM ({NAMED}) AS e
GROUP BY caller, callee, env, minute
ORDER BY at
LIMIT 500000
"""


def edges(reader: Reader, window: Window, env: str) -> dict[EdgeKey, Minutes]:
    """Return the minutes of every edge as its caller sees it."""
    found: dict[EdgeKey, Minutes] = defaultdict(Minutes)
    for row in reader.rows(_EDGES, {**window.params(), "env": env}):
        _add(found[row["caller"], row["callee"], row["env"]], row)
    return dict(found)


def _add(minutes: Minutes, row: Row) -> None:
    at = row["at"]
    minutes.calls[at], minutes.failed[at] = row["requests"], row["failed"]
    if row["p95_ms"] is not None:
        minutes.p95_ms[at] = row["p95_ms"]


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
