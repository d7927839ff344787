"""The receivers of the settings in ``state/``: a row for each, which are disabled, how they stand as metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from collector.alerting import answers, standing
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.settings import Receiver
from collector.state import State

GAUGE_S = 10.0


class Roster:
    """
    Knows the receivers.

    Args:
        receivers: Of the settings.
        state: Where they stand.
        metrics: Show it.
        clock: Current time, aware.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        state: State,
        metrics: AlertingMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._receivers = receivers
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._registered = False
        self._gauged = -GAUGE_S

    def register(self) -> None:
        """
        Have a row for each receiver; once is enough.

        Raises:
            Unavailable: The state database refused.
        """
        if not self._registered:
            with self._state.write() as tx:
                for receiver in self._receivers:
                    standing.register(tx, receiver)
            self._registered = True

    def disabled(self) -> Mapping[str, str]:
        """
        Give why receivers are disabled, by their names.

        Raises:
            Unavailable: The state database refused.
        """
        with self._state.read() as tx:
            known = standing.disabled(tx)
        return {one.name: known[one.name] for one in self._receivers if one.name in known}

    def gauge(self) -> None:
        """Show how they stand, every some seconds."""
        if time.monotonic() - self._gauged < GAUGE_S:
            return
        self._gauged = time.monotonic()
        now = self._clock()
        with self._state.read() as tx:
            pending = answers.pending_by_receiver(tx)
            for receiver in self._receivers:
                stands = standing.read(tx, receiver.name)
                up = stands.disabled_at is None and stands.breaker(now) == "closed"
                self._metrics.receiver_up.labels(receiver=receiver.name).set(up)
                self._metrics.deliveries_pending.labels(receiver=receiver.name).set(
                    pending.get(receiver.name, 0)
                )
