"""
``slo: 99.9% of calls succeed {service="checkout"}``, ``slo: 99% of calls are faster than 300ms``: the error budget burns.

Two pairs of windows, as in Google's SRE workbook: in an hour and in its last five minutes at 14.4 times the rate that would use the budget up in thirty days
(2 % of it in that hour), or in six hours and in their last half hour at 6 times (5 %). The short window ends the alert soon after the burning has.
The value is the burn rate of the long window. Calls are those of ``service_minutes``: what a service served; those that fail are weighed where traces are
sampled, those that are slow are counted as they were stored, whether they failed or not.

Source: https://sre.google/workbook/alerting-on-slos/ ("Multiwindow, Multi-Burn-Rate Alerts").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from collector.alerting.expression import Matcher
from collector.alerting.kinds.asking import SPANS, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.words import DURATION, NUMBER, fit, matchers_of, read_words, seconds_of
from collector.health.objectives import LEAST_CALLS, PAIRS
from collector.query.window import SECOND_NS, Window
from collector.read.services import red
from collector.read.slow import slow
from collector.read.sql import Row

_LABELS = ("service", "env")
# Where even a service all of whose calls are bad burns slower than this, no alert would ever come.
_LEAST_RATE = min(rate for _, _, rate in PAIRS)
_LONGEST_S = 3600.0

Rates = dict[tuple[str, str], Row]


@dataclass(frozen=True, slots=True)
class Burning:
    """
    More than the *budget*, a share of calls, is bad.

    Attributes:
        budget: 0 to 1.
        matchers: Of services.
        slower_than_s: Bad is what takes longer; ``None`` = what fails.
    """

    budget: float
    matchers: Sequence[Matcher]
    slower_than_s: float | None = None

    reads: ClassVar = SPANS

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the services whose budget burns in both windows of a pair."""
        worst: dict[tuple[str, str], float] = {}
        for long_s, short_s, rate in PAIRS:
            short = self._rates(sources, at, short_s)
            if not any(self._burns(row, rate) for row in short.values()):
                continue  # what does not burn now needs no hours to be read
            for key, row in self._rates(sources, at, long_s).items():
                if self._burns(row, rate) and key in short and self._burns(short[key], rate):
                    worst[key] = max(worst.get(key, 0.0), round(row[self._ratio] / self.budget, 2))
        return [Sample({"service": service, "env": env}, burn) for (service, env), burn in worst.items()]

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those that have calls in a short window: they were counted."""
        served = self._rates(sources, at, PAIRS[-1][1])
        known = {fingerprint(Sample({"service": service, "env": env}, 0.0)) for service, env in served}
        return frozenset(one.fingerprint for one in missing if one.fingerprint in known)

    @property
    def _ratio(self) -> str:
        return "error_ratio" if self.slower_than_s is None else "slow_ratio"

    def _burns(self, row: Row, rate: float) -> bool:
        return bool(row["calls"] >= LEAST_CALLS and row[self._ratio] > rate * self.budget)

    def _rates(self, sources: Sources, at: datetime, seconds: float) -> Rates:
        now = nanoseconds(at)
        window = Window(now - int(seconds * SECOND_NS), now, now)
        reader, than_s = sources.reader(), self.slower_than_s
        told = red(reader, window, "") if than_s is None else slow(reader, window, than_s)
        return {
            key: row for key, row in told.items() if fit(self.matchers, {"service": key[0], "env": key[1]})
        }


def read_slo(text: str) -> Burning:
    """
    Read ``OBJECTIVE% of calls succeed [{matchers}]`` or ``OBJECTIVE% of calls are faster than DURATION [{matchers}]``.

    Raises:
        ValueError: It does not follow the grammar.
    """
    found = read_words(
        rf"(?P<objective>{NUMBER})\s*%"
        rf"(?:\s+of\s+(?:calls|requests)\s+(?:succeed|(?:are\s+)?faster\s+than\s+(?P<than>{DURATION})))?",
        text,
        '99.9% of calls succeed {service="checkout"}, or: 99% of calls are faster than 300ms {service="checkout"}',
    )
    budget = 1 - float(found["objective"]) / 100
    if not 0.00001 < budget < 1:
        raise ValueError("an objective lies between 0 and 99.999 percent")
    than_s = seconds_of(found, "than", 0.0) if found["than"] else None
    if than_s is not None and not 0 < than_s <= _LONGEST_S:
        raise ValueError(f"a call is faster than something from 1ms to 1h, not {found['than']}")
    if than_s is not None and budget * _LEAST_RATE >= 1:
        raise ValueError(
            f"with an objective of {found['objective']} % the budget cannot burn at {_LEAST_RATE:g} times its rate: no alert would come; "
            f"at least {100 - 100 / _LEAST_RATE:.1f} %"
        )
    return Burning(budget, matchers_of(found, _LABELS, "services"), than_s)
