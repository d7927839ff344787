"""
Hints about how breakers are configured: what their openings and their edges say, each with its evidence and what to change.

=================  ===============================================================================================================
``never_opens``    closed, though the calls to its target fail oftener than what it opens at: in five minutes of the last hour
``small_sample``   half of its openings of a week rest on fewer than five calls
``threshold_100``  all of its openings of a week rest on calls that failed without exception
``probes_fail``    five trial calls or more failed within a day, and none succeeded
``wait_short``     the callee takes more than five waits to recover: every opening is a series of failed trials
``wait_long``      it waits two minutes or more, and the first trial call always succeeds
``disabled``       it cannot open, and the calls to its target fail
=================  ===============================================================================================================

Openings are read from ``breaker_hours``, the way (log, post, span, metric) that told most of them; edges from ``edge_minutes``. What a breaker opens at is the lowest
failure rate that opened it within a week, else one call in two, which most libraries begin with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from collector.query.window import SECOND_NS, sql_time
from collector.read.breakers import BreakerState
from collector.read.sql import Reader, Row

_DAY_NS = 86_400 * SECOND_NS
_USUAL_RATIO = 0.5
_MINUTES, _CALLS = 5, 20
_SMALL, _OPENS = 5, 3
_PROBES = 5
_WAITS = 5
_LONG_S = 120.0
# Waits are told by transitions one by one: of so many breakers at most. That a wait is too long is looked for only where no more are asked about:
# every healthy breaker would have to be looked at.
_TIMED_MOST = 200

Key = tuple[str, str, str]  # env, service, breaker


class _Week(NamedTuple):
    """How a breaker behaved: a week's openings, a day's trials."""

    opens: int
    counted: int
    small: int
    full: int
    least_ratio: float
    half_opens: int
    reopens: int
    closes: int


# Only those of which something may be said; where calls fail, what a breaker opens at is asked for (`edges`), where few are asked about, all of it.
_WEEK = f"""
SELECT env, service, breaker, argMax(told, told.1) AS best
FROM (
    SELECT env, service, breaker, source,
           (sum(h.opens), sum(h.counted_opens), sum(h.small_opens), sum(h.full_opens), min(h.least_ratio),
            sumIf(h.half_opens, hour >= {{day:DateTime('UTC')}}), sumIf(h.reopens, hour >= {{day:DateTime('UTC')}}), sumIf(h.closes, hour >= {{day:DateTime('UTC')}})) AS told
    FROM breaker_hours AS h
    WHERE hour >= {{week:DateTime('UTC')}} AND hour < {{end:DateTime64(9, 'UTC')}}
      AND ({{env:String}} = '' OR env = {{env:String}}) AND ({{service:String}} = '' OR service = {{service:String}})
    GROUP BY env, service, breaker, source
)
GROUP BY env, service, breaker
HAVING {{few:Bool}} OR (env, service) IN {{failing:Array(Tuple(String, String))}}
    OR best.2 >= {_OPENS} AND (2 * best.3 >= best.2 OR best.4 = best.2)
    OR best.7 >= {_PROBES} AND best.8 = 0
    OR best.8 >= {_OPENS} AND best.7 >= {_WAITS} * best.8
LIMIT 50000
"""
# The fifth worst minute of each edge: five minutes were as bad or worse. An edge's minutes are one list (Resample).
_BAD_MINUTES = f"""
SELECT env, caller, callee,
       arrayReverseSort(arrayMap((calls, failed) -> if(calls >= {_CALLS}, failed / calls, 0.), sumResample(0, 61, 1)(e.calls, nth), sumResample(0, 61, 1)(e.failed, nth)))[{_MINUTES}] AS fifth
