"""
Breakers: the current state of each, per instance and together, and what their last hour was like.

An instance's state is the ``to`` of its last transition before the window's end. *Stale*: its service has sent nothing
(no log record, no span, no transition, no sample of a breaker) for five minutes; then nobody knows, and the state is ``unknown``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.breaker_metrics import WAYS
from collector.read.last_states import last_states
from collector.read.sql import ONE_THREAD, Reader
from collector.read.transitions import AROUND_NS, Chosen, Holder, Transition, transitions

# Services report at least every scrape interval or heartbeat; five minutes are many of both.
STALE_NS = 300 * SECOND_NS
# A probe takes one call; half open for longer than this means no call comes, or none ends.
STUCK_NS = 60 * SECOND_NS
# Flapping: opened three times out of closed within ten minutes, in one instance.
FLAPPING_OPENS, FLAPPING_NS = 3, 600 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS
# What was so five minutes ago seldom turns out to have been otherwise.
_SETTLED_NS = 300 * SECOND_NS
# A page asks about the moment it was opened at, so that all its parts tell of the same range; its questions come a little later, and mean the present.
_OPENED_NS = 10 * SECOND_NS
# Filled in when a `BreakerState` is made.
_NOBODY: Any = None

# Of instances that disagree, the worst is the breaker's state.
WORST_FIRST = ("open", "forced_open", "half_open", "unknown", "disabled", "metrics_only", "closed")
_BADNESS = {state: place for place, state in enumerate(WORST_FIRST)}
OPEN_STATES = ("open", "forced_open")


class InstanceState(msgspec.Struct, frozen=True, gc=False):
    """The last transition of one instance, and the state it means now."""

    last: Transition
    state: str

    @property
    def stale(self) -> bool:
        """Whether the service has gone quiet."""
        return self.state == "unknown"


def _worst(instances: Iterable[InstanceState]) -> InstanceState:
    """Give the instance of the worst state, of several the one longest in it, of these the first."""
    rest = iter(instances)
    worst = next(rest)
    for it in rest:
        worse = _BADNESS[it.state] - _BADNESS[worst.state]
        if worse < 0 or (worse == 0 and it.last.at_ns < worst.last.at_ns):
            worst = it
    return worst


class BreakerState(msgspec.Struct, frozen=True, gc=False):
    """
    One breaker over all its instances. (Like its transitions no dataclass: there are thousands, and Python's garbage collector need not look at them.)

    Attributes:
        instances: By name; at least one.
        hour: Its reconciled transitions of the hour before, newest first.
        shown: The instance that stands for the breaker: of the worst state, the one longest in it.
        written: What was made of it for an answer, by whom; kept while nothing of it changes (present.py).
    """

    service: str
    env: str
    breaker: str
    instances: tuple[InstanceState, ...]
    hour: tuple[Transition, ...]
    now_ns: int
    shown: InstanceState = _NOBODY
    written: dict[str, bytes] = {}

    def __post_init__(self) -> None:
        force_setattr(self, "shown", _worst(self.instances))
        force_setattr(self, "written", {})

    @property
    def state(self) -> str:
        """The worst of its instances' states."""
        return self.shown.state

    @property
    def target(self) -> str:
        """What it protects against; its own name when nobody said."""
        for it in self.instances:
            if it.last.target:
                return it.last.target
        return self.breaker

    @property
    def agree(self) -> bool:
        """Whether all instances are in the same state."""
        return all(it.state == self.shown.state for it in self.instances)

    @property
    def is_open(self) -> bool:
        """Whether it is open somewhere."""
        return self.state in OPEN_STATES

    @property
    def opened(self) -> Transition | None:
        """The transition that began the present opening (not a failed probe within it), None unless open or probing."""
        shown = self.shown
        if shown.state not in (*OPEN_STATES, "half_open"):
            return None
        mine = (each for each in self.hour if each.instance == shown.last.instance)
        return next((each for each in mine if each.opens or each.to_state == "forced_open"), shown.last)

    @property
    def since_ns(self) -> int:
        """When its state began: an open breaker has been open since its opening, failed probes and all."""
        began = self.opened if self.is_open else None
        return (began or self.shown.last).at_ns

    @property
    def opens_1h(self) -> int:
        """How often it opened out of closed in the last hour, all instances."""
        return sum(each.opens for each in self.hour)

    @property
    def not_permitted_1h(self) -> int:
        """Calls it turned away in the last hour, as its transitions told."""
        return sum(each.not_permitted or 0 for each in self.hour)

    @property
    def flapping(self) -> bool:
        """Whether some instance opened three times out of closed within the last ten minutes."""
        if len(self.hour) < FLAPPING_OPENS:
            return False
        opens: dict[str, int] = defaultdict(int)
        for each in self.hour:
            opens[each.instance] += each.opens and each.at_ns > self.now_ns - FLAPPING_NS
        return any(count >= FLAPPING_OPENS for count in opens.values())

    @property
    def stuck(self) -> bool:
        """Whether an instance has been half open for longer than a minute."""
        return any(
            it.state == "half_open" and it.last.at_ns < self.now_ns - STUCK_NS for it in self.instances
        )

    @property
    def stale(self) -> bool:
        """Whether its service has gone quiet."""
        return all(it.stale for it in self.instances)


_HEARD = """
SELECT service, env, toUnixTimestamp64Nano(max(toDateTime64(last_at, 9, 'UTC'))) AS heard_ns
FROM (SELECT service, env, last_at FROM log_minutes
      WHERE minute >= toDateTime({recent:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      UNION ALL
      SELECT service, env, last_at FROM service_minutes
      WHERE minute >= toDateTime({recent:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      UNION ALL
      SELECT service, env, m.last_seen AS last_at FROM metric_series AS m
      WHERE name IN {metrics:Array(String)} AND m.last_seen >= {recent:DateTime64(9, 'UTC')} AND m.last_seen < {end:DateTime64(9, 'UTC')})
WHERE ({env:String} = '' OR env = {env:String}) AND (empty({services:Array(String)}) OR service IN {services:Array(String)})
GROUP BY service, env
LIMIT 20000
"""
_EVERY = Chosen()
_OF_METRICS = sorted({way.metric for way in WAYS})


def states(reader: Reader, end: Window, chosen: Chosen = _EVERY) -> list[BreakerState]:
    """
    Return every chosen breaker as it stood at the end of *end*.

    Args:
        reader: The store; whoever keeps the present states (`Reader.present`) answers where *end* is now, or was within ten seconds, and says how they stood
            where it was within five minutes.
        end: Only its end counts.
        chosen: ``services`` may name one service.
    """
    lasting = end.end_ns < end.now_ns - _SETTLED_NS
    kept = None if lasting or chosen.trace_id else _kept(reader, end)
    if kept is not None:
        return kept if chosen == _EVERY else [state for state in kept if _chosen(state, chosen)]
    if chosen.services:
        return _read(reader, end, chosen)
    asked = ("breakers", end.end_ns, min(end.end_ns, end.now_ns), chosen.env, chosen.breaker)
    found: list[BreakerState] = reader.once(asked, lambda: _read(reader, end, chosen), lasting=lasting)
    return found


def _kept(reader: Reader, end: Window) -> list[BreakerState] | None:
    """Give what whoever keeps the present states knows of the end of *end*; ``None`` = nobody does."""
    if reader.present is None:
        return None
    if end.end_ns > end.now_ns - _OPENED_NS:
        return reader.present.states()
    then_ns = end.end_ns
    return reader.present.states_ago(then_ns, lambda: heard_of(reader, then_ns, then_ns))


def _read(reader: Reader, end: Window, chosen: Chosen) -> list[BreakerState]:
    now = min(end.end_ns, end.now_ns)
    lasts, around, heard = reader.together(
        lambda its: last_states(its, now, end.end_ns, chosen),
        lambda its: transitions(its, Window(now - HOUR_NS - AROUND_NS, end.end_ns, now), chosen),
        lambda its: heard_of(its, now, end.end_ns, chosen),
    )
    newest: dict[Holder, Transition] = {}
    for each in around:
        newest.setdefault(each.holder, each)
    hour = [each for each in around if each.at_ns >= now - HOUR_NS]
    told = [newest.get(last.holder, last) for last in lasts] if newest else lasts
    since = now - STALE_NS
    spoke = {key for key, at_ns in heard.items() if at_ns >= since}
    spoke.update((each.env, each.service) for each in (*lasts, *around) if each.observed_ns >= since)
    quiet = {(each.env, each.service) for each in lasts} - spoke
    return list(grouped(told, hour, quiet, now))


def _chosen(state: BreakerState, chosen: Chosen) -> bool:
    return (
        chosen.env in ("", state.env)
        and (not chosen.services or state.service in chosen.services)
        and chosen.breaker in ("", state.breaker)
    )


def heard_of(reader: Reader, now_ns: int, end_ns: int, chosen: Chosen = _EVERY) -> dict[tuple[str, str], int]:
    """Return when each (env, service) was last heard of by anything but transitions, nanoseconds, where it was within the last minutes."""
    params = {
        "recent": sql_time(max(now_ns - STALE_NS - 60 * SECOND_NS, 0)),
        "end": sql_time(end_ns),
        "env": chosen.env,
        "services": list(chosen.services),
        "metrics": _OF_METRICS,
    }
    return {(row["env"], row["service"]): row["heard_ns"] for row in reader.rows(_HEARD, params, ONE_THREAD)}


def grouped(
    lasts: Iterable[Transition], hour: Iterable[Transition], quiet: Collection[tuple[str, str]], now_ns: int
) -> Iterable[BreakerState]:
    """
    Put instances together to breakers.

    Args:
        lasts: What each instance's state rests on.
        hour: Transitions of the last hour, newest first.
        quiet: (env, service) that were not heard of.
        now_ns: For what is counted in minutes.
    """
    instances: dict[tuple[str, str, str], list[InstanceState]] = defaultdict(list)
    for last in lasts:
        state = "unknown" if (last.env, last.service) in quiet else last.to_state
        instances[last.env, last.service, last.breaker].append(InstanceState(last, state))
    of_hour: dict[tuple[str, str, str], list[Transition]] = defaultdict(list)
    for each in hour:
        of_hour[each.env, each.service, each.breaker].append(each)
    for (env, service, breaker), group in instances.items():
        yield BreakerState(service, env, breaker, tuple(group), tuple(of_hour[env, service, breaker]), now_ns)
