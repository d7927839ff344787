"""
How long rows are kept: rules by signal, service and environment, frozen into each segment when it is sealed.

A mapping chooses by the row's own service and environment, with the rules of its signal as one parameter,
``{kept:Array(Tuple(String, String, UInt16))}`` of (service, env, days); see ``formats/_retention.sql``. A table is partitioned by
(day, days), so there are at most four different numbers of days: each is one more partition in every insert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Kept = list[tuple[str, str, int]]

# ClickHouse's TTLs are 32-bit times that end in February 2106: a row of today that is kept for longer would be gone at once. With so many days
# (68 years) rows of 1970 are taken until 2038, and rows of 2037 are kept until that end.
LONGEST_DAYS = 25_000


@dataclass(frozen=True, slots=True)
class Rule:
    """``[[retention]]``: *days* (at most `LONGEST_DAYS`) for rows of a signal, service and environment; an empty text fits any."""

    days: int
    signal: str = ""
    service: str = ""
    env: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """
    All rules.

    Attributes:
        days: For what no rule fits, and for the pipeline's own books.
        rules: In the order of the settings; the first that fits wins.
    """

    days: int
    rules: Sequence[Rule] = ()

    def of(self, signal: str) -> Kept:
        """Return (service, env, days) for rows of *signal*, the last one fitting all; rules that never get their turn are left out."""
        kept: Kept = []
        for rule in self.rules:
            fits = rule.signal in ("", signal)
            if fits and not any((rule.service, rule.env) == earlier[:2] for earlier in kept):
                kept.append((rule.service, rule.env, rule.days))
            if fits and not rule.service and not rule.env:
                return kept
        return [*kept, ("", "", self.days)]
