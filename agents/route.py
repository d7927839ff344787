"""
Which collector a block goes to, and when.

Blocks go to the *current* collector: the first of the list that may be asked. One that refuses, cannot be reached or does
not answer is passed over for ``AWAY_S`` while another works, then it is preferred again, so the agent returns to the first
of its list by itself. Each has a circuit breaker (``own_breaker``); when all must be waited for, senders wait.

A block whose fate is unknown (sent, no answer) is *pinned*: it is tried again only where it was sent, whose journal knows it
(design §5). The choice is durable before it is acted on: a block without a pin can only have been sent to the collector that
the checkpoint names, and only up to its ``sent_through``; so a restart pins those, also what had been answered and was not
checkpointed yet. A collector that is taken out of the settings frees its
blocks.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from agents.health import Health
from agents.ledger import Ledger
from agents.own_breaker import Change
from agents.settings_values import BreakerSettings

Hear = Callable[[str, Change], None]


class Permit(NamedTuple):
    """Leave to send one request: where to, and whether it is the trial of a breaker that was open."""

    url: str
    trial: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What /metrics and reports say of one collector."""

    url: str
    state: str
    key_refused: bool
    current: bool


class Route:
    """The collectors, the current one, and the pins; shared by the senders."""

    def __init__(
        self,
        collectors: tuple[str, ...],
        settings: BreakerSettings,
        ledger: Ledger,
        hear: Hear,
        opened: frozenset[str] = frozenset(),
    ) -> None:
        """
        Take up where the checkpoint left off.

        Args:
            collectors: URLs, the preferred one first.
            settings: Of each breaker.
            ledger: Keeps the choice.
            hear: Is told of each change of a breaker.
            opened: Collectors whose breaker was last said to be open.
        """
        self._ledger = ledger
        self._hear = hear
        self._lock = threading.Lock()
        self._sending: set[int] = set()
        known, self._pins = ledger.route()
        self._current = known or collectors[0]
        if known is not None:
            self._pins = dict.fromkeys(ledger.perhaps_sent(), known) | self._pins
        self._doubtful = set(self._pins)
        self._healths: dict[str, Health] = {}
        self._set_collectors(collectors, settings, opened)

    def reconfigure(self, collectors: tuple[str, ...], settings: BreakerSettings) -> None:
        """Take other collectors, or the same with another key: nobody is waited for that was refused before."""
        with self._lock:
            self._set_collectors(collectors, settings, frozenset())

    def wait_s(self) -> float:
        """Give the seconds until a block without a pin may be sent somewhere."""
        with self._lock:
            now = time.monotonic()
            return min(health.wait_s(now) for health in self._healths.values())

    def is_closed_to_more(self) -> bool:
        """Say whether there is one collector and its breaker is not closed: a trial is for what was sent before."""
        with self._lock:
            states = [health.breaker.state for health in self._healths.values()]
            return len(states) == 1 and states[0] != "closed"

    def begin(self, sequence: int) -> Permit | float:
        """
        Ask where to send the block of *sequence*; it counts as being sent from now on.

        Returns:
            The permit, or the seconds after which to ask again.

        Raises:
            OSError: Another collector would have to become current, and the disk does not keep that.
        """
        with self._lock:
            now = time.monotonic()
            pin = self._pins.get(sequence)
            found = self._healths[pin] if pin in self._healths else self._best(now)
            wait_s = found.wait_s(now)
            if wait_s > 0:
                return wait_s
            if found.url != pin:
                self._make_current(found.url)
                self._sending.add(sequence)
            return Permit(found.url, found.breaker.begin(now))

    def taken(self, permit: Permit, sequence: int) -> bool:
        """Hear that the collector has given a final answer; True when its breaker is closed (now)."""
        with self._lock:
            self._forget(sequence)
            self._note(permit, lambda health, now: health.answered(now, trial=permit.trial))
        return self.is_well(permit.url)

    def is_well(self, url: str) -> bool:
        """Say whether the breaker of *url* is closed."""
        with self._lock:
            health = self._healths.get(url)
            return health is not None and health.breaker.state == "closed"

    def refused(
        self, permit: Permit, sequence: int, asked_s: float, *, failed: bool, key_refused: bool = False
    ) -> None:
        """Hear that the collector has not taken it for sure; any may be asked next."""
        with self._lock:
            self._sending.discard(sequence)
            if sequence not in self._doubtful:
                self._pins.pop(sequence, None)

            def note(health: Health, now: float) -> list[Change]:
                health.key_refused = key_refused
                if failed:
                    return health.failed(now, asked_s, at_once=False, trial=permit.trial)
                return health.refused(now, asked_s, trial=permit.trial)

            self._note(permit, note)

    def unknown(self, permit: Permit, sequence: int) -> None:
        """Hear that nobody but the collector knows whether it has the block: keep it there."""
        with self._lock:
            self._sending.discard(sequence)
            self._pins[sequence] = permit.url
            self._doubtful.add(sequence)
            self._set_route()
            # most often an idle connection that was closed: once more, at once
            self._note(permit, lambda health, now: health.failed(now, 0.0, at_once=True, trial=permit.trial))

    def standings(self) -> list[Standing]:
        """Say how each collector stands, in the list's order."""
        with self._lock:
            return [
                Standing(url, health.breaker.state, health.key_refused, url == self._current)
                for url, health in self._healths.items()
            ]

    def _best(self, now: float) -> Health:
        """Give the collector for a block that may go anywhere: the first of the readiest."""
        return min(
            self._healths.values(), key=lambda health: (health.wait_s(now), not health.is_preferred(now))
        )

    def _make_current(self, url: str) -> None:
        """Send what comes next to *url*; what is on its way stays where it is. Durable when it returns."""
        if url == self._current:
            return
        before = self._current, self._pins
        self._pins = dict.fromkeys(self._sending - self._pins.keys(), self._current) | self._pins
        self._current = url
        try:
            self._write()
        except OSError:
            self._current, self._pins = before
            self._set_route()
            raise

    def _note(self, permit: Permit, hear: Callable[[Health, float], list[Change]]) -> None:
        health = self._healths.get(permit.url)
        if health is None:
            return  # taken out of the settings while it was being asked
        for change in hear(health, time.monotonic()):
            self._hear(permit.url, change)

    def _forget(self, sequence: int) -> None:
        self._sending.discard(sequence)
        self._doubtful.discard(sequence)
        self._pins.pop(sequence, None)

    def _set_collectors(
        self, collectors: tuple[str, ...], settings: BreakerSettings, opened: frozenset[str]
    ) -> None:
        self._healths = {url: self._health(url, settings, opened) for url in collectors}
        if self._current not in collectors:
            self._current = collectors[0]
            self._pins = {sequence: url for sequence, url in self._pins.items() if url in collectors}
            self._write()

    def _health(self, url: str, settings: BreakerSettings, opened: frozenset[str]) -> Health:
        health = self._healths.get(url)
        if health is None:
            return Health(url, settings, opened=url in opened)
        health.breaker.failures, health.breaker.open_s = settings.failures, settings.open_s
        health.forgive()
        return health

    def _write(self) -> None:
        self._pins = {
            sequence: url
            for sequence, url in self._pins.items()
            if sequence in self._doubtful or not self._ledger.is_settled(sequence)
        }
        self._set_route()
        self._ledger.save()

    def _set_route(self) -> None:
        self._ledger.set_route(self._current, self._pins)
