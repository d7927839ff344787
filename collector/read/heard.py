"""
Who was heard of, and what of each service its verdict and its row on the board are made from: one pass over the minutes of records, one over those of spans.

``services.py`` answers each of these questions by itself; the board asks all of them at once, of every service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.services import Key, red_row
from collector.read.sql import Reader, Row


@dataclass(frozen=True, slots=True)
class Spans:
    """
    How far back each number goes from a window's end, in seconds.

    Attributes:
        heard_s: Whether somebody used to report, and is silent now.
        recent_s: Calls and log records that a verdict rests on.
    """

    heard_s: float
    recent_s: float


@dataclass(slots=True)
class Heard:
    """
    One service.

    Attributes:
        last_seen: Its newest record or span, RFC 3339.
        heard: Records and spans since it is asked whether it fell silent.
        calls: Served lately, *failed* of them with an error; *records* of its log lately, *severe* of them error or fatal.
        red: Of the window, as `services.red` says; None = no spans.
    """

    last_seen: str = ""
    heard: int = 0
    calls: int = 0
    failed: int = 0
    records: int = 0
    severe: int = 0
    red: Row | None = None


_RECORDS = """
SELECT service, env, max(l.last_at) AS last_seen,
       sumIf(l.records, minute >= toStartOfMinute({heard:DateTime64(9, 'UTC')})) AS heard,
       sumIf(l.records, minute >= toStartOfMinute({recent:DateTime64(9, 'UTC')})) AS records,
       sumIf(l.records, minute >= toStartOfMinute({recent:DateTime64(9, 'UTC')}) AND severity IN ('error', 'fatal')) AS severe
FROM log_minutes AS l
WHERE minute >= toStartOfMinute(least({start:DateTime64(9, 'UTC')}, {heard:DateTime64(9, 'UTC')})) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
  AND service != '' AND (service != 'fuseboard' OR {service:String} = 'fuseboard')
GROUP BY service, env
LIMIT 5000
"""
# What a service served is counted; one that serves nothing (a worker, a job) is measured by all its spans (services.py).
_CALLS = """
SELECT service, env, kind IN ('server', 'consumer') AS serves, max(s.last_at) AS last_seen,
       sumIf(s.calls, minute >= toStartOfMinute({heard:DateTime64(9, 'UTC')})) AS heard,
       sumIf(s.calls, minute >= toStartOfMinute({recent:DateTime64(9, 'UTC')})) AS recent_calls,
       sumIf(s.errors, minute >= toStartOfMinute({recent:DateTime64(9, 'UTC')})) AS recent_failed,
       sumIf(s.calls, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')})) AS calls,
       sumIf(s.errors, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')})) AS failed,
       sumIf(s.weighted_calls, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')})) AS weighted,
       sumIf(s.weighted_errors, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')})) / weighted AS error_ratio,
       quantilesTDigestMergeIf(0.5, 0.95, 0.99)(s.duration_ns, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')})) AS quantiles_ns,
       toUnixTimestamp(minIf(minute, minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}))) AS first
FROM service_minutes AS s
WHERE minute >= toStartOfMinute(least({start:DateTime64(9, 'UTC')}, {heard:DateTime64(9, 'UTC')})) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
  AND service != '' AND (service != 'fuseboard' OR {service:String} = 'fuseboard')
GROUP BY service, env, serves
ORDER BY serves DESC
LIMIT 10000
"""


def heard(reader: Reader, window: Window, spans: Spans, env: str, service: str = "") -> dict[Key, Heard]:
    """
    Return every service that sent a record or a span in *window*, or in the last ``heard_s`` of it, by service and env.

    Our own service (own.py) is left out unless it is asked for.
    """
    params = {
        **window.params(),
        "heard": _before(window, spans.heard_s),
        "recent": _before(window, spans.recent_s),
        "env": env,
        "service": service,
    }
    found: dict[Key, Heard] = defaultdict(Heard)
    records, calls = reader.together(
        lambda its: its.rows(_RECORDS, params), lambda its: its.rows(_CALLS, params)
    )
    for row in records:
        each = found[row["service"], row["env"]]
        each.last_seen, each.heard, each.records, each.severe = (
            row[name] for name in ("last_seen", "heard", "records", "severe")
        )
    for key, rows in _by_service(calls).items():
        _add(found[key], rows, window)
    return dict(sorted(found.items()))


def _before(window: Window, seconds: float) -> str:
    return sql_time(max(window.end_ns - int(seconds * SECOND_NS), 0))


def _by_service(rows: Sequence[Row]) -> Mapping[Key, list[Row]]:
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["service"], row["env"]].append(row)
    return found


def _add(each: Heard, rows: Sequence[Row], window: Window) -> None:
    """Add what spans tell; of *rows* the first is what was served, where anything was."""
    each.last_seen = max(each.last_seen, *(row["last_seen"] for row in rows))
    each.heard += sum(row["heard"] for row in rows)
    recent = next((row for row in rows if row["recent_calls"]), None)
    if recent is not None:
        each.calls, each.failed = recent["recent_calls"], recent["recent_failed"]
    within = next((row for row in rows if row["calls"]), None)
    if within is not None:
        each.red = red_row(within, window)
