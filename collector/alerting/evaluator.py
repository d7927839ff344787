"""One round of evaluation: ask, decide, commit the change together with its outbox rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy import Connection

from collector.alerting import history, outbox
from collector.alerting.announce import announce
from collector.alerting.evaluate import Change, evaluate
from collector.alerting.events import breaker_event
from collector.alerting.inputs import BreakerNow, BreakerStates
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.plan import Planner, after
from collector.alerting.rules import Rule
from collector.alerting.settings import AlertingSettings
from collector.alerting.silences import store as silences
from collector.errors import StoreError
from collector.state import State, lease

log = structlog.get_logger(__name__)

LEASE = "alerting"
# Another collector takes over this long after the holder's last sign of life (design.md §13: ≤ 30 s).
LEASE_S = 15.0
CLEAN_EVERY = timedelta(hours=1)

Outcome = Literal["done", "no_lease", "engine_unavailable"]


@dataclass(frozen=True)
class Round:
    """What a round did; *written* outbox rows are waiting to be sent, *problem* is the engine's."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    written: int = 0
    problem: str = ""


class Evaluator:
    """
    Evaluates all rules, one round per call; used by one thread.

    Args:
        settings: Receivers, public URL, how long history is kept.
        rules: From the rule files.
        state: Where alerts and outbox stand.
        breakers: Asked once per round.
        holder: This collector's name in the lease.
        metrics: Counts changes.
    """

    def __init__(
        self,
        settings: AlertingSettings,
        rules: Sequence[Rule],
        *,
        state: State,
        breakers: BreakerStates,
        holder: str,
        metrics: AlertingMetrics,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._state = state
        self._breakers = breakers
        self._holder = holder
        self._metrics = metrics
        self._planner = Planner(settings.public_url)
        self._cleaned_at: datetime | None = None

    def round(self, now: datetime) -> Round:
        """
        Take one step for every rule and breaker.

        A dead engine ends the round before anything is decided: nothing known, nothing changed.

        Raises:
            Unavailable: The state database refused; nothing was changed.
        """
        with self._state.write() as tx:
            if not lease.hold(tx, LEASE, self._holder, now, LEASE_S):
                return Round("no_lease")
            self._clean(tx, now)
        try:
            breakers = self._breakers.current()
        except StoreError as error:
            return Round("engine_unavailable", problem=error.message)
        with self._state.write() as tx:
            # Again, in the transaction that counts: reading the breakers may have taken longer than the lease.
            if not lease.hold(tx, LEASE, self._holder, now, LEASE_S):
                return Round("no_lease")
            done = self._decide(tx, breakers, now)
        self._tell(done)
        return done

    def _decide(self, tx: Connection, breakers: Sequence[BreakerNow], now: datetime) -> Round:
        living = history.living(tx)
        changes = tuple(evaluate(self._rules, living, breakers, now))
        history.apply(tx, changes)
        announcements = tuple(announce(history.announced(tx), breakers, now))
        history.remember(tx, announcements)
        url = self._settings.public_url
        events = [
            *self._planner.plan(tx, changes, after(living, changes), now),
            *(breaker_event(announcement, url) for announcement in announcements),
        ]
        return Round("done", changes, outbox.enqueue(tx, events, self._settings.receivers, now))

    def _tell(self, done: Round) -> None:
        for change in done.changes:
            self._metrics.changes.labels(kind=change.kind).inc()
            log.info(
                "alert_changed",
                kind=change.kind,
                alert=change.alert.id,
                rule=change.alert.rule,
                service=change.alert.labels.get("service"),
                breaker=change.alert.labels.get("breaker"),
                env=change.alert.labels.get("env"),
            )

    def _clean(self, tx: Connection, now: datetime) -> None:
        if self._cleaned_at and now - self._cleaned_at < CLEAN_EVERY:
            return
        before = now - timedelta(days=self._settings.history_days)
        outbox.expire(tx, now)
        outbox.forget(tx, before)
        history.forget_resolved(tx, before)
        silences.forget(tx, before)
        self._cleaned_at = now
