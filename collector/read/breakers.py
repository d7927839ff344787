"""
Breakers: the current state of each, per instance and together, and what their last hour was like.

An instance's state is the ``to`` of its last transition before the window's end. *Stale*: its service has sent nothing
(no log record, no span, no transition, no sample of a breaker) for five minutes; then nobody knows, and the state is ``unknown``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.query.window import SECOND_NS, Window, parse_time, sql_time
from collector.read.breaker_metrics import WAYS
from collector.read.sql import Reader, Store
from collector.read.transitions import Chosen, Holder, Transition, transitions
from collector.store.limits import QueryLimits

# Services report at least every scrape interval or heartbeat; five minutes are many of both.
STALE_NS = 300 * SECOND_NS
# A probe takes one call; half open for longer than this means no call comes, or none ends.
STUCK_NS = 60 * SECOND_NS
# Flapping: opened three times out of closed within ten minutes, in one instance.
FLAPPING_OPENS, FLAPPING_NS = 3, 600 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS
# A state holds until the next transition, however long ago it began; this is the longest default retention.
_LOOK_BACK_NS = 30 * 24 * HOUR_NS

# Of instances that disagree, the worst is the breaker's state.
_WORST_FIRST = ("open", "forced_open", "half_open", "unknown", "disabled", "metrics_only", "closed")
OPEN_STATES = ("open", "forced_open")


@dataclass(frozen=True, slots=True)
class BreakerNow:
    """One instance's view of one breaker; fits ``collector.alerting.BreakerNow``."""

    service: str
    env: str
    breaker: str
    target: str
    instance: str
    state: str
    since: datetime
    reason: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class InstanceState:
    """The last transition of one instance, and the state it means now."""

    last: Transition
    state: str

    @property
    def stale(self) -> bool:
        """Whether the service has gone quiet."""
        return self.state == "unknown"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """
    One breaker over all its instances.

    Attributes:
        instances: By name; at least one.
        hour: Its reconciled transitions of the hour before, newest first.
    """

    service: str
    env: str
    breaker: str
    instances: tuple[InstanceState, ...]
    hour: tuple[Transition, ...]
    now_ns: int

    @property
    def shown(self) -> InstanceState:
        """The instance that stands for the breaker: of the worst state, the one longest in it."""
        return min(self.instances, key=lambda it: (_WORST_FIRST.index(it.state), it.last.at_ns))

    @property
    def state(self) -> str:
        """The worst of its instances' states."""
        return self.shown.state

    @property
    def target(self) -> str:
        """What it protects against; its own name when nobody said."""
        return next((it.last.target for it in self.instances if it.last.target), self.breaker)

    @property
    def agree(self) -> bool:
        """Whether all instances are in the same state."""
        return len({it.state for it in self.instances}) == 1

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


_LAST_BY_INSTANCE = """
SELECT service, env, breaker, instance,
       argMax((at, target, from_state, to_state, reason, derived, trace_id, span_id), (at, NOT derived)) AS last,
       max(observed_at) AS heard
FROM breaker_transitions
WHERE at >= {since:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
  AND ({service:String} = '' OR service = {service:String})
  AND ({breaker:String} = '' OR breaker = {breaker:String})
GROUP BY service, env, breaker, instance
ORDER BY env, service, breaker, instance
LIMIT 20000
"""
_HEARD = """
SELECT service, env, max(last_at) AS heard
FROM (SELECT service, env, last_at FROM log_minutes
      WHERE minute >= toDateTime({recent:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      UNION ALL
      SELECT service, env, last_at FROM service_minutes
      WHERE minute >= toDateTime({recent:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
      UNION ALL
      SELECT service, env, m.last_seen AS last_at FROM metric_series AS m
      WHERE name IN {metrics:Array(String)} AND m.last_seen >= {recent:DateTime64(9, 'UTC')} AND m.last_seen < {end:DateTime64(9, 'UTC')})
GROUP BY service, env
LIMIT 20000
"""


_EVERY = Chosen()


