"""
Which lines are shipped at all: ``[filter]``, by expression and line.

With ``include``, a line that matches none of its expressions is dropped (*not_included*); of what is left, a line that
matches one of ``exclude`` is (*excluded*). A line that an expression had no time for is shipped. The carriage return of
CRLF is the line end's. Costs: docs/adr/0016.
"""

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import not_, or_

from agents.processors import Tally
from agents.processors.patterns import LinePattern
from agents.settings_values import FilterSettings


class Filter:
    """A processor; keeps no state."""

    def __init__(self, settings: FilterSettings) -> None:
        self._include = [LinePattern(expression) for expression in settings.include]
        self._exclude = [LinePattern(expression) for expression in settings.exclude]

    def __call__(self, body: bytes, tally: Tally) -> bytes:
        """Give the lines of *body* that are to be shipped."""
        if self._include:
            body = keep(body, self._matching(self._include, body, unseen=True), "not_included", tally)
        if body and any(pattern.may_match(body) for pattern in self._exclude):
            matching = self._matching(self._exclude, body, unseen=False)
            body = keep(body, map(not_, matching), "excluded", tally)
        return body

    @staticmethod
    def _matching(patterns: Sequence[LinePattern], body: bytes, *, unseen: bool) -> Iterable[bool]:
        """Say of each line whether one of *patterns* matches."""
        plain = body.replace(b"\r\n", b"\n")
        lines = plain.split(b"\n")
        first, *others = [pattern.flags(lines, plain, unseen=unseen) for pattern in patterns]
        matching: Iterable[bool] = first
        for flags in others:
            matching = map(or_, matching, flags)
        return matching


def keep(body: bytes, wanted: Iterable[bool], reason: str, tally: Tally) -> bytes:
    """
    Leave out the lines of *body* that are not wanted, and count them.

    Args:
        body: Lines, the last one perhaps without its end.
        wanted: One flag per line; flags beyond the last line are passed over.
        reason: Why they go.
        tally: Where they are counted, ends included.
    """
    lines = body.split(b"\n")
    rest = lines.pop()
    if rest:
        lines.append(rest)
    kept = list(compress(lines, wanted))
    if len(kept) == len(lines):
        return body
    shipped = b"\n".join(kept)
    if kept and not (rest and kept[-1] is rest):
        shipped += b"\n"
    tally.count(reason, len(lines) - len(kept), len(body) - len(shipped))
    return shipped
