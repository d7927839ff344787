"""
Records of several lines by ``multiline_start``: a line that matches begins one, and lines that do not match continue it.

Lines in front of the first that matches are left as they are. A line that the expression had no time for begins a record.
Costs: one question per line (``patterns``), ≈ 0.2 µs per record when some have several lines, and ≈ 3 µs for each that has.
"""

from collections.abc import Iterator
from itertools import accumulate, compress, pairwise

from agents.processors.patterns import LinePattern
from agents.processors.tracebacks import Span


class Continued:
    """Finds such records in plain lines."""

    def __init__(self, expression: str) -> None:
        self._pattern = LinePattern(expression)

    def find(self, body: bytes) -> Iterator[Span]:
        """Give the spans of records of more than one line."""
        starts, lines = self._starts(body)
        if len(starts) == lines:
            return
        for start, end in pairwise((*starts, len(body))):
            if body.find(b"\n", start, end) + 1 != end:
                yield start, end

    def open_at(self, body: bytes) -> int:
        """Give where the last record begins: it may grow."""
        starts, _ = self._starts(body)
        return starts[-1] if starts else 0

    def _starts(self, body: bytes) -> tuple[list[int], int]:
        """Give where records begin, and the number of lines."""
        ends = list(accumulate(map((1).__add__, map(len, body.split(b"\n")[:-1]))))
        plain = body.replace(b"\r\n", b"\n")
        flags = self._pattern.flags(plain.split(b"\n")[:-1], plain, unseen=True)
        return list(compress((0, *ends), flags)), len(ends)
