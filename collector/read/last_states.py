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
  AND (env, service, breaker, instance) NOT IN (SELECT env, service, breaker, instance FROM breaker_transitions
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
        rows = reader.rows(LAST + _CHOSEN + OF_EACH, params)
    else:
        params["day"] = sql_time(max(now_ns - DAY_NS, 0))
        rows, older = reader.together(
            lambda its: its.rows(LAST + _CHOSEN + OF_EACH, {**params, "since": params["day"]}),
            lambda its: _older(its, params),
        )
        rows += older
    return sorted((settled(*each) for each in newest(rows)), key=lambda each: each.holder)


def _older(reader: Reader, params: Mapping[str, object]) -> list[Row]:
    missing = [
        (row["env"], row["service"], row["breaker"], row["instance"]) for row in reader.rows(_MISSING, params)
    ]
    if not missing:
        return []
    before = {**params, "end": params["day"]}
    if len(missing) <= _ONE_BY_ONE:
        return reader.rows(LAST + _AMONG + OF_EACH, {**before, "holders": missing})
    among = set(missing)
    rows = reader.rows(LAST + _CHOSEN + OF_EACH, before)
    return [row for row in rows if (row["env"], row["service"], row["breaker"], row["instance"]) in among]


def newest(rows: Iterable[Row]) -> Iterable[_Pair]:
    """Give the newest and the newest explicit transition of each instance of *rows* of `LAST`."""
    found: dict[Holder, _Pair] = {}
    for row in rows:
        each = Transition(**row)
        other = found.get(each.holder)
        pair: _Pair = (each, None if each.derived else each)
        found[each.holder] = pair if other is None else _newer(pair, other)
    return found.values()


def _newer(one: _Pair, other: _Pair) -> _Pair:
    """Put an instance's explicit and its derived transition together; of the same time the explicit one is the newer."""
    last = max(one[0], other[0], key=lambda each: (each.at_ns, not each.derived))
    return last, one[1] or other[1]
