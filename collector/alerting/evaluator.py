"""One round of evaluation: ask, decide, commit the change together with its outbox rows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy import Connection

from collector.alerting import history, outbox
from collector.alerting.announce import announce
from collector.alerting.evaluate import Alert, Change, evaluate
from collector.alerting.evaluation import progress
from collector.alerting.evaluation.groups import Done
from collector.alerting.events import Event, breaker_event
from collector.alerting.incidents import store as incidents
from collector.alerting.inputs import BreakerNow, BreakerStates
from collector.alerting.living import Living
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.plan import Planner, after, nobody_on_call, outstanding
from collector.alerting.rules import RuleBook
from collector.alerting.settings import AlertingSettings
from collector.alerting.silences import store as silences
from collector.errors import StoreError
from collector.state import State, lease

log = structlog.get_logger(__name__)

LEASE = "alerting"
# Another collector takes over this long after the holder's last sign of life (design.md §13: ≤ 30 s).
LEASE_S = 15.0
# More changes at once are a line with their numbers.
TOLD_ONE_BY_ONE = 20
CLEAN_EVERY = timedelta(hours=1)
# How often it is written down that groups were evaluated that found what they had found before.
NOTED_EVERY = timedelta(minutes=1)
# The longest time without a round; a part of the lease's.
REST = timedelta(seconds=LEASE_S / 3)

Outcome = Literal["done", "no_lease", "engine_unavailable"]


@dataclass(frozen=True)
class _Rest:
    """What a round found that left nothing to the clock: until one of these changes the next would find the same."""

    at: datetime
    rules: object
    breakers: Sequence[BreakerNow]


@dataclass(frozen=True)
class Round:
    """What a round did; *written* outbox rows are waiting to be sent, *problem* is the engine's."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    written: int = 0
    problem: str = ""


