"""When a source measures: the same moment of each interval, spread by a hash so that not everything happens at once."""

import time
import zlib


class Slots:
    """
    Moments that are *interval_s* apart in wall time, offset by a hash of *name*.

    They do not depend on when the agent was started; a measurement that takes longer than the interval skips slots instead of
    piling up.
    """

    def __init__(self, interval_s: float, name: str) -> None:
        self._interval_s = interval_s
        self._offset_s = zlib.crc32(name.encode()) / 2**32 * interval_s

    def wait_s(self, now: float | None = None) -> float:
        """Give the seconds from *now* (epoch, the clock's by default) to the next slot; never 0, so a slot is used once."""
        left = (self._offset_s - (time.time() if now is None else now)) % self._interval_s
        return left if left > self._interval_s / 100 else left + self._interval_s
