"""
New errors: texts that a service's log repeats now, as error or fatal, and did not hold before.

Bodies are masked as for patterns (`collector.read.patterns`); only records of error and fatal are read, and only of services that log several now. What is usual is the day
before the last half hour; of who logs more errors in a day than are read, the hour before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.patterns import BODY_CHARS, VALUE
from collector.read.services import Key
from collector.read.sql import Reader, Row
from collector.read.templates import MASK, WILDCARD

# Fewer of one text are an anecdote, as of all errors (health/verdict.py).
LEAST = 10
_BASELINES_S = (86_400, 3600)
# As long a text is new.
_NEW_S = 1800
# Masked and counted in a tenth of a second.
_SEVERE_MOST = 200_000
_TEXTS = {"least": LEAST, "value": VALUE, "mask": MASK, "chars": BODY_CHARS}


@dataclass(frozen=True, slots=True)
class NewError:
    """A text, its values masked, that *records* of error and fatal have now, the first at *since* (RFC 3339), and none had in the *hours* before."""

    text: str
    records: int
    since: str
    hours: int


_SHAPE = "replaceRegexpAll(substringUTF8(substringIndex(body, '\\n', 1), 1, {chars:UInt16}), {value:String}, {mask:String})"
# Five minutes tell who repeats any text at all: nobody else's past is read.
_REPEATING = f"""
SELECT DISTINCT service, env
FROM (
    SELECT service, env, {_SHAPE} AS shape, count() AS records
    FROM logs
    WHERE occurred_at >= {{recent:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
      AND toStartOfMinute(occurred_at) >= toStartOfMinute({{recent:DateTime64(9, 'UTC')}})
      AND service IN {{services:Array(String)}} AND severity IN ('error', 'fatal')
    GROUP BY service, env, shape
    HAVING records >= {{least:UInt32}}
)
LIMIT 5000
"""
_HISTORY = """
SELECT service, env, toUnixTimestamp(min(minute)) AS first,
       sumIf(l.records, severity IN ('error', 'fatal')) AS day,
       sumIf(l.records, severity IN ('error', 'fatal') AND minute >= {hour:DateTime64(9, 'UTC')}) AS hour
FROM log_minutes AS l
WHERE minute >= {day:DateTime64(9, 'UTC')} AND minute < {end:DateTime64(9, 'UTC')} AND service IN {services:Array(String)}
GROUP BY service, env
LIMIT 5000
"""
_NEW = f"""
SELECT service, env, {_SHAPE} AS shape, countIf(occurred_at >= {{recent:DateTime64(9, 'UTC')}}) AS records, min(occurred_at) AS first_at
FROM logs
WHERE occurred_at >= {{since:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}} AND toStartOfMinute(occurred_at) >= toStartOfMinute({{since:DateTime64(9, 'UTC')}})
  AND service IN {{services:Array(String)}} AND severity IN ('error', 'fatal')
GROUP BY service, env, shape
HAVING records >= {{least:UInt32}} AND first_at >= {{new:DateTime64(9, 'UTC')}}
ORDER BY records DESC, shape
LIMIT 1 BY service, env
LIMIT 5000
"""


def new_errors(
    reader: Reader, window: Window, recent_s: float, asked: Collection[Key]
) -> dict[Key, NewError]:
    """
    Return the commonest new error of each service that has one at the end of *window*, by service and env.

    Args:
        reader: The store.
        window: Its end counts.
        recent_s: How long "now" is, seconds.
        asked: Services that log errors now; one whose log is younger than an hour has nothing to compare with.
    """
    end_s = window.end_ns // SECOND_NS
    new_s = end_s - _NEW_S
    params = {
        **{name: _time(new_s - back_s) for name, back_s in zip(("day", "hour"), _BASELINES_S, strict=True)},
        "new": _time(new_s),
        "recent": _time(end_s - int(recent_s)),
        "end": sql_time(window.end_ns),
        **_TEXTS,
    }
    found = {}
    asked = _repeating(reader, params, asked)
    history = _history(reader, params, asked)
    for back_s, keys in _by_baseline(asked, history, new_s).items():
        for row in _rows(reader, {**params, "since": _time(new_s - back_s)}, keys):
            key = row["service"], row["env"]
            if key in keys:
                hours = min(back_s, new_s - history[key]["first"]) // 3600
                text = row["shape"].replace(MASK, WILDCARD)
                found[key] = NewError(text, row["records"], row["first_at"], hours)
    return found


def _repeating(reader: Reader, params: Mapping[str, object], asked: Collection[Key]) -> list[Key]:
    """Give those of *asked* that repeat some text now."""
    if not asked:
        return []
    rows = reader.rows(_REPEATING, {**params, "services": _names(asked)})
    repeating = {(row["service"], row["env"]) for row in rows}
    return [key for key in asked if key in repeating]


def _history(reader: Reader, params: Mapping[str, object], asked: Collection[Key]) -> Mapping[Key, Row]:
    if not asked:
        return {}
    rows = reader.rows(_HISTORY, {**params, "services": _names(asked)})
    return {(row["service"], row["env"]): row for row in rows}


def _names(keys: Collection[Key]) -> list[str]:
    return sorted({service for service, _ in keys})


def _by_baseline(asked: Collection[Key], history: Mapping[Key, Row], new_s: int) -> Mapping[int, list[Key]]:
    """Sort services by how far back they are compared; who has too short a past, or too many errors even in an hour, is left out."""
    found: dict[int, list[Key]] = defaultdict(list)
    for key in asked:
        row = history.get(key)
        if row is None or new_s - row["first"] < _BASELINES_S[-1]:
            continue
        fitting = (
            back_s
            for back_s, severe in zip(_BASELINES_S, (row["day"], row["hour"]), strict=True)
            if severe <= _SEVERE_MOST
        )
        if (back_s := next(fitting, None)) is not None:
            found[back_s].append(key)
    return found


def _rows(reader: Reader, params: Mapping[str, object], keys: Collection[Key]) -> list[Row]:
    return reader.rows(_NEW, {**params, "services": _names(keys)})


def _time(at_s: int) -> str:
    return sql_time(max(at_s, 0) * SECOND_NS)