def states(reader: Reader, end: Window, chosen: Chosen = _EVERY) -> list[BreakerState]:
    """
    Return every chosen breaker as it stood at the end of *end*.

    Args:
        reader: The store.
        end: Only its end counts.
        chosen: ``services`` may name one service.
    """
    now = min(end.end_ns, end.now_ns)
    params = {
        **end.params(),
        "since": _sql(now - _LOOK_BACK_NS),
        "recent": _sql(now - STALE_NS - 60 * SECOND_NS),
        "env": chosen.env,
        "service": chosen.services[0] if chosen.services else "",
        "breaker": chosen.breaker,
        "metrics": sorted({way.metric for way in WAYS}),
    }
    rows = reader.rows(_LAST_BY_INSTANCE, params)
    if not rows:
        return []
    heard = {(row["env"], row["service"]): _ns(row["heard"]) for row in reader.rows(_HEARD, params)}
    for row in rows:
        key = (row["env"], row["service"])
        heard[key] = max(heard.get(key, 0), _ns(row["heard"]))
    hour = transitions(reader, Window(now - HOUR_NS, end.end_ns, now), chosen)
    newest: dict[Holder, Transition] = {}
    for each in hour:
        newest.setdefault(each.holder, each)
    lasts = [newest.get(last.holder, last) for last in map(_last, rows)]
    quiet = {key for key, at_ns in heard.items() if at_ns < now - STALE_NS}
    return list(_grouped(lasts, hour, quiet, now))


def _sql(at_ns: int) -> str:
    return sql_time(max(at_ns, 0))


def _ns(text: str) -> int:
    return parse_time(text, "at", 0)


def _last(row: dict[str, object]) -> Transition:
    told = row["last"]
    assert isinstance(told, list)
    at, target, from_state, to_state, reason, derived, trace_id, span_id = told
    return Transition(
        at_ns=_ns(at),
        service=str(row["service"]),
        env=str(row["env"]),
        breaker=str(row["breaker"]),
        target=target,
        instance=str(row["instance"]),
        from_state=from_state,
        to_state=to_state,
        reason=reason,
        derived=bool(derived),
        trace_id=trace_id,
        span_id=span_id,
    )


def _grouped(
    lasts: Iterable[Transition], hour: list[Transition], quiet: set[tuple[str, str]], now_ns: int
) -> Iterable[BreakerState]:
    instances: dict[tuple[str, str, str], list[InstanceState]] = defaultdict(list)
    for last in lasts:
        state = "unknown" if (last.env, last.service) in quiet else last.to_state
        instances[last.env, last.service, last.breaker].append(InstanceState(last, state))
    of_hour: dict[tuple[str, str, str], list[Transition]] = defaultdict(list)
    for each in hour:
        of_hour[each.env, each.service, each.breaker].append(each)
    for (env, service, breaker), group in instances.items():
        yield BreakerState(service, env, breaker, tuple(group), tuple(of_hour[env, service, breaker]), now_ns)


class Breakers:
    """
    The present states, for the alert evaluator.

    Args:
        store: ClickHouse.
        clock_ns: Nanoseconds since the epoch.
        limits: What a look at them may take.
    """

    def __init__(
        self,
        store: Store,
        clock_ns: Callable[[], int] = time.time_ns,
        limits: QueryLimits | None = None,
    ) -> None:
        self._store = store
        self._clock_ns = clock_ns
        self._limits = limits or QueryLimits()

    def current(self) -> list[BreakerNow]:
        """
        Return the state of every breaker in every instance now.

        Raises:
            StoreUnavailable: The engine is away.
        """
        now = self._clock_ns()
        # A little ahead: a service's clock may be ahead of ours, and its last word counts.
        end = Window(now, now + 60 * SECOND_NS, now)
        return [
            _now(it)
            for breaker in states(Reader(self._store, limits=self._limits), end)
            for it in breaker.instances
        ]


def _now(it: InstanceState) -> BreakerNow:
    last = it.last
    since = datetime.fromtimestamp(last.at_ns / SECOND_NS, UTC)
    return BreakerNow(
        last.service,
        last.env,
        last.breaker,
        last.target,
        last.instance,
        it.state,
        since,
        last.reason,
        last.trace_id,
    )
