"""
The last transition of every breaker's every instance before some time, found without reading a month of them.

Most were told within the last day, and those of a day lie together (the projection ``by_time``). ``breaker_instances`` knows who is missing; these
are looked up by the primary key, or all of the month is read where they are many: then the month has few transitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, Holder, Transition, settled

DAY_NS = 86_400 * SECOND_NS
# A state holds until the next transition, however long ago it began; this is the longest default retention.
LOOK_BACK_NS = 30 * DAY_NS
# So many are looked up one by one; of more, everything is read.
_ONE_BY_ONE = 1000
# Breakers times instances.
MOST = 50_000

# Of each instance the newest transition that it told itself and the newest derived one: which of them counts is `settled`. Column by column: argMax of a tuple
# takes more than twice as long, and sorting a month with all its columns much longer.
LAST = """
SELECT toUnixTimestamp64Nano(max(t.at)) AS at_ns, service, env, breaker, argMax(t.target, t.at) AS target, instance, argMax(t.from_state, t.at) AS from_state,
       argMax(t.to_state, t.at) AS to_state, argMax(t.reason, t.at) AS reason, derived, argMax(t.interval_ms, t.at) AS interval_ms,
       argMax(t.trace_id, t.at) AS trace_id, argMax(t.span_id, t.at) AS span_id, toUnixTimestamp64Nano(max(t.observed_at)) AS observed_ns
FROM breaker_transitions AS t
WHERE t.at >= {since:DateTime64(9, 'UTC')} AND t.at < {end:DateTime64(9, 'UTC')}
"""
_CHOSEN = """  AND ({env:String} = '' OR env = {env:String})
  AND ({service:String} = '' OR service = {service:String})
  AND ({breaker:String} = '' OR breaker = {breaker:String})
"""
_AMONG = "  AND (env, service, breaker, instance) IN {holders:Array(Tuple(String, String, String, String))}\n"
OF_EACH = f"""GROUP BY service, env, breaker, instance, derived
LIMIT {2 * MOST}
"""
# All in one row, a list per column: ten thousand rows with the names of their columns take Python three times as long.
_NAMES = ("at_ns", "service", "env", "breaker", "target", "instance", "from_state", "to_state", "reason", "derived", "interval_ms", "trace_id", "span_id", "observed_ns")  # fmt: skip
_LISTS = f"SELECT {', '.join(f'groupArray({name}) AS {name}' for name in _NAMES)} FROM ("
_ONE_ROW = "\n)\nLIMIT 1"
# Who is known, but told of nothing within the day.
_MISSING = """
SELECT env, service, breaker, instance
FROM (SELECT env, service, breaker, instance, min(i.first_at) AS first_at, max(i.last_at) AS last_at
      FROM breaker_instances AS i
      WHERE ({env:String} = '' OR env = {env:String})
        AND ({service:String} = '' OR service = {service:String})
        AND ({breaker:String} = '' OR breaker = {breaker:String})
      GROUP BY env, service, breaker, instance)
WHERE first_at < {end:DateTime64(9, 'UTC')} AND last_at >= {since:DateTime64(9, 'UTC')}
  AND cityHash64(env, service, breaker, instance) NOT IN (SELECT cityHash64(env, service, breaker, instance) FROM breaker_transitions
                                                          WHERE at >= {day:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')})
LIMIT 50000
"""


_Pair = tuple[Transition, Transition | None]


def last_states(reader: Reader, now_ns: int, end_ns: int, chosen: Chosen) -> list[Transition]:
    """
    Return what each instance's state rests on, by env, service, breaker and instance.

    Args:
        reader: The store.
        now_ns: What a month goes back from.
        end_ns: Transitions before it count.
        chosen: ``services`` may name one.
    """
    params: dict[str, object] = {
        "since": sql_time(max(now_ns - LOOK_BACK_NS, 0)),
        "end": sql_time(end_ns),
        "env": chosen.env,
        "service": chosen.services[0] if chosen.services else "",
        "breaker": chosen.breaker,
    }
    if chosen.breaker and chosen.services:
        found = _told(reader, LAST + _CHOSEN + OF_EACH, params)
    else:
        params["day"] = sql_time(max(now_ns - DAY_NS, 0))
        found, older = reader.together(
            lambda its: _told(its, LAST + _CHOSEN + OF_EACH, {**params, "since": params["day"]}),
            lambda its: _older(its, params),
        )
        found += older
    pairs = _pairs(found)
    return [settled(*pairs[holder]) for holder in sorted(pairs)]


def _told(reader: Reader, sql: str, params: Mapping[str, object]) -> list[Transition]:
    """Run a statement of `LAST`."""
    lists = reader.rows(_LISTS + sql + _ONE_ROW, params)[0]
    return [
        Transition(at_ns, service, env, breaker, target, instance, from_state, to_state, reason, None, None, None, None, derived, interval_ms, trace_id, span_id, "", observed_ns)
        for at_ns, service, env, breaker, target, instance, from_state, to_state, reason, derived, interval_ms, trace_id, span_id, observed_ns
        in zip(*(lists[name] for name in _NAMES), strict=True)
    ]  # fmt: skip


def _older(reader: Reader, params: Mapping[str, object]) -> list[Transition]:
    missing = [
        (row["env"], row["service"], row["breaker"], row["instance"]) for row in reader.rows(_MISSING, params)
    ]
    if not missing:
        return []
    before = {**params, "end": params["day"]}
    if len(missing) <= _ONE_BY_ONE:
        return _told(reader, LAST + _AMONG + OF_EACH, {**before, "holders": missing})
    among = set(missing)
    return [each for each in _told(reader, LAST + _CHOSEN + OF_EACH, before) if each.holder in among]


def newest(rows: Iterable[Row]) -> Iterable[_Pair]:
    """Give the newest and the newest explicit transition of each instance of *rows* of `LAST`."""
    return _pairs(Transition(**row) for row in rows).values()


def _pairs(told: Iterable[Transition]) -> dict[Holder, _Pair]:
    found: dict[Holder, _Pair] = {}
    for each in told:
        holder = (each.env, each.service, each.breaker, each.instance)
        other = found.get(holder)
        pair: _Pair = (each, None if each.derived else each)
        found[holder] = pair if other is None else _newer(pair, other)
    return found


def _newer(one: _Pair, other: _Pair) -> _Pair:
    """Put an instance's explicit and its derived transition together; of the same time the explicit one is the newer."""
    last = max(one[0], other[0], key=lambda each: (each.at_ns, not each.derived))
    return last, one[1] or other[1]
