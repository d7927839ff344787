"""
What a version did, beside what others of its service did: calls, failures and durations in windows of its own, for many deploys in two statements.

A window is of one deploy and one part (``after``, ``beside``, ``before``, ``day_before``). ``beside`` counts only minutes in which the version and another
one served: who is compared had the same load, the same dependencies, the same hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window
from collector.read import transitions
from collector.read.sql import Reader, Row
from collector.read.transitions import Transition

_HOUR_S = 3600


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
        SELECT w.number AS number, w.part AS part, m.minute AS minute, m.version = w.version AS own, m.kind IN ('server', 'consumer') AS serves,
               sum(m.calls) AS calls, sum(m.errors) AS errors, sum(m.weighted_calls) AS weighted,
               quantilesTDigestMergeState(0.5, 0.95, 0.99)(m.duration_ns) AS durations
        FROM (
            SELECT minute, CAST(service, 'String') AS service, CAST(env, 'String') AS env, CAST(version, 'String') AS version, kind,
                   calls, errors, weighted_calls, duration_ns
            FROM service_minutes
            WHERE (toStartOfHour(minute), env, service) IN {{hours:Array(Tuple(DateTime('UTC'), String, String))}}
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


def openings(reader: Reader, parts: Iterable[Part], now_ns: int) -> dict[tuple[int, str], list[Transition]]:
    """Return the reconciled openings of each part by its number and name: of breakers that the service holds or that others hold on it."""
    wanted = [part for part in parts if part.name in ("after", "before")]
    if not wanted:
        return {}
    start_s, end_s = min(part.start_s for part in wanted), max(part.end_s for part in wanted)
    window = Window(start_s * SECOND_NS, end_s * SECOND_NS, now_ns)
    told = transitions.of(reader, window, sorted({part.service for part in wanted}))
    opened = [each for each in told if each.opens]
    return {
        (part.number, part.name): [each for each in opened if _is_about(each, part)] for part in wanted
    }  # fmt: skip


def _is_about(opening: Transition, part: Part) -> bool:
    inside = part.start_s * SECOND_NS <= opening.at_ns < part.end_s * SECOND_NS and opening.env == part.env
    return inside and part.service in (opening.service, opening.target, opening.breaker)
