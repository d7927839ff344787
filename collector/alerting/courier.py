"""Deliver one receiver's due outbox rows; a slow receiver delays nobody but itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import SystemRandom

import structlog

from collector.alerting import outbox
from collector.alerting.evaluator import LEASE, LEASE_S
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.outbox import Delivery
from collector.alerting.retry import judge
from collector.alerting.settings import Receiver
from collector.alerting.webhooks import Outcome, Sender, sign
from collector.state import State, lease

log = structlog.get_logger(__name__)


# Asking what is due costs a sort of all that is due: not once per delivery when thousands wait.
BATCH = 100


def random_jitter() -> float:
    """Give the factor a delay is multiplied by: 0.5 to 1."""
    return SystemRandom().uniform(0.5, 1.0)


class Courier:
    """
    Makes the attempts for one receiver, one after the other; used by one thread.

    Args:
        receiver: Where to.
        state: The outbox.
        sender: Makes the requests.
        holder: This collector's name in the lease; without the lease nothing is sent.
        metrics: Counts attempts.
        jitter: Factor on delays, 0.5 to 1.
        clock: Current time, for what ends after an attempt.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        state: State,
        sender: Sender,
        holder: str,
        metrics: AlertingMetrics,
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self.receiver = receiver
        self._state = state
        self._sender = sender
        self._holder = holder
        self._metrics = metrics
        self._clock = clock
        self._jitter = jitter

    def deliver_due(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """
        Attempt everything that is due, oldest first; give the number of attempts made.

        Args:
            stopping: Asked before each attempt; True ends the call early.

        Raises:
            Unavailable: The state database refused; what was sent and not recorded is sent again
                under the same ``webhook-id``.
        """
        made = 0
        while due := self._due():
            for delivery_id in due:
                verdict = None if stopping() else self._attempt(delivery_id)
                if verdict is None:
                    return made
                made += 1
                if verdict != "delivered":
                    break  # the receiver may have asked for a pause: look again at what is due
        return made

    def _due(self) -> list[int]:
        with self._state.read() as tx:
            return outbox.due(tx, self.receiver.name, self._clock(), BATCH)

    def _attempt(self, delivery_id: int) -> str | None:
        """Make one attempt; give its verdict, None if it may not be made (no lease, no longer pending)."""
        now = self._clock()
        with self._state.write() as tx:
            if not lease.hold(tx, LEASE, self._holder, now, LEASE_S):
                return None
            delivery = outbox.begin_attempt(tx, delivery_id, now)
        return self._finish(delivery, self._send(delivery, now)) if delivery else None

    def _send(self, delivery: Delivery, now: datetime) -> Outcome:
        body = delivery.payload.encode()
        return self._sender.send(
            self.receiver.url,
            sign(self.receiver.secret, delivery.webhook_id, now, body),
            body,
            allow_private=self.receiver.allow_private,
            timeout_s=self.receiver.timeout_s,
        )

    def _finish(self, delivery: Delivery, outcome: Outcome) -> str:
        now = self._clock()
        verdict = judge(outcome, delivery.attempt, delivery.created_at, now, self._jitter())
        with self._state.write() as tx:
            outbox.finish_attempt(tx, delivery, outcome, verdict, now)
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
        return verdict.kind
