"""
Regular expressions from the settings, asked of lines.

Each line is matched by itself, so no match joins or splits lines and ``^`` and ``$`` mean the line's. The loops over lines
are C's (``map``, ``compress``). Lines without what every match contains (``expressions.literals``) are not matched, and a
block without it is passed over at the speed of ``bytes.find``. Costs: docs/adr/0016.

Time is bounded: ``expressions.refusal`` keeps out what could take forever; a long line is matched in windows that overlap
(``OVERLAP_BYTES``: a match up to this long is found wherever it stands); and an expression has ``BUDGET_S`` per block. The
lines that it has not seen by then are the caller's to take the safe side with.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, repeat
from operator import contains, is_not

from agents.processors.expressions import literals, open_repetitions, parsed

WINDOW_BYTES = (1 << 14, 1 << 14, 1 << 11)  # by open repetitions: work is a power of the window's length
OVERLAP_BYTES = 1 << 10
BUDGET_S = 1.0
STEP_LINES = 64  # between two looks at the clock, unless lines are long
LONG_BYTES = 1 << 11
LEAST_LITERAL = 3  # a shorter literal is in nearly every line
Span = tuple[int, int]


class _OutOfTimeError(Exception):
    """A long line was not seen to its end."""


class LinePattern:
    """
    One expression.

    Attributes:
        literals: What every matching line contains, the longest first, in lower case when *folded*.
        folded: The expression does not tell upper from lower case.
    """

    def __init__(self, expression: str, clock: Callable[[], float] = time.monotonic) -> None:
        tree = parsed(expression)
        self._compiled = re.compile(expression.encode())
        self._clock = clock
        self._window_bytes = WINDOW_BYTES[min(open_repetitions(tree), len(WINDOW_BYTES) - 1)]
        self.folded = bool(self._compiled.flags & re.IGNORECASE)
        found = {literal.lower() if self.folded else literal for literal in literals(tree)}
        self.literals = sorted((one for one in found if len(one) >= LEAST_LITERAL), key=len, reverse=True)

    def may_match(self, body: bytes) -> bool:
        """Say whether *body* contains what every match contains."""
        searched = body.lower() if self.folded and self.literals else body
        return all(literal in searched for literal in self.literals)

    def flags(self, lines: Sequence[bytes], body: bytes, *, unseen: bool) -> list[bool]:
        """Say of each of *lines* (those of *body*, without their ends) whether it matches, or *unseen*."""
        flags = [False] * len(lines)
        left = set(self._candidates(lines, body))
        for numbers, some, until in self._steps(lines, body):
            if max(map(len, some)) > self._window_bytes:
                matching = self._search_long(some, until)
            else:
                matching = list(map(is_not, map(self._compiled.search, some), repeat(None)))
            left.difference_update(numbers[: len(matching)])
            for number in compress(numbers, matching):
                flags[number] = True
        for number in left:
            flags[number] = unseen
        return flags

    def replace(self, lines: list[bytes], body: bytes, replacement: bytes, unseen: bytes) -> int:
        """
        Put *replacement* for every match in *lines* (those of *body*), in place, and *unseen* for a line unseen.

        Returns:
            How many replacements were made.
        """
        made = 0
        left = set(self._candidates(lines, body))
        for numbers, some, until in self._steps(lines, body):
            for number, line in zip(numbers, some, strict=True):
                try:
                    changed, count = self._subn(replacement, line, until)
                except _OutOfTimeError:
                    break
                left.discard(number)
                if count:
                    lines[number] = changed
                    made += count
        for number in left:
            lines[number] = unseen
        return made + len(left)

    def _steps(
        self, lines: Sequence[bytes], body: bytes
    ) -> Iterator[tuple[Sequence[int], list[bytes], float]]:
        """Give the lines to be matched, some at a time, with their numbers and until when, until the time is over."""
        numbers = self._candidates(lines, body)
        if not numbers:
            return
        longest = max(map(len, map(lines.__getitem__, numbers)))
        step = 1 if longest > LONG_BYTES else STEP_LINES
        until = self._clock() + BUDGET_S
        for at in range(0, len(numbers), step):
            some = numbers[at : at + step]
            yield some, [lines[number] for number in some], until
            if self._clock() > until:
                return

    def _candidates(self, lines: Sequence[bytes], body: bytes) -> Sequence[int]:
        """Give the numbers of the lines that contain what a match must contain."""
        numbers: Sequence[int] = range(len(lines))
        if not self.literals:
            return numbers
        if not self.may_match(body):
            return ()
        if self.folded:
            lines = body.lower().split(b"\n")
        for literal in self.literals:
            asked = map(lines.__getitem__, numbers)
            numbers = list(compress(numbers, map(contains, asked, repeat(literal))))
        return numbers

    def _search_long(self, lines: Sequence[bytes], until: float) -> list[bool]:
        """Say of each line whether it matches, as far as the time suffices."""
        matching: list[bool] = []
        for line in lines:
            try:
                matching.append(next(self._spans(line, until), None) is not None)
            except _OutOfTimeError:
                break
        return matching

    def _subn(self, replacement: bytes, line: bytes, until: float) -> tuple[bytes, int]:
        """Substitute in one line; a carriage return at its end is the line end's."""
        end = line[len(line) - 1 :] if line.endswith(b"\r") else b""
        pieces: list[bytes] = []
        done = 0
        for start, stop in self._spans(line.removesuffix(b"\r"), until):
            pieces += (line[done:start], replacement)
            done = stop
        if not pieces:
            return line, 0
        return b"".join((*pieces, line[done : len(line) - len(end)], end)), len(pieces) // 2

    def _spans(self, line: bytes, until: float) -> Iterator[Span]:
        """Find the matches of one line, window by window; one that goes on behind a window is found whole, or in parts."""
        length, done, begin = len(line), 0, 0
        while True:
            end = min(begin + self._window_bytes, length)
            for found in self._compiled.finditer(line, max(begin, done), end):
                start, stop = found.span()
                if stop == end < length and stop - start < OVERLAP_BYTES:
                    break  # the next window sees it whole
                yield start, stop
                done = stop
            if end == length:
                return
            if self._clock() > until:
                raise _OutOfTimeError
            begin = end - OVERLAP_BYTES


def costly(expressions: Sequence[str]) -> list[str]:
    """Give those of *expressions* that every line must be searched for, since they hold no text to look for first."""
    return [expression for expression in expressions if not LinePattern(expression).literals]