class Evaluator:
    """
    Evaluates the rules about breakers' states, one round per call, and commits what the groups of other rules brought.

    Args:
        settings: Receivers, public URL, how long history is kept.
        book: From the rule files.
        state: Where alerts and outbox stand.
        breakers: Asked once per round.
        holder: This collector's name in the lease.
        metrics: Counts changes.
        on_call: Gives service -> its receiver, as the catalogue says.

    Attributes:
        planner: Says what is told of the changes.
    """

    def __init__(
        self,
        settings: AlertingSettings,
        book: RuleBook,
        *,
        state: State,
        breakers: BreakerStates,
        holder: str,
        metrics: AlertingMetrics,
        on_call: Callable[[], Mapping[str, str]] = nobody_on_call,
    ) -> None:
        self._settings = settings
        self._book = book
        self._state = state
        self._breakers = breakers
        self._holder = holder
        self._metrics = metrics
        self.planner = Planner(settings, on_call)
        self._cleaned_at: datetime | None = None
        self._lock = threading.Lock()
        self._living = Living(timedelta(seconds=LEASE_S / 2))
        self._after: list[Alert] | None = None
        self._rest: _Rest | None = None
        self._noted: dict[str, tuple[datetime, Mapping[str, str]]] = {}

    def rests(self, now: datetime) -> bool:
        """
        Whether a round would change nothing: no alert lives, nothing is due at any time, and no breaker is other than at the last one.

        A round comes every few seconds all the same: it keeps the lease and finds out whether the engine answers.
        """
        rest = self._rest
        if rest is None or not timedelta() <= now - rest.at < REST or rest.rules is not self._book.rules:
            return False
        try:
            return self._breakers.current() == rest.breakers
        except StoreError:
            return False

    def round(self, now: datetime) -> Round:
        """
        Take one step for every rule and breaker.

        A dead engine ends the round before anything is decided: nothing known, nothing changed.

        Raises:
            Unavailable: The state database refused; nothing was changed.
        """
        if self._is_clean_due(now) or not self._living.trusts(now):
            with self._state.write() as tx:
                if not lease.hold(tx, LEASE, self._holder, now, LEASE_S):
                    return Round("no_lease")
                self._clean(tx, now)
        try:
            breakers = self._breakers.current()
        except StoreError as error:
            return self._wait(error.message, now)
        # Again, in the transaction that counts: reading the breakers may have taken longer than the lease.
        with self._writing(now) as tx:
            if tx is None:
                return Round("no_lease")
            done = self._decide(tx, breakers, now)
        self._tell(done)
        return done

    @contextmanager
    def _writing(self, now: datetime) -> Iterator[Connection | None]:
        """Run a transaction that holds the lease, ``None`` = another has it; what it wrote is remembered once it is committed."""
        with self._lock:
            self._after = self._rest = None
            try:
                with self._state.write() as tx:
                    held = lease.hold(tx, LEASE, self._holder, now, LEASE_S)
                    if held:
                        self._living.held(now)
                    yield tx if held else None
            except BaseException:
                self._living.forget()
                raise
            if self._after is not None:
                self._living.become(self._after)

    def _wait(self, problem: str, now: datetime) -> Round:
        """Decide nothing without the engine; groups that are due and silences that end do not wait for it."""
        with self._writing(now) as tx:
            if tx is None:
                return Round("no_lease")
            return Round("engine_unavailable", (), self._write(tx, (), (), now), problem)

    def commit(self, done: Sequence[Done], now: datetime) -> Round:
        """
        Write what groups brought: alerts, their events, samples to be recorded, and that it is done; all of it or nothing.

        While everything is at rest, a group that brought nothing is written down once a minute: a restart evaluates it once more, and finds the same.

        Raises:
            Unavailable: The state database refused; nothing was changed.
        """
        if self._adds_nothing(done, now):
            return Round("done")
        changes = tuple(change for one in done for change in one.changes)
        notes = {note.id: note for one in done for note in one.notes}
        with self._writing(now) as tx:
            if tx is None:
                return Round("no_lease")
            for one in done:
                one.write(tx)
            evaluated = {one.group.id: one.evaluated(now) for one in done}
            progress.advance(tx, evaluated)
            written = self._write(tx, changes, (), now, notes)
        self._noted.update((group, (now, one.problems)) for group, one in evaluated.items())
        brought = Round("done", changes, written)
        self._tell(brought)
        return brought

    def _adds_nothing(self, done: Sequence[Done], now: datetime) -> bool:
        """Whether no alert lives, the lease is ours, and *done* brought nothing that is not written down."""
        if self._rest is None or not self._living.trusts(now):
            return False
        return all(not one.brings and self._is_noted(one, now) for one in done)

    def _is_noted(self, one: Done, now: datetime) -> bool:
        at, problems = self._noted.get(one.group.id, (None, {}))
        return (
            at is not None
            and timedelta() <= now - at < NOTED_EVERY
            and one.evaluated(now).problems == problems
        )

    def _decide(self, tx: Connection, breakers: Sequence[BreakerNow], now: datetime) -> Round:
        self.planner.breakers = breakers
        rules = self._book.rules
        living = self._living.of(tx, {rule.id for rule in rules.ticked}, rules.by_id)
        changes = tuple(evaluate(rules.ticked, living, breakers, now))
        announcements = tuple(announce(history.announced(tx), breakers, now))
        history.remember(tx, announcements)
        url = self._settings.public_url
        events = [breaker_event(announcement, url) for announcement in announcements]
        written = self._write(tx, changes, events, now)
        if not (written or changes or self._after or outstanding(tx)):
            self._rest = _Rest(now, rules, breakers)
        return Round("done", changes, written)

    def _write(
        self,
        tx: Connection,
        changes: Sequence[Change],
        events: Sequence[Event],
        now: datetime,
        notes: Mapping[str, Alert] | None = None,
    ) -> int:
        """Write *changes* and what is told of them, with *events*; give the number of deliveries."""
        living = [(notes or {}).get(alert.id, alert) for alert in self._living.all(tx)]
        history.apply(tx, changes)
        self._after = after(living, changes)
        told = self.planner.plan(tx, changes, self._after, now)
        return outbox.enqueue(tx, [*told, *events], self._settings.receivers, now)

    def _tell(self, done: Round) -> None:
        for change in done.changes:
            self._metrics.changes.labels(kind=change.kind).inc()
        if len(done.changes) > TOLD_ONE_BY_ONE:
            log.info("alerts_changed", kinds=dict(Counter(change.kind for change in done.changes)))
            return
        for change in done.changes:
            log.info(
                "alert_changed",
                kind=change.kind,
                alert=change.alert.id,
                rule=change.alert.rule,
                service=change.alert.labels.get("service"),
                breaker=change.alert.labels.get("breaker"),
                env=change.alert.labels.get("env"),
            )

    def _is_clean_due(self, now: datetime) -> bool:
        return self._cleaned_at is None or now - self._cleaned_at >= CLEAN_EVERY

    def _clean(self, tx: Connection, now: datetime) -> None:
        if not self._is_clean_due(now):
            return
        before = now - timedelta(days=self._settings.history_days)
        outbox.expire(tx, now)
        outbox.forget(tx, before)
        history.forget_resolved(tx, before)
        silences.forget(tx, before)
        incidents.forget(tx, before)
        self._cleaned_at = now
