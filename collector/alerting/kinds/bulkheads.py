"""
``bulkhead: saturated above 0.9 for 2m {service="checkout"}``.

The saturation is of the limit, 0 to 1; a bulkhead is one of a service, env and instance. One without fresh samples is neither over nor found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from collector.alerting.expression import Matcher
from collector.alerting.kinds.asking import SAMPLES, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.words import DURATION, NUMBER, fit, matchers_of, read_words, seconds_of
from collector.query.window import SECOND_NS, Window
from collector.read.bulkheads import bulkheads
from collector.read.sql import Row

_LABELS = ("service", "env", "bulkhead", "instance", "kind")
_ABOVE = 0.9


@dataclass(frozen=True, slots=True)
class Saturated:
    """Fuller than *above*."""

    above: float
    matchers: Sequence[Matcher]

    reads: ClassVar = SAMPLES

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the bulkheads that are; the value is their saturation."""
        return [sample for sample in self._all(sources, at) if sample.value > self.above]

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those whose saturation is known."""
        known = {fingerprint(sample) for sample in self._all(sources, at)}
        return frozenset(one.fingerprint for one in missing if one.fingerprint in known)

    def _all(self, sources: Sources, at: datetime) -> list[Sample]:
        now = nanoseconds(at)
        rows = bulkheads(sources.reader(), Window(now - SECOND_NS, now, now), "")
        told = [
            Sample(_labels(row), float(row["saturation"])) for row in rows if row["saturation"] is not None
        ]
        return [sample for sample in told if fit(self.matchers, sample.labels)]


def read_bulkhead(text: str) -> tuple[Saturated, float]:
    """
    Read ``saturated …``; give it, and for how many seconds.

    Raises:
        ValueError: It does not follow the grammar.
    """
    found = read_words(
        rf"saturated(?:\s+above\s+(?P<above>{NUMBER}))?(?:\s+for\s+(?P<for>{DURATION}))?",
        text,
        'saturated above 0.9 for 2m {env="prod"}',
    )
    above = float(found["above"] or _ABOVE)
    if above >= 1:
        raise ValueError("the saturation is at most 1: give a number below, such as 0.9")
    return Saturated(above, matchers_of(found, _LABELS, "bulkheads")), seconds_of(found, "for", 0.0)


def _labels(row: Row) -> dict[str, str]:
    return {name: str(row[name]) for name in _LABELS if row[name]}
