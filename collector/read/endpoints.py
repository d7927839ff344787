"""
Endpoints: who uses them, and whether one may go.

The verdict is about the endpoint (service, env, method, route) in all its versions, from everything known up to the window's end,
not only the window: what was called once in spring does not become safe to delete by asking about an hour.

``in_use``          called within `IN_USE_S`, or within one and a half of its longest pause; or it has a rhythm (rhythm.py) and its next call is not overdue
``safe_to_delete``  not called for `SAFE_S` and one and a half of its longest pause (seen on a single day: for `ONCE_S`), while its service is known for
                    `OBSERVED_S` and was heard on nearly all of these days, nothing was sampled away and no gap of the ledger lies in that time
``idle``            anything else: the evidence says what is missing
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise

from collector.query.window import SECOND_NS, Window, parse_time, sql_time
from collector.read.ledger import ledger
from collector.read.rhythm import Rhythm, rhythm
from collector.read.sampling import sampling
from collector.read.sql import Reader, Row

DAY_S = 86_400
# A week and a half: what runs on weekdays only, or once a week, is in use.
IN_USE_S = 8 * DAY_S
# Four weeks hold every weekday four times and the turn of a month; what runs by the quarter has its longest pause to speak for it.
SAFE_S = 28 * DAY_S
PAUSES = 1.5
# What was seen on one day only may come by the quarter: nothing it did tells otherwise.
ONCE_S = 92 * DAY_S
# Of a service known for less than two months nobody has seen two turns of a month.
OBSERVED_S = 56 * DAY_S
# Days of the quiet time on which the service must have been heard: one that sends nothing cannot tell that nobody calls.
HEARD_RATIO = 0.9
_HISTORY_S = 400 * DAY_S
# Rows of an endpoint lie together: they are added up as they are read, without a table of all endpoints.
_BY_KEY = {"optimize_aggregation_in_order": "1"}
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Key = tuple[str, str, str, str]  # service, env, method, route

_USAGE = """
SELECT service, env, method, route, version,
       sumIf(u.calls, hour >= toStartOfHour({start:DateTime64(9, 'UTC')})) AS spans,
       sumIf(u.weighted_calls, hour >= toStartOfHour({start:DateTime64(9, 'UTC')})) AS weighted, toUInt64(round(weighted)) AS calls,
       sumIf(u.errors, hour >= toStartOfHour({start:DateTime64(9, 'UTC')})) AS errors,
       sum(u.sampled) AS sampled, max(u.last_at) AS last_call, min(hour) AS first_hour,
       arraySort(groupUniqArray(toUInt16(toDate(hour)))) AS days,
       groupUniqArrayIf(toUInt16(toDate(hour)), u.sampled > 0) AS sampled_days
FROM endpoint_usage AS u
WHERE hour >= toStartOfHour({history:DateTime64(9, 'UTC')}) AND hour < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
GROUP BY service, env, method, route, version
ORDER BY service, env, route, method, version
LIMIT {limit:UInt32}
"""
# Of services that are shown: by the primary key a few parts of the table.
_CALLERS = """
SELECT service, env, method, route, version, caller, caller_version,
       sumIf(c.calls, hour >= toStartOfHour({start:DateTime64(9, 'UTC')})) AS calls, max(c.last_at) AS last_call
