"""What a breaker has seen since its last transition: the numbers that explain the next one."""

import threading
from collections import deque
from typing import NamedTuple

OUTCOMES = 100  # the latest calls that a failure rate is computed over


class Seen(NamedTuple):
    """Numbers for one transition; ``failure_rate`` is 0 to 1, None without calls."""

    failure_rate: float | None
    calls: int
    not_permitted: int
    last_error: str | None


class Window:
    """The latest outcomes; any thread may record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: deque[bool] = deque(maxlen=OUTCOMES)
        self._not_permitted = 0
        self._last_error: str | None = None

    def success(self) -> None:
        """Record a call that succeeded."""
        with self._lock:
            self._outcomes.append(False)

    def failure(self, error: BaseException) -> None:
        """Record a call that failed with *error*."""
        with self._lock:
            self._outcomes.append(True)
            self._last_error = f"{type(error).__name__}: {error}"[:200]

    def not_permitted(self) -> None:
        """Record a call that was refused."""
        with self._lock:
            self._not_permitted += 1

    def turn(self) -> Seen:
        """Give the numbers and begin anew."""
        with self._lock:
            calls = len(self._outcomes)
            rate = round(sum(self._outcomes) / calls, 4) if calls else None
            seen = Seen(rate, calls, self._not_permitted, self._last_error)
            self._outcomes.clear()
            self._not_permitted = 0
            self._last_error = None
            return seen
