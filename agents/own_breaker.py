"""
The agent's own circuit breaker, one per collector: pure, the time is passed in (seconds, monotonic).

closed → open after ``failures`` requests in a row that failed (no connection, no answer, 408, 5xx) → half_open once ``open_s``
is over: one request tries, the others wait → closed when it is answered, else open again. An answer of any other status is
a collector that works, also when it says 401 or 429. After each trial that fails it stays open a random time longer (full
jitter), so that a fleet does not come back in step.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that others should hear of; *at* is monotonic seconds."""

    before: State
    after: State
    at: float


class OwnBreaker:
    """State and the few numbers behind it; not for several threads at once."""

    def __init__(self, failures: int, open_s: float, *, opened: bool = False) -> None:
        """Begin closed, or *opened* (as the former process was) with a trial due at once."""
        self.failures = failures
        self.open_s = open_s
        self.state: State = "open" if opened else "closed"
        self.failed_in_a_row = 0
        self._open_until = 0.0
        self._tried_at = 0.0

    def wait_s(self, now: float) -> float:
        """Give the seconds until a request may go; infinite while a trial is on its way."""
        if self.state == "half_open":
            return float("inf")
        return max(0.0, self._open_until - now) if self.state == "open" else 0.0

    def begin(self, now: float) -> bool:
        """Let a request go; True when it is the trial."""
        if self.state != "open":
            return False
        self.state = "half_open"
        self._tried_at = now
        return True

    def answered(self, now: float, *, trial: bool) -> list[Change]:
        """Hear that the collector works. A trial's way through half_open is told now, when it has led somewhere."""
        if self.state == "closed":
            self.failed_in_a_row = 0
        if not trial or self.state != "half_open":
            return []
        self.state = "closed"
        self.failed_in_a_row = 0
        return [Change("open", "half_open", self._tried_at), Change("half_open", "closed", now)]

    def failed(self, now: float, jitter_s: float, *, trial: bool) -> list[Change]:
        """Hear that a request failed; *jitter_s* prolongs the time until the next trial."""
        if trial:
            self.state = "open"
            self._open_until = now + self.open_s + jitter_s
            return []
        self.failed_in_a_row += 1
        if self.state != "closed" or self.failed_in_a_row < self.failures:
            return []
        self.state = "open"
        self._open_until = now + self.open_s
        return [Change("closed", "open", now)]
