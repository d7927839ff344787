"""
The dead-man's heartbeat: a receiver that hears nothing for longer than its patience knows that nobody watches.

Beaten only while evaluation works: the last look at the breakers and the last rules that ask are done, nothing is
stuck, this collector holds the lease. It is no delivery: late it would say what is no longer true, so it
is not kept in the outbox; a beat that fails is made again after a quarter of the interval. What it brought stands with the
receiver (``/receivers``) and in the metrics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime

import structlog

from collector.alerting import outbox, standing
from collector.alerting.dispatch import Dispatch
from collector.alerting.heartbeat_settings import HeartbeatSettings
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.receivers import Message
from collector.alerting.timestamps import rfc3339
from collector.alerting.webhooks import Outcome
from collector.state import State

log = structlog.get_logger(__name__)

# A failed beat is made again after this part of the interval: who listens allows for one that is late.
AGAIN = 4


class Heartbeat:
    """
    Beats; used by one thread.

    Args:
        settings: To whom, how often.
        state: Where the receiver's standing is.
        dispatch: Makes the request.
        metrics: Counts beats.
        clock: Current time, aware.
        public_url: Where people open the dashboards.
        alive: Whether evaluation works now.
    """

    def __init__(
        self,
        settings: HeartbeatSettings,
        *,
        state: State,
        dispatch: Dispatch,
        metrics: AlertingMetrics,
        clock: Callable[[], datetime],
        public_url: str,
        alive: Callable[[], bool],
    ) -> None:
        self.settings = settings
        self._state = state
        self._dispatch = dispatch
        self._metrics = metrics
        self._clock = clock
        self._public_url = public_url
        self._alive = alive
        self._last = ""

    def beat(self) -> float:
        """
        Beat once if evaluation works; give the seconds until the next one.

        Raises:
            Unavailable: The state database refused: nobody can be sure, so nothing was sent or noted.
        """
        outcome = self._outcome()
        self._metrics.heartbeats.labels(outcome=outcome).inc()
        if outcome != self._last:
            tell = log.info if outcome == "sent" else log.warning
            tell(f"heartbeat_{outcome}", receiver=self.settings.receiver.name)
        self._last = outcome
        interval_s = self.settings.interval_s
        return interval_s if outcome == "sent" else max(1.0, interval_s / AGAIN)

    def _outcome(self) -> str:
        receiver = self.settings.receiver
        with self._state.write() as tx:
            standing.register(tx, receiver)
            off = receiver.name in standing.disabled(tx)
        if off or not self._alive():
            return "withheld"
        (outcome,) = self._dispatch.send(receiver, [self._message(self._clock())])
        self._note(outcome)
        return "sent" if outcome.delivered else "failed"

    def _note(self, outcome: Outcome) -> None:
        now, name = self._clock(), self.settings.receiver.name
        with self._state.write() as tx:
            if standing.note(tx, name, [outcome], now) == "closed":
                outbox.hasten(tx, name, now)

    def _message(self, now: datetime) -> Message:
        """Give the beat; its id is that of its interval, whoever beats and however often."""
        name = self.settings.receiver.name
        tick = int(now.timestamp() // self.settings.interval_s)
        digest = hashlib.sha256(f"{name}\0heartbeat\0{tick}".encode()).hexdigest()
        data = {
            "receiver": name,
            "message": "Fuseboard evaluates its alerts.",
            "interval_s": self.settings.interval_s,
            "url": self._public_url,
        }
        body = {"type": "heartbeat", "timestamp": rfc3339(now), "data": data}
        return Message(f"msg_{digest[:32]}", "heartbeat", json.dumps(body), now, self._public_url)