FROM endpoint_callers AS c
WHERE hour >= toStartOfHour({history:DateTime64(9, 'UTC')}) AND hour < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND service IN {services:Array(String)}
GROUP BY service, env, method, route, version, caller, caller_version
ORDER BY last_call DESC
LIMIT 20000
"""


@dataclass(slots=True)
class Use:
    """
    One endpoint over all its versions.

    Attributes:
        days: Days since the epoch on which it was called.
        last_ns: Its last call.
        sampled: Calls that stand for others that were not kept.
    """

    days: set[int] = field(default_factory=set)
    last_ns: int = 0
    sampled: int = 0


@dataclass(slots=True)
class Heard:
    """One service: the days on which any of its endpoints was called, those on which traces of it were sampled, and since when."""

    days: set[int] = field(default_factory=set)
    sampled_days: set[int] = field(default_factory=set)
    first_ns: int = 2**63


def endpoints(reader: Reader, window: Window, env: str, service: str, limit: int) -> list[Row]:
    """
    Return ``{service, env, method, route, version, calls, errors, last_call, callers, verdict, evidence}``.

    Args:
        reader: The store.
        window: *calls*, *errors* and the callers' count its whole hours; everything else is judged at its end.
        env: "" = every one.
        service: "" = all.
        limit: Most rows.
    """
    params = {**window.params(), "history": sql_time(max(window.end_ns - _HISTORY_S * SECOND_NS, 0)), "env": env,
              "service": service, "limit": limit}  # fmt: skip
    rows = reader.rows(_USAGE, params, _BY_KEY)
    if not rows:
        return []
    shown = sorted({row["service"] for row in rows})
    callers = _callers(reader.rows(_CALLERS, {**params, "services": shown}, _BY_KEY))
    uses, heard = _added_up(rows)
    gaps = _Gaps(reader, window)
    judged = {key: _judge(key, use, heard[key[:2]], window, gaps) for key, use in uses.items()}
    return [
        {
            **{name: row[name] for name in ("service", "env", "method", "route", "version", "calls", "errors", "last_call")},
            "callers": callers.get((*_key(row), row["version"]), []),
            **sampling(row["spans"], row["weighted"]),
            **judged[_key(row)],
        }
        for row in rows
    ]  # fmt: skip


def _key(row: Row) -> Key:
    return row["service"], row["env"], row["method"], row["route"]


def _callers(rows: Iterable[Row]) -> Mapping[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        caller = {
            "service": row["caller"],
            "version": row["caller_version"],
            "calls": row["calls"],
            "last_call": row["last_call"],
        }
        found[*_key(row), row["version"]].append(caller)
    return found


def _added_up(rows: Iterable[Row]) -> tuple[dict[Key, Use], dict[tuple[str, ...], Heard]]:
    uses: dict[Key, Use] = defaultdict(Use)
    services: dict[tuple[str, ...], Heard] = defaultdict(Heard)
    for row in rows:
        use, service = uses[_key(row)], services[_key(row)[:2]]
        use.days.update(row["days"])
        use.last_ns = max(use.last_ns, parse_time(row["last_call"], "last_call", 0))
        use.sampled += row["sampled"]
        service.days.update(row["days"])
        service.sampled_days.update(row["sampled_days"])
        service.first_ns = min(service.first_ns, parse_time(row["first_hour"], "first_hour", 0))
    return uses, services


class _Gaps:
    """What the ledger lacks of a service's traces since a time; asked only for endpoints that would be safe otherwise."""

    def __init__(self, reader: Reader, window: Window) -> None:
        self._reader = reader
        self._window = window

    def since(self, service: str, start_ns: int) -> int:
        """Return the blocks of traces that were emitted and never stored, and the gaps nobody explains."""
        quiet = Window(start_ns, self._window.end_ns, self._window.now_ns)
        rows = [row for row in ledger(self._reader, quiet, service) if row["signal"] == "traces"]
        return sum(len(row["gaps"]) + sum(row["dropped"].values()) + row["rejected"] for row in rows)


def _judge(key: Key, use: Use, heard: Heard, window: Window, gaps: _Gaps) -> Row:
    quiet_s = max((window.end_ns - use.last_ns) / SECOND_NS, 0.0)
    pause_s = longest_pause_s(sorted(use.days))
    evidence = [
        _said("last_call", f"last called {_ago(quiet_s)}", quiet_s / DAY_S, IN_USE_S / DAY_S),
        _observed(heard, window),
    ]
    if pause_s:
        evidence.append(
            _said(
                "longest_pause", f"its longest pause between calls was {_days(pause_s)}", pause_s / DAY_S, 0
            )
        )
    found = rhythm(sorted(use.days))
    if found is not None:
        evidence.append(_periodic(found, window))
    is_due = found is not None and window.end_ns / SECOND_NS / DAY_S <= found.due
    if is_due or quiet_s < max(IN_USE_S, min(PAUSES * pause_s, SAFE_S)):
        return {"verdict": "in_use", "evidence": evidence}
    missing = [
        *_too_short(quiet_s, pause_s),
        *_thin(use, quiet_s, heard, window),
        *_unheard(use, heard, window),
        *_sampled(use, heard, window),
    ]  # fmt: skip
    missing = missing or _lost(key, use, gaps)
    return {"verdict": "idle" if missing else "safe_to_delete", "evidence": evidence + missing}


