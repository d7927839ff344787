"""What was read for one answer and may serve the next: about the past, or a week, a minute more or less changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

# Late data show after this; a page about the past asks several questions within it.
_KEPT_S = 60.0
# The states of ten thousand breakers' instances, written answers included, are about ten megabytes.
_MOST = 8


class Kept:
    """
    Answers by what was asked, each kept for a minute; the oldest makes room. Thread-safe.

    Args:
        clock_s: Seconds, monotonic.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._answers: dict[Hashable, tuple[float, Any]] = {}

    def answer(self, asked: Hashable, read: Callable[[], Any]) -> Any:
        """Return what *read* gave for *asked* within the last minute, else what it gives now; two who ask at once may both read."""
        now_s = self._clock_s()
        with self._lock:
            kept = self._answers.get(asked)
        if kept is not None and now_s < kept[0] + _KEPT_S:
            return kept[1]
        found = read()
        with self._lock:
            self._answers.pop(asked, None)
            self._answers[asked] = (now_s, found)
            while len(self._answers) > _MOST:
                del self._answers[next(iter(self._answers))]
        return found