FROM (
    SELECT env, caller, callee, weighted_calls AS calls, weighted_errors AS failed, intDiv(minute - {{hour:DateTime('UTC')}}, 60) AS nth
    FROM edge_minutes
    WHERE toStartOfHour(minute) >= toStartOfHour({{hour:DateTime('UTC')}}) AND minute >= {{hour:DateTime('UTC')}} AND minute < {{end:DateTime64(9, 'UTC')}}
      AND ({{env:String}} = '' OR env = {{env:String}}) AND ({{service:String}} = '' OR caller = {{service:String}})
) AS e
GROUP BY env, caller, callee
HAVING sum(e.failed) > 0 AND fifth > 0
LIMIT 20000
"""
_TIMES = """
SELECT env, service, breaker, instance, groupArray((toUnixTimestamp64Milli(at), to_state)) AS steps
FROM (
    SELECT DISTINCT env, service, breaker, instance, at, to_state
    FROM breaker_transitions
    WHERE (env, service, breaker) IN {keys:Array(Tuple(String, String, String))}
      AND at >= {day:DateTime('UTC')} AND at < {end:DateTime64(9, 'UTC')} AND to_state IN ('open', 'half_open', 'closed')
    ORDER BY env, service, breaker, instance, at
    LIMIT 20000
)
GROUP BY env, service, breaker, instance
LIMIT 5000
"""


def hints(
    reader: Reader, states: Sequence[BreakerState], end_ns: int, env: str, service: str = ""
) -> dict[Key, list[Row]]:
    """
    Return the hints about *states*, by env, service and breaker: ``{code, message, evidence, change}``.

    Args:
        reader: The store.
        states: The breakers as they stand at *end_ns*.
        end_ns: Nanoseconds since the epoch.
        env: Of all of them; "" = several.
        service: Of all of them; "" = several.
    """
    if not states:
        return {}
    params = {
        "week": _minute(end_ns - 7 * _DAY_NS),
        "day": _minute(end_ns - _DAY_NS),
        "hour": _minute(end_ns - 3600 * SECOND_NS),
        "end": sql_time(end_ns),
        "env": env,
        "service": service,
    }
    edges = {
        (row["env"], row["caller"], row["callee"]): row["fifth"] for row in reader.rows(_BAD_MINUTES, params)
    }
    failing = {(each[0], each[1]) for each in edges}
    weeks = _weeks(reader, params, failing, end_ns, few=len(states) <= _TIMED_MOST)
    timed = _timed(reader, weeks, states, params)
    found: dict[Key, list[Row]] = {}
    for state in states:
        key = (state.env, state.service, state.breaker)
        if key not in weeks and key[:2] not in failing:
            continue
        said = [
            *_of_edge(state, weeks.get(key), _ratio(edges, state)),
            *_of_week(weeks.get(key)),
            *_of_waits(timed.get(key, ())),
        ]
        if said:
            found[key] = said
    return found


def _weeks(
    reader: Reader,
    params: Mapping[str, object],
    failing: Iterable[tuple[str, str]],
    end_ns: int,
    *,
    few: bool,
) -> dict[Key, _Week]:
    """Read the weeks, for all who ask in the same minute: half of what the board takes of ClickHouse is this."""
    callers = sorted(failing) or [("", "")]  # an array may not be empty here
    asked = {**params, "end": _minute(end_ns + 60 * SECOND_NS), "few": few, "failing": callers}

    def read() -> dict[Key, _Week]:
        rows = reader.rows(_WEEK, asked)
        return {(row["env"], row["service"], row["breaker"]): _Week(*row["best"]) for row in rows}

    key = ("weeks", end_ns // (60 * SECOND_NS), params["env"], params["service"], few, tuple(callers))
    found: dict[Key, _Week] = reader.once(key, read, lasting=True)
    return found


def _minute(at_ns: int) -> str:
    return sql_time(max(at_ns, 0))[:19]


def _ratio(edges: Mapping[Key, float], state: BreakerState) -> float:
    return max(edges.get((state.env, state.service, name), 0.0) for name in (state.target, state.breaker))


def _of_edge(state: BreakerState, week: _Week | None, ratio: float) -> Iterable[Row]:
    told = week.least_ratio if week is not None and week.least_ratio <= 1 else None
    limit = told or _USUAL_RATIO
    if ratio < limit:
        return
    evidence = {
        "error_ratio": round(ratio, 4),
        "threshold": round(limit, 4),
        "minutes": _MINUTES,
        "opens_1h": state.opens_1h,
    }
    failing = f"in five minutes of the last hour {ratio:.0%} or more of the calls to {state.target} failed"
    if state.state in ("disabled", "metrics_only"):
        yield _hint("disabled", f"{failing}, and it is {state.state}: it cannot open", evidence, "enable it")
    elif state.state == "closed" and not state.opens_1h:
        source = "it has opened at" if told else "libraries open at"
        yield _hint(
            "never_opens",
            f"{failing} and it stayed closed; {source} {limit:.0%}",
            evidence,
            "lower its failure threshold or its minimum number of calls, and check that it counts these failures (exceptions it ignores, errors answered as 200)",
        )


def _of_week(week: _Week | None) -> Iterable[Row]:
    if week is None:
        return
    if week.counted >= _OPENS and 2 * week.small >= week.counted:
        yield _hint(
            "small_sample",
            f"{week.small} of {week.counted} openings in a week rest on fewer than {_SMALL} calls",
            {"opens": week.counted, "small_opens": week.small, "calls_below": _SMALL},
            "raise the minimum number of calls before it may open",
        )
    if week.counted >= _OPENS and week.full == week.counted:
        yield _hint(
            "threshold_100",
            f"all {week.counted} openings in a week came when every call failed",
            {"opens": week.counted, "full_opens": week.full},
            "lower its failure threshold from 100 %: callees seldom fail completely",
        )
    if week.reopens >= _PROBES and not week.closes:
        yield _hint(
            "probes_fail",
            f"all {week.reopens} trial calls of the last day failed",
            {"half_opens": week.half_opens, "reopens": week.reopens, "closes": week.closes},
            "look at the callee first; if it works for others, the trial call itself is wrong (its timeout, its route)",
        )


def _timed(
    reader: Reader, weeks: Mapping[Key, _Week], states: Sequence[BreakerState], params: Mapping[str, object]
) -> dict[Key, list[tuple[float, float, int]]]:
    """Give (first wait, time to recover, trials) of each opening of the day that ended, in seconds, of breakers whose counts are conspicuous."""
    if not weeks:
        return {}
    known = {(state.env, state.service, state.breaker) for state in states}
    few = len(known) <= _TIMED_MOST
    odd = [
        key
        for key, week in weeks.items()
        if key in known
        and week.closes >= _OPENS
        and (few if not week.reopens else week.reopens >= _WAITS * week.closes)
    ]
    if not odd:
        return {}
    found: dict[Key, list[tuple[float, float, int]]] = defaultdict(list)
    for row in reader.rows(_TIMES, {**params, "keys": sorted(odd)[:_TIMED_MOST]}):
        found[row["env"], row["service"], row["breaker"]] += _openings(row["steps"])
    return found


def _openings(steps: Sequence[tuple[int, str]]) -> Iterable[tuple[float, float, int]]:
    opened_ms, first_ms, trials = None, None, 0
    for at_ms, state in steps:
        if state == "open":
            opened_ms = at_ms if opened_ms is None else opened_ms
        elif state == "half_open":
            first_ms, trials = at_ms if first_ms is None else first_ms, trials + 1
        else:
            if opened_ms is not None and first_ms is not None:
                yield (first_ms - opened_ms) / 1000, (at_ms - opened_ms) / 1000, trials
            opened_ms, first_ms, trials = None, None, 0


def _of_waits(openings: Sequence[tuple[float, float, int]]) -> Iterable[Row]:
    if len(openings) < _OPENS:
        return
    wait_s, recovery_s = median(each[0] for each in openings), median(each[1] for each in openings)
    trials = median(each[2] for each in openings)
    evidence = {
        "wait_s": round(wait_s, 1),
        "recovery_s": round(recovery_s, 1),
        "trials": trials,
        "openings": len(openings),
    }
    if recovery_s > _WAITS * wait_s > 0:
        yield _hint(
            "wait_short",
            f"it tries again after {wait_s:.0f} s, and the callee takes {recovery_s:.0f} s to recover: {trials:.0f} trials per opening",
            evidence,
            f"wait longer in the open state: about {max(recovery_s / 2, 1):.0f} s",
        )
    elif wait_s >= _LONG_S and all(each[2] == 1 for each in openings):
        yield _hint(
            "wait_long",
            f"it waits {wait_s:.0f} s, and the first trial call always succeeds: the callee may have been well long before",
            evidence,
            f"try earlier: about {wait_s / 4:.0f} s, with few trial calls",
        )


def _hint(code: str, message: str, evidence: Row, change: str) -> Row:
    return {"code": code, "message": message, "evidence": evidence, "change": change}
