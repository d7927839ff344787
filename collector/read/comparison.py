"""
What a version did, beside what others of its service did: calls, failures and durations in windows of its own, for many deploys in two statements.

A window is of one deploy and one part (``after``, ``beside``, ``before``, ``day_before``). ``beside`` counts only minutes in which the version and another
one served: who is compared had the same load, the same dependencies, the same hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Reader, Row
from collector.read.transitions import AROUND_NS, MOST, Transition, reconcile

_Range = tuple[int, int]  # epoch seconds, whole minutes; the second is not in it

_MINUTE_S, _HOUR_S = 60, 3600
# Transitions are looked for in stretches of five minutes around a part, or of an hour around one of many hours.
_STRETCH_S, _MANY_HOURS_S = 300, 4 * _HOUR_S
_AROUND_S = AROUND_NS // SECOND_NS
# Looked up in one statement, of all windows together: each takes some tens of bytes of the engine's memory.
_MINUTES_MOST = 500_000


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


_MadeOf = tuple[Part, Sequence[_Range]]

# Each state of durations is merged once, into the stretch of time that its minute lies in; windows share the few stretches, which are merged again. A stretch
# is looked up by its service's number and the minute; indexHint chooses what is read, and the look-up what counts. own: by the version that the deploy brought.
_SIDES = """
WITH (SELECT (groupArray(each.1 * 4294967296 + at), groupArray(each.4))
      FROM (SELECT arrayJoin({{stretches:Array(Tuple(UInt64, UInt32, UInt32, UInt32))}}) AS each) ARRAY JOIN range(each.2, each.3, 60) AS at) AS known
SELECT w.place AS place, m.version = w.version AS own, m.serves AS serves, sum(m.calls) AS calls, sum(m.errors) AS failed, sum(m.weighted) AS weighted,
       quantilesTDigestMerge({levels})(m.durations) AS quantiles_ns
FROM (
    SELECT transform(transform(s.service, {{services:Array(String)}}, {{numbers:Array(UInt64)}}, toUInt64(0)) * 4294967296 + toUnixTimestamp(minute),
                     known.1, known.2, toUInt32(0)) AS stretch,
           CAST(env, 'String') AS env, CAST(version, 'String') AS version, kind IN ('server', 'consumer') AS serves, sum(s.calls) AS calls, sum(s.errors) AS errors,
           sum(s.weighted_calls) AS weighted, quantilesTDigestMergeState(0.5, 0.95, 0.99)(s.duration_ns) AS durations
    FROM service_minutes AS s
    WHERE indexHint((toStartOfHour(minute), s.env, s.service) IN {{hours:Array(Tuple(DateTime('UTC'), String, String))}}) AND stretch > 0
    GROUP BY stretch, env, version, serves
) AS m
INNER JOIN (
    SELECT each.1 AS stretch, each.2 AS place, each.3 AS env, each.4 AS version
    FROM (SELECT arrayJoin({{windows:Array(Tuple(UInt32, UInt32, String, String))}}) AS each)
) AS w ON w.stretch = m.stretch AND w.env = m.env
GROUP BY place, own, serves
LIMIT 20000
"""


def sides(reader: Reader, parts: Sequence[Part], levels: Sequence[float]) -> list[Row]:
    """
    Return ``{number, part, own, serves, calls, failed, weighted, quantiles_ns}`` of all *parts*.

    Args:
        reader: The store.
        parts: At most some hundreds; ``beside`` has its ``after`` with it.
        levels: Quantiles asked for, ours and never a user's.
    """
    whole = [(part, [(part.start_s, part.end_s)]) for part in parts if part.name != "beside"]
    rows = [row for portion in _portions(whole) for row in _read(reader, portion, levels)]
    owners: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        if row["part"] == "after":
            owners[row["number"]].add(row["own"])
    beside = [part for part in parts if part.name == "beside" and len(owners[part.number]) > 1]
    return rows + [
        row for portion in _portions(_shared(reader, beside)) for row in _read(reader, portion, levels)
    ]


def _portions(made_of: Iterable[_MadeOf], most: int = _MINUTES_MOST) -> Iterator[list[_MadeOf]]:
    """Give parts in portions of at most so many minutes, or of one part: ten thousand deploys of a day each would be tens of millions to look up."""
    portion: list[_MadeOf] = []
    minutes = 0
    for part, ranges in made_of:
        length = sum(end_s - start_s for start_s, end_s in ranges) // _MINUTE_S
        if portion and minutes + length > most:
            yield portion
            portion, minutes = [], 0
        portion.append((part, ranges))
        minutes += length
    if portion:
        yield portion


def _read(reader: Reader, made_of: Sequence[_MadeOf], levels: Sequence[float]) -> list[Row]:
    """Read parts, each with the ranges of time that it is made of."""
    ranges: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for place, (part, its) in enumerate(made_of):
        ranges[part.service] += [(*each, place) for each in its]
    cut = [(number, *each) for number, its in enumerate(ranges.values(), 1) for each in _cut(its)]
    if not cut:
        return []
    params = {
        "services": list(ranges),
        "numbers": list(range(1, len(ranges) + 1)),
        "stretches": [(*each[:3], nth) for nth, each in enumerate(cut, 1)],
        "windows": [(nth, place, made_of[place][0].env, made_of[place][0].version) for nth, each in enumerate(cut, 1) for place in each[3]],
        "hours": sorted({(hour, part.env, part.service) for part, its in made_of for each in its for hour in _hours(*each)}),
    }  # fmt: skip
    rows = reader.rows(_SIDES.format(levels=", ".join(f"{level:g}" for level in levels)), params)
    return [
        {"number": made_of[row["place"]][0].number, "part": made_of[row["place"]][0].name, **row}
        for row in rows
    ]


def _cut(ranges: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, list[int]]]:
    """Cut time where one of *ranges* (start, end, whose) begins or ends: give the stretches that are somebody's, and whose."""
    begins: dict[int, set[int]] = defaultdict(set)
    ends: dict[int, set[int]] = defaultdict(set)
    for start_s, end_s, whose in ranges:
        begins[start_s].add(whose)
        ends[end_s].add(whose)
    present: set[int] = set()
    for start_s, end_s in pairwise(sorted({*begins, *ends})):
        present = (present - ends[start_s]) | begins[start_s]
        if present:
            yield start_s, end_s, sorted(present)


