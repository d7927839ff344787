"""
A bound on the statements that run at once, and on those that wait for a turn.

Readers share the engine with ingestion, alerts and health. Whoever comes when as many wait already is told so at once: a thread that waits is one less
for those who need no turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from collector.errors import Refused, Unavailable

# How soon somebody who waits notices that nobody waits for the answer any more.
_LOOK_S = 0.25
_RETRY_S = 2.0


def queries_busy(sentence: str) -> Unavailable:
    """Make the refusal of a reader."""
    return Unavailable("queries_busy", f"{sentence}; ask again soon", retry_after_s=_RETRY_S)


class Bulkhead:
    """
    Turns. Thread-safe.

    Args:
        at_once: How many hold a turn at the same time.
        waiting: How many may wait for one.
        wait_s: How long.
        refusal: Makes the error out of the sentence that says why.
    """

    def __init__(
        self,
        at_once: int = 8,
        waiting: int = 16,
        wait_s: float = 10.0,
        refusal: Callable[[str], Refused] = queries_busy,
    ) -> None:
        self._at_once = at_once
        self._most_waiting = waiting
        self._wait_s = wait_s
        self._refusal = refusal
        self._changed = threading.Condition()
        self.running = 0
        self.waiting = 0

    @contextmanager
    def turn(self, check: Callable[[], object] = lambda: None) -> Iterator[None]:
        """
        Hold a turn for the block.

        Args:
            check: Called while waiting; raises when nobody wants the turn any more.

        Raises:
            Refused: What *refusal* made: too many wait, or none ended in time.
        """
        with self._changed:
            if self.running >= self._at_once:
                self._queue(check)
            self.running += 1
        try:
            yield
        finally:
            with self._changed:
                self.running -= 1
                self._changed.notify()

    def _queue(self, check: Callable[[], object]) -> None:
        if self.waiting >= self._most_waiting:
            raise self._refusal(f"{self._at_once} statements run and {self.waiting} wait already")
        self.waiting += 1
        try:
            self._wait(check)
        finally:
            self.waiting -= 1

    def _wait(self, check: Callable[[], object]) -> None:
        deadline = time.monotonic() + self._wait_s
        while self.running >= self._at_once:
            check()
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._refusal(
                    f"{self._at_once} statements run already and none ended within {self._wait_s:g} s"
                )
            self._changed.wait(min(left_s, _LOOK_S))
