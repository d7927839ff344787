"""
Bytes to bytes, between a source and the spool.

A processor takes the bytes of one block (whole lines) and gives the bytes to ship; it makes passes in C over the whole
block and never loops over lines in Python. What it takes out it counts in the block's ``Tally``, by reason. ``shaper`` says in
which order they come and makes one chain per source.

``container_lines``  joins the pieces a container runtime has cut a line into
``redact``     takes secrets out (``shapes`` of known secrets, values beside ``keyed`` names, expressions)
``multiline``  folds tracebacks and continued lines into one line each
``filter``     keeps or leaves out lines by expression (dropped: *excluded*, *not_included*)
``sample``     keeps a share of lines by severity, never less than all errors (dropped: *sampled*)
``limit``      keeps a source under a rate, with hysteresis (dropped: *rate_limited*)

``patterns`` asks the settings' expressions of lines in bounded time; ``expressions`` reads off what they need for that.
"""

import threading
from collections.abc import Callable


class Tally:
    """What processors took out of one block: reason -> (lines, bytes)."""

    def __init__(self) -> None:
        self.shed: dict[str, tuple[int, int]] = {}

    def count(self, reason: str, lines: int, size: int) -> None:
        """Add *lines* lines of *size* bytes together, newlines included."""
        before_lines, before_size = self.shed.get(reason, (0, 0))
        self.shed[reason] = (before_lines + lines, before_size + size)


class Redactions:
    """How many replacements were made since the start, by kind; shared by all sources."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, int] = {}

    def count(self, kind: str, replacements: int) -> None:
        """Add *replacements* of one kind."""
        with self._lock:
            self._made[kind] = self._made.get(kind, 0) + replacements

    def made(self) -> dict[str, int]:
        """Give a copy."""
        with self._lock:
            return dict(self._made)


Processor = Callable[[bytes, Tally], bytes]


def changing(change: Callable[[bytes], bytes]) -> Processor:
    """Make a processor of a function that only changes bytes."""
    return lambda body, _tally: change(body)