def _hours(start_s: int, end_s: int) -> range:
    return range(start_s // _HOUR_S * _HOUR_S, end_s, _HOUR_S)


_SHARED = """
SELECT env, service, groupArray((toUnixTimestamp(minute), versions)) AS minutes
FROM (
    SELECT s.env AS env, s.service AS service, s.minute AS minute, groupUniqArray(CAST(s.version, 'String')) AS versions
    FROM service_minutes AS s
    WHERE (toStartOfHour(minute), s.env, s.service) IN {hours:Array(Tuple(DateTime('UTC'), String, String))}
    GROUP BY env, service, minute
    HAVING length(versions) > 1
)
GROUP BY env, service
LIMIT 5000
"""


def _shared(reader: Reader, parts: Sequence[Part]) -> list[tuple[Part, list[_Range]]]:
    """Give *parts* with the ranges in which the version and another one were at work."""
    hours = {(hour, part.env, part.service) for part in parts for hour in _hours(part.start_s, part.end_s)}
    rows = reader.rows(_SHARED, {"hours": sorted(hours)}) if hours else []
    shared = {(row["env"], row["service"]): row["minutes"] for row in rows}
    return [
        (part, _joined(sorted(at for at, versions in shared.get((part.env, part.service), ()) if part.start_s <= at < part.end_s and part.version in versions)))
        for part in parts
    ]  # fmt: skip


def _joined(minutes: Iterable[int]) -> list[_Range]:
    """Give sorted *minutes* as ranges."""
    found: list[_Range] = []
    for at in minutes:
        start_s = found.pop()[0] if found and found[-1][1] == at else at
        found.append((start_s, at + _MINUTE_S))
    return found


# Only openings, and of some instances whatever they told.
_OPENINGS = """
SELECT toUnixTimestamp64Nano(at) AS at_ns, service, env, breaker, target, instance, from_state, to_state, derived, interval_ms, source
FROM breaker_transitions
PREWHERE at >= {start:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')}
  AND toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})) IN {stretches:Array(DateTime('UTC'))}
  AND (to_state = 'open' OR (env, service, breaker, instance) IN {holders:Array(Tuple(String, String, String, String))})
WHERE ((toStartOfInterval(at, toIntervalSecond({stretch_s:UInt32})), env, service) IN {about:Array(Tuple(DateTime('UTC'), String, String))}
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
