"""
How often a name may be tried with wrong passwords, and how often an address may try.

Five are free; then the name waits one minute, and twice as long after each further one, at most fifteen. A right password during the wait is refused as well, or
guessing would go on. What was counted is forgotten after an hour without a try.

An address (a /64 of IPv6) has fifty wrong attempts, at whatever names, and gets another every thirty seconds: an office behind one address mistypes less, and
a list of names with one password each comes to an end. Each collector counts for itself.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from collector.errors import NoRoom

FREE = 5
_FIRST_WAIT_S = 60.0
_MOST_WAIT_S = 900.0
_FORGOTTEN_S = 3600.0
# Names that somebody made up take memory, too, and so do addresses.
_MOST_NAMES = 10_000
_MOST_ADDRESSES = 10_000
FREE_OF_ADDRESS = 50
_ANOTHER_EVERY_S = 30.0


class Attempts:
    """
    Wrong attempts by name.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, name: str) -> None:
        """
        Let an attempt at *name* begin.

        Raises:
            NoRoom: ``too_many_attempts``, with how long to wait.
        """
        with self._lock:
            count, last = self._wrong.get(name, (0, 0.0))
            if count and self._clock() - last > _FORGOTTEN_S:
                del self._wrong[name]
                return
            wait_s = last + _wait_s(count) - self._clock()
        if count >= FREE and wait_s > 0:
            raise NoRoom(
                "too_many_attempts",
                f"{count} wrong attempts at this name: try again in {round(wait_s) + 1} s",
                retry_after_s=wait_s + 1,
            )

    def wrong(self, name: str) -> None:
        """Count a wrong attempt."""
        with self._lock:
            count, _ = self._wrong.pop(name, (0, 0.0))
            self._wrong[name] = (count + 1, self._clock())
            while len(self._wrong) > _MOST_NAMES:
                self._wrong.popitem(last=False)

    def right(self, name: str) -> None:
        """Forget what was counted."""
        with self._lock:
            self._wrong.pop(name, None)


class Addresses:
    """
    Wrong attempts by address: a bucket each, which fills again.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """
        Let an attempt from *address* begin; "" is nobody's.

        Raises:
            NoRoom: ``too_many_attempts``, with how long to wait.
        """
        with self._lock:
            left = self._now(address)
        if left < 1:
            wait_s = (1 - left) * _ANOTHER_EVERY_S
            raise NoRoom(
                "too_many_attempts",
                f"too many wrong attempts from your address: try again in {round(wait_s) + 1} s",
                retry_after_s=wait_s + 1,
            )

    def wrong(self, address: str) -> None:
        """Count a wrong attempt."""
        if not address:
            return
        with self._lock:
            left = self._now(address)
            self._left.pop(address, None)
            self._left[address] = (max(left - 1, 0.0), self._clock())
            while len(self._left) > _MOST_ADDRESSES:
                self._left.popitem(last=False)

    def _now(self, address: str) -> float:
        left, at = self._left.get(address, (float(FREE_OF_ADDRESS), self._clock()))
        return min(left + (self._clock() - at) / _ANOTHER_EVERY_S, float(FREE_OF_ADDRESS))


def _wait_s(count: int) -> float:
    return min(_FIRST_WAIT_S * 2.0 ** min(max(count - FREE, 0), 10), _MOST_WAIT_S) if count >= FREE else 0.0
