"""One collector as the agent has come to know it: its breaker, how long it asked us to wait, when it was last of use."""

import random

from agents.own_breaker import Change, OwnBreaker
from agents.settings_values import BreakerSettings

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 15.0
AWAY_S = 30.0  # another collector that works is kept for so long before the first is tried again


def backoff_s(refusals: int) -> float:
    """Wait a random time up to a bound that doubles with each refusal ("full jitter")."""
    return random.uniform(0, min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(refusals, 10)))  # noqa: S311 - not secret


class Health:
    """
    Of one collector; not for several threads at once. Times are monotonic seconds.

    Attributes:
        key_refused: It does not know our key.
    """

    def __init__(self, url: str, settings: BreakerSettings, *, opened: bool) -> None:
        self.url = url
        self.breaker = OwnBreaker(settings.failures, settings.open_s, opened=opened)
        self.key_refused = False
        self._refusals = 0
        self._rest_until = 0.0
        self._away_until = 0.0

    def wait_s(self, now: float) -> float:
        """Give the seconds until it may be asked."""
        return max(self._rest_until - now, self.breaker.wait_s(now), 0.0)

    def is_preferred(self, now: float) -> bool:
        """Say whether it has not disappointed for a while: then it is tried before those behind it in the list."""
        return now >= self._away_until

    def answered(self, now: float, *, trial: bool) -> list[Change]:
        """Hear that it has settled a block, or a report."""
        self._refusals = 0
        self._rest_until = self._away_until = 0.0
        self.key_refused = False
        return self.breaker.answered(now, trial=trial)

    def refused(self, now: float, asked_s: float, *, trial: bool) -> list[Change]:
        """Hear that it works and does not take anything now; it asked for *asked_s* of peace."""
        self._rest(now, max(asked_s, backoff_s(self._refusals)))
        return self.breaker.answered(now, trial=trial)

    def failed(self, now: float, asked_s: float, *, at_once: bool, trial: bool) -> list[Change]:
        """Hear that it failed; *at_once*: the first failure is tried again without a pause."""
        jitter_s = backoff_s(self._refusals)
        first = at_once and self._refusals == 0
        changes = self.breaker.failed(now, jitter_s, trial=trial)
        is_open = self.breaker.state == "open"  # then its own clock counts
        self._rest(now, max(asked_s, 0.0 if first or is_open else jitter_s))
        return changes

    def forgive(self) -> None:
        """Let it be asked at once: the settings have changed."""
        self._refusals = 0
        self._rest_until = self._away_until = 0.0

    def _rest(self, now: float, seconds: float) -> None:
        self._refusals += 1
        self._rest_until = max(self._rest_until, now + seconds)
        self._away_until = now + AWAY_S
