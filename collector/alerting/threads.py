"""
The threads of alerting: one looks at breakers, one asks groups, one per receiver delivers, one beats.

Threads because every step waits (for ClickHouse, the disk, a receiver) and none computes for long. They share nothing but the state database and a wake-up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from collector.alerting.courier import Courier
from collector.alerting.heartbeat import Heartbeat
from collector.alerting.pulse import Pulse
from collector.alerting.rounds import Rounds
from collector.alerting.rules.watch import Watch

# How late a retry may be; a new event wakes its couriers at once.
POLL_S = 0.5
# How late a group may be evaluated; without one that is due soon nobody looks as often.
ASK_S = 0.5


class Threads:
    """
    Run until they are stopped.

    Args:
        couriers: One per receiver.
        pulse: Is told what fails.
        interval_s: Between two looks at the breakers.
    """

    def __init__(self, couriers: Sequence[Courier], pulse: Pulse, interval_s: float) -> None:
        self._couriers = couriers
        self._pulse = pulse
        self._interval_s = interval_s
        self._stop, self._heard, self._reread = threading.Event(), threading.Event(), threading.Event()
        self._wakes = tuple(threading.Event() for _ in couriers)
        self._threads: list[threading.Thread] = []

    def start(self, rounds: Rounds, watch: Watch, heartbeat: Heartbeat | None) -> None:
        """Start them; what a killed predecessor left pending is sent first."""
        self._add("evaluate", lambda: self._evaluate(rounds))
        self._add("ask", lambda: self._ask(rounds, watch))
        for courier, wake in zip(self._couriers, self._wakes, strict=True):
            self._add(f"deliver-{courier.receiver.name}", self._delivering(courier, wake))
        if heartbeat is not None:
            self._add("heartbeat", lambda: self._beat(heartbeat))
        for thread in self._threads:
            thread.start()

    def tell_to_stop(self) -> None:
        """Let each end after what it is about."""
        self._stop.set()
        self._heard.set()
        self._reread.set()
        self.wake()

    def join(self, until: float) -> bool:
        """Wait for them to end, not beyond *until* on the monotonic clock; say whether all have."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not self.running

    @property
    def started(self) -> bool:
        """Whether they were started."""
        return bool(self._threads)

    @property
    def running(self) -> bool:
        """Whether any still runs."""
        return any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Have the couriers look now."""
        for wake in self._wakes:
            wake.set()

    def hear(self) -> None:
        """Have the breakers looked at now, not at the next interval."""
        self._heard.set()

    def reread(self) -> None:
        """Have it looked now whether the rules are to be read again."""
        self._reread.set()

    def _add(self, name: str, run: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=run, name=f"alerting-{name}", daemon=True))

    def _evaluate(self, rounds: Rounds) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            if self._heard.wait(max(0.0, due - time.monotonic())):
                self._heard.clear()
                due = time.monotonic()
                if self._stop.is_set():
                    return
            due = max(due + self._interval_s, time.monotonic())
            try:
                rounds.tick_unless_at_rest()
            except Exception as error:  # noqa: BLE001 - the round after this one may succeed; nothing was committed
                self._pulse.failed("alerting_round_failed", error)

    def _ask(self, rounds: Rounds, watch: Watch) -> None:
        pause_s = ASK_S
        while not self._stop.is_set():
            if self._reread.wait(pause_s):
                self._reread.clear()
                if self._stop.is_set():
                    return
            pause_s = ASK_S
            try:
                watch.look()
                rounds.ask_and_record()
                pause_s = max(ASK_S, min(watch.wait_s, rounds.asks_in_s()))
            except Exception as error:  # noqa: BLE001 - what was not committed is asked again
                self._pulse.failed("alerting_groups_failed", error)

    def _beat(self, heartbeat: Heartbeat) -> None:
        pause_s = min(heartbeat.settings.interval_s, POLL_S + self._interval_s)
        while not self._stop.wait(pause_s):
            try:
                pause_s = heartbeat.beat()
            except Exception as error:  # noqa: BLE001 - silence is what it says when something is wrong
                pause_s = heartbeat.settings.interval_s
                self._pulse.failed("alerting_heartbeat_failed", error)

    def _delivering(self, courier: Courier, wake: threading.Event) -> Callable[[], None]:
        def deliver() -> None:
            while not self._stop.is_set():
                wake.clear()
                try:
                    courier.deliver_due(stopping=self._stop.is_set)
                except Exception as error:  # noqa: BLE001 - the row is still pending and is tried again
                    self._pulse.failed("alerting_delivery_failed", error)
                wake.wait(POLL_S)

        return deliver