def longest_pause_s(days: Sequence[int]) -> float:
    """Give the longest time between two *days* (days since the epoch) with calls, seconds; 0 = fewer than two days, or all in a row."""
    pauses = [later - earlier for earlier, later in pairwise(days)]
    longest = max(pauses, default=0)
    return float(longest * DAY_S) if longest > 1 else 0.0


def _observed(heard: Heard, window: Window) -> Row:
    days = (window.end_ns - heard.first_ns) / SECOND_NS / DAY_S
    since = datetime.fromtimestamp(heard.first_ns / SECOND_NS, UTC).date().isoformat()
    return _said("observed", f"calls of its service are known since {since}", days, SAFE_S / DAY_S)


def _too_short(quiet_s: float, pause_s: float) -> list[Row]:
    wanted_s = max(SAFE_S, PAUSES * pause_s)
    if quiet_s >= wanted_s:
        return []
    reason = (
        "a monthly caller would not have come yet" if quiet_s < SAFE_S else "it has paused as long before"
    )
    return [
        _said("quiet_too_short", f"quiet for {_days(quiet_s)}: {reason}", quiet_s / DAY_S, wanted_s / DAY_S)
    ]


def _periodic(found: Rhythm, window: Window) -> Row:
    due = date.fromordinal(_EPOCH_DAY + int(found.due))
    overdue = window.end_ns / SECOND_NS / DAY_S > found.due
    said = f"was due by {due} and did not come" if overdue else f"is due by {due}"
    return _said("periodicity", f"called {found.name}; the next call {said}", found.period, 0)


def _thin(use: Use, quiet_s: float, heard: Heard, window: Window) -> list[Row]:
    missing = []
    known_s = (window.end_ns - heard.first_ns) / SECOND_NS
    if known_s < OBSERVED_S:
        message = f"its service is known for {_days(known_s)} only"
        missing.append(_said("observed_too_short", message, known_s / DAY_S, OBSERVED_S / DAY_S))
    if len(use.days) == 1 and quiet_s < ONCE_S:
        message = "seen on a single day: what comes by the quarter would not have come again"
        missing.append(_said("seen_once", message, quiet_s / DAY_S, ONCE_S / DAY_S))
    return missing


def _unheard(use: Use, heard: Heard, window: Window) -> list[Row]:
    first, last = use.last_ns // SECOND_NS // DAY_S + 1, window.end_ns // SECOND_NS // DAY_S
    days = range(first, last)
    ratio = sum(day in heard.days for day in days) / len(days) if days else 0.0
    if ratio >= HEARD_RATIO:
        return []
    message = f"its service was heard on {ratio:.0%} of the days since: silence is no evidence"
    return [_said("service_silent", message, ratio, HEARD_RATIO)]


def _sampled(use: Use, heard: Heard, window: Window) -> list[Row]:
    """Say that calls were, or may have been, left out: its own, or its service's since it is quiet."""
    if use.sampled:
        return [
            _said("sampled", "its traces are sampled: a rare call may not have been kept", use.sampled, 0)
        ]
    first, last = use.last_ns // SECOND_NS // DAY_S, window.end_ns // SECOND_NS // DAY_S
    days = sum(first <= day <= last for day in heard.sampled_days)
    if not days:
        return []
    message = (
        f"traces of its service were sampled on {days} of the days since: a rare call may not have been kept"
    )
    return [_said("sampled", message, days, 0)]


def _lost(key: Key, use: Use, gaps: _Gaps) -> list[Row]:
    lost = gaps.since(key[0], use.last_ns)
    if not lost:
        return []
    return [_said("ledger_gaps", "blocks of its traces were lost since: see the ledger", lost, 0)]


def _said(code: str, message: str, value: float, threshold: float) -> Row:
    return {"code": code, "message": message, "value": round(value, 4), "threshold": round(threshold, 4)}


def _ago(seconds: float) -> str:
    return "a moment ago" if seconds < 60 else f"{_days(seconds)} ago"


def _days(seconds: float) -> str:
    for length_s, unit in ((DAY_S, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} seconds"
