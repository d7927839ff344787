"""
What a version did, beside what others of its service did: calls, failures and durations in windows of its own, for many deploys in two statements.

A window is of one deploy and one part (``after``, ``beside``, ``before``, ``day_before``). ``beside`` counts only minutes in which the version and another
one served: who is compared had the same load, the same dependencies, the same hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Reader, Row
from collector.read.transitions import AROUND_NS, MOST, Transition, reconcile

_HOUR_S = 3600
# Transitions are looked for in stretches of five minutes around a part, or of an hour around one of many hours.
_STRETCH_S, _MANY_HOURS_S = 300, 4 * _HOUR_S
_AROUND_S = AROUND_NS // SECOND_NS


@dataclass(frozen=True, slots=True)
class Part:
    """
    One window of one deploy, whole minutes.

    Attributes:
        number: Of the deploy.
        name: ``after``, ``beside``, ``before``, ``day_before``.
        start_s: Epoch seconds; *end_s* is not in it.
    """

    number: int
    name: str
    service: str
    env: str
    version: str
    start_s: int
    end_s: int


# own: by the version that the deploy brought. Of a service that serves something only what it served counts.
_SIDES = """
SELECT number, part, own, serves, sum(c.calls) AS calls, sum(c.errors) AS failed, sum(c.weighted) AS weighted,
       quantilesTDigestMerge({levels})(c.durations) AS quantiles_ns
FROM (
    SELECT number, part, minute, own, serves, calls, errors, weighted, durations,
           max(own) OVER (PARTITION BY number, part, minute) AS with_own, min(own) OVER (PARTITION BY number, part, minute) AS only_own
    FROM (
        SELECT w.number AS number, w.part AS part, m.minute AS minute, m.version = w.version AS own, m.serves AS serves,
               sum(m.calls) AS calls, sum(m.errors) AS errors, sum(m.weighted) AS weighted,
               quantilesTDigestMergeState(0.5, 0.95, 0.99)(m.durations) AS durations
        FROM (
            -- added up before they are joined: that copies the states of durations, row by row and window by window
            SELECT minute, CAST(s.service, 'String') AS service, CAST(s.env, 'String') AS env, CAST(s.version, 'String') AS version,
                   s.kind IN ('server', 'consumer') AS serves, sum(s.calls) AS calls, sum(s.errors) AS errors, sum(s.weighted_calls) AS weighted,
                   quantilesTDigestMergeState(0.5, 0.95, 0.99)(s.duration_ns) AS durations
            FROM service_minutes AS s
            WHERE (toStartOfHour(minute), s.env, s.service) IN {{hours:Array(Tuple(DateTime('UTC'), String, String))}}
            GROUP BY minute, service, env, version, serves
        ) AS m
        INNER JOIN (
            SELECT each.1 AS number, each.2 AS part, each.3 AS service, each.4 AS env, each.5 AS version, each.6 AS start_s, each.7 AS end_s
            FROM (SELECT arrayJoin({{parts:Array(Tuple(UInt32, String, String, String, String, UInt32, UInt32))}}) AS each)
        ) AS w ON w.service = m.service AND w.env = m.env
        WHERE m.minute >= toDateTime(w.start_s, 'UTC') AND m.minute < toDateTime(w.end_s, 'UTC')
        GROUP BY number, part, minute, own, serves
    )
) AS c
WHERE part != 'beside' OR (with_own AND NOT only_own)
GROUP BY number, part, own, serves
LIMIT 20000
"""


def sides(reader: Reader, parts: Sequence[Part], levels: Sequence[float]) -> list[Row]:
    """
    Return ``{number, part, own, serves, calls, failed, weighted, quantiles_ns}`` of all *parts*.

    Args:
        reader: The store.
        parts: At most some hundreds.
        levels: Quantiles asked for, ours and never a user's.
    """
    if not parts:
        return []
    hours = sorted({(hour, part.env, part.service) for part in parts for hour in _hours(part)})
    told = [(each.number, each.name, each.service, each.env, each.version, each.start_s, each.end_s) for each in parts]  # fmt: skip
    sql = _SIDES.format(levels=", ".join(f"{level:g}" for level in levels))
    return reader.rows(sql, {"parts": told, "hours": hours})


def _hours(part: Part) -> range:
    return range(part.start_s // _HOUR_S * _HOUR_S, part.end_s, _HOUR_S)


# Only openings, and of some instances whatever they told.
_OPENINGS = """
SELECT toUnixTimestamp64Nano(at) AS at_ns, service, env, breaker, target, instance, from_state, to_state, derived, interval_ms, source
FROM breaker_transitions
WHERE at >= {start:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')}
  AND toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})) IN {stretches:Array(DateTime('UTC'))}
  AND (to_state = 'open' OR (env, service, breaker, instance) IN {holders:Array(Tuple(String, String, String, String))})
  AND ((toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})), env, service) IN {about:Array(Tuple(DateTime('UTC'), String, String))}
       OR (toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})), env, target) IN {about:Array(Tuple(DateTime('UTC'), String, String))}
       OR (toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})), env, breaker) IN {about:Array(Tuple(DateTime('UTC'), String, String))})
ORDER BY at DESC
LIMIT {limit:UInt32}
"""


def openings(reader: Reader, parts: Iterable[Part]) -> dict[tuple[int, str], list[Transition]]:
    """
    Return the reconciled openings of each part by its number and name, newest first: of breakers that the service holds or that others hold on it.

    Args:
        reader: The store.
        parts: Those ``after`` and ``before`` are looked at.
    """
    wanted = [part for part in parts if part.name in ("after", "before")]
    if not wanted:
        return {}
    stretch_s = _STRETCH_S if all(part.end_s - part.start_s <= _MANY_HOURS_S for part in wanted) else _HOUR_S
    about = sorted({(at, part.env, part.service) for part in wanted for at in _stretches(part, stretch_s)})
    params = {
        "start": sql_time(about[0][0] * SECOND_NS),
        "end": sql_time((about[-1][0] + stretch_s) * SECOND_NS),
        "stretch_s": stretch_s,
        "stretches": sorted({at for at, _, _ in about}),
        "about": about,
        "limit": MOST,
        "holders": [],
    }
    told = [Transition(**row) for row in reader.rows(_OPENINGS, params)]
    # what these opened from is what their instance told before
    if holders := sorted({each.holder for each in told if not each.from_state}):
        told = [Transition(**row) for row in reader.rows(_OPENINGS, {**params, "holders": holders})]
    by_name = _by_name(each for each in reconcile(told) if each.opens)
    return {
        (part.number, part.name): [each for each in by_name.get((part.env, part.service), ()) if _within(each, part)]
        for part in wanted
    }  # fmt: skip


def _stretches(part: Part, stretch_s: int) -> range:
    """Give where the stretches around *part* begin, epoch seconds."""
    return range(max(part.start_s - _AROUND_S, 0) // stretch_s * stretch_s, part.end_s + _AROUND_S, stretch_s)


def _by_name(opened: Iterable[Transition]) -> Mapping[tuple[str, str], list[Transition]]:
    """Give openings by env and each name that they are about."""
    found: dict[tuple[str, str], list[Transition]] = defaultdict(list)
    for each in opened:
        for name in {each.service, each.target, each.breaker}:
            found[each.env, name].append(each)
    return found


def _within(opening: Transition, part: Part) -> bool:
    return part.start_s * SECOND_NS <= opening.at_ns < part.end_s * SECOND_NS
