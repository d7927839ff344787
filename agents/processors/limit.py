"""
The most that one source may ship: ``[limit]``, a token bucket with hysteresis.

A source may ship ``rate`` lines (bytes) per second, and ``burst_s`` seconds' worth at once after a quiet time. When it wants
more, it becomes *limited*: what goes beyond is dropped at a line's end (*rate_limited*), and from then on it gets
``resume_ratio`` of the rate only, without bursts. It is let through again when it has come at less than that for a second. So a source
that hovers at the rate does not flap, and one that storms is still seen.

A line may overdraw the bytes that are left and is paid back by the next, so lines larger than a burst pass, too. A backlog
counts when it is read, not when it was written. Costs: two passes of ``bytes.count`` and ``split``; docs/adr/0016.
"""

import time
from collections.abc import Callable

from agents.processors import Tally
from agents.settings_values import LimitSettings

WINDOW_S = 1.0  # how long the incoming rate is measured before it is believed


class Limit:
    """
    A processor, one per source.

    Attributes:
        limited: More came than may pass, and it has not become quieter since.
    """

    def __init__(self, settings: LimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._resume_ratio = settings.resume_ratio
        self._burst_s = settings.burst_s
        self._rates = (settings.lines_per_s, settings.bytes_per_s)
        self._left = [rate * settings.burst_s for rate in self._rates]
        self._filled_at = self._window_at = clock()
        self._came = [0, 0]
        self.limited = False

    def __call__(self, body: bytes, tally: Tally) -> bytes:
        """Give the lines of *body* that may pass now."""
        now = self._clock()
        lines = body.count(b"\n") + (not body.endswith(b"\n"))
        self._notice_quiet(now, (lines, len(body)))
        self._fill(now)
        cut = self._cut(body, lines)
        passed = body[:cut]
        passed_lines = lines if cut == len(body) else passed.count(b"\n")
        self._left = [left - used for left, used in zip(self._left, (passed_lines, cut), strict=True)]
        if cut < len(body):
            self._become_limited()
            tally.count("rate_limited", lines - passed_lines, len(body) - cut)
        return passed

    def _notice_quiet(self, now: float, came: tuple[int, int]) -> None:
        """End the limit when less came over the last second than a limited source may ship; then count what has come now."""
        elapsed = now - self._window_at
        if elapsed >= WINDOW_S:
            quiet = all(
                not rate or count < self._resume_ratio * rate * elapsed
                for rate, count in zip(self._rates, self._came, strict=True)
            )
            self.limited = self.limited and not quiet
            self._window_at, self._came = now, [0, 0]
        self._came = [before + more for before, more in zip(self._came, came, strict=True)]

    def _fill(self, now: float) -> None:
        share, burst_s = (self._resume_ratio, WINDOW_S) if self.limited else (1.0, self._burst_s)
        elapsed = now - self._filled_at
        self._filled_at = now
        self._left = [
            min(left + rate * share * elapsed, rate * share * burst_s)
            for left, rate in zip(self._left, self._rates, strict=True)
        ]

    def _cut(self, body: bytes, lines: int) -> int:
        """Say up to which line's end *body* may pass."""
        cut = len(body)
        lines_rate, bytes_rate = self._rates
        lines_left, bytes_left = self._left
        if lines_rate and lines > lines_left:
            whole = max(0, int(lines_left))
            cut = len(body) - len(body.split(b"\n", whole)[-1]) if whole else 0
        if bytes_rate and cut > bytes_left:
            ends = body.find(b"\n", max(0, int(bytes_left) - 1), cut) + 1 if bytes_left >= 1 else 0
            cut = ends or (cut if bytes_left >= 1 else 0)
        return cut

    def _become_limited(self) -> None:
        if not self.limited:
            self.limited = True
            self._left = [min(left, 0.0) for left in self._left]
