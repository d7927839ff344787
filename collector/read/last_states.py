"""
The last transition of every breaker's every instance before some time, found without reading a month of them.

Most were told within the last day, and those of a day lie together (the projection ``by_time``). ``breaker_instances`` knows who is missing; these
are looked up by the primary key, or all of the month is read where they are many: then the month has few transitions.
"""

from __future__ import annotations

from collections.abc import Mapping

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

# Of each instance the newest transition, and the newest that it told itself: a derived one beside that does not count (`settled`).
LAST = """
SELECT service, env, breaker, instance,
       argMax((toUnixTimestamp64Nano(at), target, from_state, to_state, reason, derived, interval_ms, trace_id, span_id), (at, NOT derived)) AS last,
       if(last.6, argMaxIf((toUnixTimestamp64Nano(at), target, from_state, to_state, reason, trace_id, span_id), at, NOT derived),
          (toInt64(0), '', '', '', '', '', '')) AS told,
       toUnixTimestamp64Nano(max(observed_at)) AS observed_ns
FROM breaker_transitions
WHERE at >= {since:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')}
"""
_CHOSEN = """  AND ({env:String} = '' OR env = {env:String})
  AND ({service:String} = '' OR service = {service:String})
  AND ({breaker:String} = '' OR breaker = {breaker:String})
"""
_AMONG = "  AND (env, service, breaker, instance) IN {holders:Array(Tuple(String, String, String, String))}\n"
OF_EACH = f"""GROUP BY service, env, breaker, instance
LIMIT {MOST}
"""
_KNOWN = """
SELECT env, service, breaker, instance
FROM (SELECT env, service, breaker, instance, min(i.first_at) AS first_at, max(i.last_at) AS last_at
      FROM breaker_instances AS i
      WHERE ({env:String} = '' OR env = {env:String})
        AND ({service:String} = '' OR service = {service:String})
        AND ({breaker:String} = '' OR breaker = {breaker:String})
      GROUP BY env, service, breaker, instance)
WHERE first_at < {end:DateTime64(9, 'UTC')} AND last_at >= {since:DateTime64(9, 'UTC')}
LIMIT 50000
"""


def last_states(reader: Reader, now_ns: int, end_ns: int, chosen: Chosen) -> list[Transition]:
    """
    Return what each instance's state rests on, by env, service, breaker and instance.

    Args:
        reader: The store.
        now_ns: What a month goes back from.
        end_ns: Transitions before it count.
        chosen: ``services`` may name one.
    """
    params = {
        "since": sql_time(max(now_ns - LOOK_BACK_NS, 0)),
        "end": sql_time(end_ns),
        "env": chosen.env,
        "service": chosen.services[0] if chosen.services else "",
        "breaker": chosen.breaker,
    }
    if chosen.breaker and chosen.services:
        rows = reader.rows(LAST + _CHOSEN + OF_EACH, params)
    else:
        rows = reader.rows(LAST + _CHOSEN + OF_EACH, {**params, "since": sql_time(max(now_ns - DAY_NS, 0))})
        rows += _older(reader, params, {_holder(row) for row in rows}, now_ns)
    return sorted(map(transition_of, rows), key=lambda each: each.holder)


def _older(reader: Reader, params: Mapping[str, object], found: set[Holder], now_ns: int) -> list[Row]:
    missing = [holder for row in reader.rows(_KNOWN, params) if (holder := _holder(row)) not in found]
    if not missing:
        return []
    before = {**params, "end": sql_time(max(now_ns - DAY_NS, 0))}
    if len(missing) <= _ONE_BY_ONE:
        return reader.rows(LAST + _AMONG + OF_EACH, {**before, "holders": missing})
    return [row for row in reader.rows(LAST + _CHOSEN + OF_EACH, before) if _holder(row) not in found]


def _holder(row: Row) -> Holder:
    return (row["env"], row["service"], row["breaker"], row["instance"])


def pair_of(row: Row) -> tuple[Transition, Transition | None]:
    """Give the newest and the newest explicit transition of a row of `LAST`."""
    whose = {name: row[name] for name in ("service", "env", "breaker", "instance", "observed_ns")}
    at_ns, target, from_state, to_state, reason, derived, interval_ms, trace_id, span_id = row["last"]
    last = Transition(
        at_ns=at_ns, target=target, from_state=from_state, to_state=to_state, reason=reason, derived=derived,
        interval_ms=interval_ms, trace_id=trace_id, span_id=span_id, **whose,
    )  # fmt: skip
    if not derived or not row["told"][0]:
        return last, None if derived else last
    at_ns, target, from_state, to_state, reason, trace_id, span_id = row["told"]
    told = Transition(
        at_ns=at_ns, target=target, from_state=from_state, to_state=to_state, reason=reason, trace_id=trace_id, span_id=span_id, **whose
    )  # fmt: skip
    return last, told


def transition_of(row: Row) -> Transition:
    """Give what the state rests on, of a row of `LAST`."""
    return settled(*pair_of(row))
