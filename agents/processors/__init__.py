"""
Bytes to bytes, between a source and the spool.

A processor takes the bytes of one block (whole lines) and gives the bytes to ship; it makes passes in C over the whole
block and never loops over lines. What it takes out it counts in the block's ``Tally``, by reason.

``container_lines``  joins the pieces a container runtime has cut a line into
``redact``     takes secrets out
``filter``     keeps or leaves out lines by pattern (dropped: *excluded*, *not_included*)
``sample``     keeps a share of lines by severity, never less than all errors (dropped: *sampled*)
``limit``      keeps a stream under a rate, with hysteresis (dropped: *rate_limited*)
``multiline``  folds tracebacks and continued lines into one line each
"""

from collections.abc import Callable, Sequence


class Tally:
    """What processors took out of one block: reason -> (lines, bytes)."""

    def __init__(self) -> None:
        self.shed: dict[str, tuple[int, int]] = {}

    def count(self, reason: str, lines: int, size: int) -> None:
        """Add *lines* lines of *size* bytes together, newlines included."""
        before_lines, before_size = self.shed.get(reason, (0, 0))
        self.shed[reason] = (before_lines + lines, before_size + size)


Processor = Callable[[bytes, Tally], bytes]


def chain(processors: Sequence[Processor]) -> Processor:
    """Apply *processors* one after the other; the rest is spared a block of which nothing is left."""

    def run(body: bytes, tally: Tally) -> bytes:
        for process in processors:
            body = process(body, tally) if body else body
        return body

    return run


def changing(change: Callable[[bytes], bytes]) -> Processor:
    """Make a processor of a function that only changes bytes."""
    return lambda body, _tally: change(body)
