"""
Breaker transitions, reconciled: what happened once is counted once, however many ways it arrived.

The ways overlap: a service logs a transition and its listener posts it, a scrape derives it a little later. Per
(env, service, breaker, instance):

- the same change (to, and from where both name it) within a second by another way, or at the very same time, is one;
- a derived one is dropped when an explicit one to the same state lies within a sampling interval;
- a missing ``from`` is the state the instance was in.

Transitions are rare (a few per breaker and hour), so this is Python.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read.sql import Reader, Row

# Two ways of telling differ by the clock reads of one process; a second breaker cycle within it is not possible
# because every breaker's reset time-out is longer.
_SAME_NS = SECOND_NS
# The longest scrape interval in common use; a derived transition is at most this late, or as late as its own samples are apart.
_SAMPLING_NS = 60 * SECOND_NS
# A derived transition is judged beside the explicit ones around it: who looks at a range looks this much further back.
AROUND_NS = 2 * _SAMPLING_NS
# Most transitions one answer is reconciled from.
MOST = 20_000

Holder = tuple[str, str, str, str]  # env, service, breaker, instance


class Transition(msgspec.Struct, frozen=True, gc=False):
    """
    One change of state of one breaker in one instance; texts are "" and numbers None when not told.

    A derived one happened in the *interval_ms* before *at_ns*. Not a dataclass: a board of the past is made from ten thousand of these, which a frozen dataclass
    takes ten times as long to make.
    """

    at_ns: int
    service: str
    env: str
    breaker: str
    target: str
    instance: str
    from_state: str
    to_state: str
    reason: str = ""
    failure_rate: float | None = None
    slow_call_rate: float | None = None
    calls: int | None = None
    not_permitted: int | None = None
    derived: bool = False
    interval_ms: int = 0
    trace_id: str = ""
    span_id: str = ""
    source: str = ""
    observed_ns: int = 0

    @property
    def holder(self) -> Holder:
        """Whose state it changed."""
        return (self.env, self.service, self.breaker, self.instance)

    @property
    def opens(self) -> bool:
        """Whether a breaker opened: a failed probe (half_open -> open) goes on with the same opening."""
        return self.to_state == "open" and self.from_state not in ("half_open", "open")

    def row(self) -> Row:
        """Give the API's shape."""
        return {
            "at": rfc_3339(self.at_ns),
            "service": self.service,
            "env": self.env,
            "breaker": self.breaker,
            "target": self.target,
            "instance": self.instance,
            "from": self.from_state,
            "to": self.to_state,
            "reason": self.reason,
            "failure_rate": self.failure_rate,
            "slow_call_rate": self.slow_call_rate,
            "calls": self.calls,
            "not_permitted": self.not_permitted,
            "derived": self.derived,
            "interval_ms": self.interval_ms,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
        }


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which transitions; empty = any."""

    env: str = ""
    services: Sequence[str] = ()
    breaker: str = ""
    trace_id: str = ""


# The columns of a `Transition`, for whoever reads some.
COLUMNS = """toUnixTimestamp64Nano(at) AS at_ns, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate, slow_call_rate, calls,
       not_permitted, derived, interval_ms, trace_id, span_id, source, toUnixTimestamp64Nano(observed_at) AS observed_ns"""
_TRANSITIONS = f"""
SELECT {COLUMNS}
FROM breaker_transitions
WHERE at >= {{start:DateTime64(9, 'UTC')}} AND at < {{end:DateTime64(9, 'UTC')}}
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND (empty({{services:Array(String)}}) OR service IN {{services:Array(String)}})
  AND ({{breaker:String}} = '' OR breaker = {{breaker:String}})
  AND ({{trace_id:String}} = '' OR trace_id = {{trace_id:String}})
ORDER BY at DESC
LIMIT {{limit:UInt32}}
"""


def transitions(reader: Reader, window: Window, chosen: Chosen) -> list[Transition]:
    """Return the reconciled transitions of *window*, newest first; the newest 20,000 rows are considered."""
    params = {
        **window.params(),
        "env": chosen.env,
        "services": list(chosen.services),
        "breaker": chosen.breaker,
        "trace_id": chosen.trace_id,
        "limit": MOST,
    }
    return reconcile(Transition(**row) for row in reader.rows(_TRANSITIONS, params))


def reconcile(told: Iterable[Transition]) -> list[Transition]:
    """Return each change once, newest first (see the module's rules)."""
    by_holder: dict[Holder, list[Transition]] = defaultdict(list)
    for transition in told:
        by_holder[transition.holder].append(transition)
    happened = [each for group in by_holder.values() for each in _of_one(sorted(group, key=_order))]
    return sorted(happened, key=lambda transition: transition.at_ns, reverse=True)


def _order(transition: Transition) -> tuple[int, bool]:
    return transition.at_ns, transition.derived


def _of_one(told: list[Transition]) -> list[Transition]:
    explicit = [each for each in told if not each.derived]
    kept: list[Transition] = []
    for each in told:
        if each.derived and any(_betters(other, each) for other in explicit):
            continue
        twin = next((index for index in range(len(kept) - 1, -1, -1) if _same(kept[index], each)), None)
        if twin is None:
            kept.append(each)
        else:
            kept[twin] = _merged(kept[twin], each)
    return _with_origins(kept)


def settled(last: Transition, told: Transition | None) -> Transition:
    """
    Return which of two is what an instance's state rests on, where only they are known.

    Args:
        last: The newest of all.
        told: The newest explicit one, if any.
    """
    return told if told is not None and last.derived and _betters(told, last) else last


def _betters(explicit: Transition, derived: Transition) -> bool:
    within_ns = max(_SAMPLING_NS, derived.interval_ms * 1_000_000)
    return explicit.to_state == derived.to_state and abs(explicit.at_ns - derived.at_ns) <= within_ns


def _same(one: Transition, other: Transition) -> bool:
    if one.to_state != other.to_state or (
        one.from_state and other.from_state and one.from_state != other.from_state
    ):
        return False
    distance = abs(one.at_ns - other.at_ns)
    return distance == 0 or (distance <= _SAME_NS and one.source != other.source)


def _merged(one: Transition, other: Transition) -> Transition:
    """Keep what *one* says, filled up with what only *other* knows."""
    known = {
        name: getattr(other, name)
        for name in ("target", "from_state", "reason", "trace_id", "span_id")
        if not getattr(one, name)
    }
    numbers = {
        name: getattr(other, name)
        for name in ("failure_rate", "slow_call_rate", "calls", "not_permitted")
        if getattr(one, name) is None
    }
    return replace(one, **known, **numbers)


def _with_origins(kept: list[Transition]) -> list[Transition]:
    state = ""
    done = []
    for each in kept:
        done.append(each if each.from_state or not state else replace(each, from_state=state))
        state = each.to_state
    return done
