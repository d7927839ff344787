"""Deliver one receiver's due outbox rows; a slow receiver delays nobody but itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import SystemRandom

import structlog
from sqlalchemy import Connection

from collector.alerting import outbox, standing
from collector.alerting.dispatch import Dispatch
from collector.alerting.evaluator import LEASE, LEASE_S
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.outbox import Delivery
from collector.alerting.receivers import Message
from collector.alerting.retry import Verdict, judge
from collector.alerting.settings import Receiver
from collector.alerting.webhooks import Outcome
from collector.state import State, lease

log = structlog.get_logger(__name__)

# Attempts between two commits: what a kill in between repeats (under the same webhook-ids), and what two fsyncs are shared by.
BATCH = 16
MINUTE = timedelta(minutes=1)


def random_jitter() -> float:
    """Give the factor a delay is multiplied by: 0.5 to 1."""
    return SystemRandom().uniform(0.5, 1.0)


class Courier:
    """
    Makes the attempts for one receiver, batch after batch; used by one thread.

    Args:
        receiver: Where to.
        state: The outbox.
        dispatch: Makes the requests.
        holder: This collector's name in the lease; without the lease nothing is sent.
        metrics: Counts attempts.
        clock: Current time, for what ends after an attempt.
        public_url: Where people open the dashboards.
        jitter: Factor on delays, 0.5 to 1.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        state: State,
        dispatch: Dispatch,
        holder: str,
        metrics: AlertingMetrics,
        clock: Callable[[], datetime],
        public_url: str,
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self.receiver = receiver
        self._state = state
        self._dispatch = dispatch
        self._holder = holder
        self._metrics = metrics
        self._clock = clock
        self._public_url = public_url
        self._jitter = jitter
        self._empty: object | None = None

    def deliver_due(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """
        Attempt everything that is due, oldest first; give the number of attempts made.

        Args:
            stopping: Asked before each batch; True ends the call early.

        Raises:
            Unavailable: The state database refused; what was sent and not recorded is sent again
                under the same ``webhook-id``.
        """
        made = 0
        if self._empty is not None and self._state.mark() == self._empty:
            return made
        while not stopping() and (batch := self._begin()):
            self._finish(batch, self._dispatch.send(self.receiver, self._messages(batch)))
            made += len(batch)
        return made

    def _begin(self) -> list[Delivery]:
        """Give the attempts to make now, recorded as begun; none without the lease."""
        now, mark = self._clock(), self._state.mark()
        with self._state.read() as tx:
            due = outbox.due(tx, self.receiver.name, now, self._room(tx, now))
            waits = bool(due) or outbox.waits(tx, self.receiver.name)
        self._empty = None if waits else mark
        if not due:
            return []
        with self._state.write() as tx:
            if not lease.hold(tx, LEASE, self._holder, now, LEASE_S):
                return []
            return outbox.begin_attempts(tx, due, now)

    def _room(self, tx: Connection, now: datetime) -> int:
        """Give how many attempts may be made at once: one to a receiver that failed, what the rate leaves, a batch."""
        room = 1 if standing.read(tx, self.receiver.name).failures else BATCH
        if not self.receiver.rate_per_minute:
            return room
        used = outbox.attempts_since(tx, self.receiver.name, now - MINUTE)
        return max(0, min(room, self.receiver.rate_per_minute - used))

    def _messages(self, batch: Sequence[Delivery]) -> list[Message]:
        now = self._clock()
        return [
            Message(
                webhook_id=delivery.webhook_id,
                subject=delivery.subject,
                payload=delivery.payload,
                at=now,
                public_url=self._public_url,
            )
            for delivery in batch
        ]

    def _finish(self, batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        now = self._clock()
        finished = [
            (delivery, outcome, judge(outcome, delivery.attempt, delivery.created_at, now, self._jitter()))
            for delivery, outcome in zip(batch, outcomes, strict=True)
        ]
        with self._state.write() as tx:
            outbox.finish_attempts(tx, finished, now)
            moved = standing.note(tx, self.receiver.name, outcomes, now)
            if moved == "closed":
                outbox.hasten(tx, self.receiver.name, now)
        for delivery, outcome, verdict in finished:
            self._tell(delivery, outcome, verdict, now)
        if moved:
            self._metrics.breaker_transitions.labels(receiver=self.receiver.name, to=moved).inc()
            log.warning("receiver_breaker_moved", receiver=self.receiver.name, to=moved)

    def _tell(self, delivery: Delivery, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        self._metrics.attempts.labels(receiver=delivery.receiver, verdict=verdict.kind).inc()
        self._metrics.attempt_seconds.labels(receiver=delivery.receiver).observe(outcome.elapsed_ms / 1000)
        tell = {"delivered": log.info, "again": log.warning}.get(verdict.kind, log.error)
        tell(
            f"webhook_{'retried_later' if verdict.kind == 'again' else verdict.kind}",
            receiver=delivery.receiver,
            webhook_id=delivery.webhook_id,
            attempt=delivery.attempt,
            status=outcome.status,
            error=outcome.error,
            again_in_s=(verdict.again_at - now) / timedelta(seconds=1) if verdict.again_at else None,
        )
