"""
``silent: for 10m {env="prod"}``: a service that sent records or spans within the last day, and none for so long.

It is over when the service is heard of again. A service that was heard of in no part of the day before is forgotten, its alert is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from collector.alerting.expression import Matcher
from collector.alerting.kinds.asking import HEARD, NOTHING, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.words import DURATION, fit, matchers_of, read_words, seconds_of
from collector.query.window import SECOND_NS, Window, parse_time
from collector.read.services import heard

_LABELS = ("service", "env")
_SILENT_S, _KNOWN_S = 600.0, 86_400.0
# A service that sent a handful of lines was a person trying something.
_LEAST = 20


@dataclass(frozen=True, slots=True)
class Silent:
    """Not heard of for *for_s*."""

    for_s: float
    matchers: Sequence[Matcher]

    reads: ClassVar = NOTHING

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """
        Give the services that are; the value is for how many seconds.

        What gathers in the journal can only make a service heard of: it is loaded when one seems silent, not at every look. What is not loaded then (the
        engine was away, or is slow) may be anybody's: who is silent is said as of the time from which on records wait.
        """
        found = self._silent(sources, at)
        if not found:
            return []
        sources.attend(HEARD)
        first_ns = sources.reader().unloaded_ns(HEARD)
        return self._silent(
            sources, at if first_ns is None else min(at, datetime.fromtimestamp(first_ns / SECOND_NS, UTC))
        )

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those that are heard of again."""
        loud = {
            fingerprint(sample) for sample in self._all(sources, at, self.for_s) if sample.value < self.for_s
        }
        return frozenset(one.fingerprint for one in missing if one.fingerprint in loud)

    def _silent(self, sources: Sources, at: datetime) -> list[Sample]:
        return [
            sample for sample in self._all(sources, at, _KNOWN_S + self.for_s) if sample.value >= self.for_s
        ]

    def _all(self, sources: Sources, at: datetime, seconds: float) -> list[Sample]:
        now = nanoseconds(at)
        window = Window(now - int(seconds * SECOND_NS), now + SECOND_NS, now)
        rows = heard(sources.reader(), window, "").items()
        return [
            Sample(labels, round(max(now - parse_time(row["last_seen"], "last_seen", now), 0) / SECOND_NS, 3))
            for (service, env), row in rows
            if (row["heard"] >= _LEAST or seconds <= self.for_s)
            and fit(self.matchers, labels := {"service": service, "env": env})
        ]


def read_silent(text: str) -> Silent:
    """
    Read ``for DURATION [{matchers}]``.

    Raises:
        ValueError: It does not follow the grammar.
    """
    found = read_words(rf"(?:service\s+silent\s+)?for\s+(?P<for>{DURATION})", text, 'for 10m {env="prod"}')
    for_s = seconds_of(found, "for", _SILENT_S)
    if not 60 <= for_s <= 7 * _KNOWN_S:
        raise ValueError("from 1m to 7d: records are counted by the minute")
    return Silent(for_s, matchers_of(found, _LABELS, "services"))
