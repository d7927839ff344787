"""
``slo: 99.9% of calls succeed {service="checkout"}``: the error budget burns.

Two pairs of windows, as in Google's SRE workbook: in an hour and in its last five minutes at 14.4 times the rate that would use the budget up in thirty days
(2 % of it in that hour), or in six hours and in their last half hour at 6 times (5 %). The short window ends the alert soon after the burning has.
The value is the burn rate of the long window. Calls are those of ``service_minutes``: what a service served, weighed where traces are sampled.

Source: https://sre.google/workbook/alerting-on-slos/ ("Multiwindow, Multi-Burn-Rate Alerts").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from collector.alerting.expression import Matcher
from collector.alerting.kinds.asking import SPANS, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.words import NUMBER, fit, matchers_of, read_words
from collector.query.window import SECOND_NS, Window
from collector.read.services import red
from collector.read.sql import Row

_LABELS = ("service", "env")
# (long window, short window, burn rate)
_PAIRS = ((3600.0, 300.0, 14.4), (21_600.0, 1800.0, 6.0))
# Of fewer calls in the short window a ratio says nothing.
_LEAST_CALLS = 20

Rates = dict[tuple[str, str], Row]


@dataclass(frozen=True, slots=True)
class Burning:
    """More than the *budget*, a share of calls, fails."""

    budget: float
    matchers: Sequence[Matcher]

    reads: ClassVar = SPANS

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the services whose budget burns in both windows of a pair."""
        worst: dict[tuple[str, str], float] = {}
        for long_s, short_s, rate in _PAIRS:
            short = self._rates(sources, at, short_s)
            if not any(self._burns(row, rate) for row in short.values()):
                continue  # what does not burn now needs no hours to be read
            for key, row in self._rates(sources, at, long_s).items():
                if self._burns(row, rate) and key in short and self._burns(short[key], rate):
                    worst[key] = max(worst.get(key, 0.0), round(row["error_ratio"] / self.budget, 2))
        return [Sample({"service": service, "env": env}, burn) for (service, env), burn in worst.items()]

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those that have calls in a short window: they were counted."""
        served = self._rates(sources, at, _PAIRS[-1][1])
        known = {fingerprint(Sample({"service": service, "env": env}, 0.0)) for service, env in served}
        return frozenset(one.fingerprint for one in missing if one.fingerprint in known)

    def _burns(self, row: Row, rate: float) -> bool:
        return bool(row["calls"] >= _LEAST_CALLS and row["error_ratio"] > rate * self.budget)

    def _rates(self, sources: Sources, at: datetime, seconds: float) -> Rates:
        now = nanoseconds(at)
        window = Window(now - int(seconds * SECOND_NS), now, now)
        return {
            key: row
            for key, row in red(sources.reader(), window, "").items()
            if fit(self.matchers, {"service": key[0], "env": key[1]})
        }


def read_slo(text: str) -> Burning:
    """
    Read ``OBJECTIVE% of calls succeed [{matchers}]``.

    Raises:
        ValueError: It does not follow the grammar.
    """
    found = read_words(
        rf"(?P<objective>{NUMBER})\s*%(?:\s+of\s+(?:calls|requests)\s+succeed)?",
        text,
        '99.9% of calls succeed {service="checkout"}',
    )
    budget = 1 - float(found["objective"]) / 100
    if not 0.00001 < budget < 1:
        raise ValueError("an objective lies between 0 and 99.999 percent")
    return Burning(budget, matchers_of(found, _LABELS, "services"))
