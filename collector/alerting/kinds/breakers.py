"""
``breaker: flapping``, ``breaker: stuck``: what the history of a breaker says, beside its state now.

::

    flapping [N times in DURATION] [{matchers}]   opened N times out of closed (3 in 10m), in one instance
    stuck [for DURATION] [{matchers}]             half open for so long (1m): no probe comes, or none ends

A breaker whose service has gone quiet is neither over nor found: its state is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from collector.alerting.expression import SUBJECT_LABELS, Matcher
from collector.alerting.kinds.asking import NOTHING, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.words import DURATION, fit, matchers_of, read_words, seconds_of
from collector.query.window import SECOND_NS, Window
from collector.read.breakers import BreakerState, states
from collector.read.transitions import Chosen, Transition, transitions

_TIMES, _WITHIN_S, _STUCK_S = 3, 600.0, 60.0
# A breaker's history of an hour is at hand, up to this moment; a longer window, which ends some seconds ago, is asked for.
_AT_HAND_S, _LONGEST_S = 3_500.0, 86_400.0
_LABELS = tuple(label for label in SUBJECT_LABELS if label != "instance")


@dataclass(frozen=True, slots=True)
class Flapping:
    """Opened *times* times within *within_s*."""

    times: int
    within_s: float
    matchers: Sequence[Matcher]

    reads: ClassVar = NOTHING

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the breakers whose most restless instance opened so often; the value is how often."""
        opens: Counter[tuple[str, str, str, str]] = Counter()
        targets: dict[tuple[str, str, str], str] = {}
        for each in self._transitions(sources, nanoseconds(at)):
            opens[each.service, each.env, each.breaker, each.instance] += bool(each.opens)
            targets.setdefault((each.service, each.env, each.breaker), each.target)
        worst: dict[tuple[str, str, str], int] = {}
        for (service, env, breaker, _), count in opens.items():
            worst[service, env, breaker] = max(count, worst.get((service, env, breaker), 0))
        return [
            Sample(labels, float(count))
            for key, count in worst.items()
            if count >= self.times and fit(self.matchers, labels := _labels(*key, targets[key]))
        ]

    def _transitions(self, sources: Sources, now_ns: int) -> Iterable[Transition]:
        start_ns = now_ns - int(self.within_s * SECOND_NS)
        if sources.states is not None and self.within_s < _AT_HAND_S:
            return [each for breaker in sources.states() for each in breaker.hour if each.at_ns >= start_ns]
        return transitions(sources.reader(), Window(start_ns, now_ns, now_ns), Chosen())

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those whose breaker's state is known."""
        del fingerprint
        return _known(sources, at, missing)


@dataclass(frozen=True, slots=True)
class Stuck:
    """Half open for *for_s*."""

    for_s: float
    matchers: Sequence[Matcher]

    reads: ClassVar = NOTHING

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the breakers with an instance half open for so long; the value is for how many seconds."""
        now = nanoseconds(at)
        found = []
        for breaker in _states(sources, now):
            since = [one.last.at_ns for one in breaker.instances if one.state == "half_open"]
            half_open_s = (now - min(since)) / SECOND_NS if since else 0.0
            labels = _labels(breaker.service, breaker.env, breaker.breaker, breaker.target)
            if since and half_open_s >= self.for_s and fit(self.matchers, labels):
                found.append(Sample(labels, round(half_open_s, 3)))
        return found

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those whose breaker's state is known."""
        del fingerprint
        return _known(sources, at, missing)


def read_breaker(text: str) -> Flapping | Stuck:
    """
    Read ``flapping …`` or ``stuck …``.

    Raises:
        ValueError: It follows neither.
    """
    if text.strip().startswith("flapping"):
        found = read_words(
            rf"flapping(?:\s+(?P<times>\d+)\s+times\s+in\s+(?P<within>{DURATION}))?",
            text,
            'flapping 3 times in 10m {env="prod"}',
        )
        times, within_s = int(found["times"] or _TIMES), seconds_of(found, "within", _WITHIN_S)
        if times < 2 or not 0 < within_s <= _LONGEST_S:
            raise ValueError("flapping is at least 2 times, in at most a day")
        return Flapping(times, within_s, matchers_of(found, _LABELS, "flapping breakers"))
    found = read_words(rf"stuck(?:\s+for\s+(?P<for>{DURATION}))?", text, 'stuck for 1m {env="prod"}')
    return Stuck(seconds_of(found, "for", _STUCK_S), matchers_of(found, _LABELS, "stuck breakers"))


def _states(sources: Sources, now_ns: int) -> Sequence[BreakerState]:
    if sources.states is not None:
        return sources.states()
    return states(sources.reader(), Window(now_ns - SECOND_NS, now_ns, now_ns))


def _known(sources: Sources, at: datetime, missing: Sequence[Missing]) -> frozenset[str]:
    known = {
        (one.service, one.env, one.breaker)
        for one in _states(sources, nanoseconds(at))
        if one.state != "unknown"
    }
    return frozenset(one.fingerprint for one in missing if _key(one) in known)


def _key(missing: Missing) -> tuple[str, str, str]:
    labels = missing.labels
    return labels.get("service", ""), labels.get("env", ""), labels.get("breaker", "")


def _labels(service: str, env: str, breaker: str, target: str) -> dict[str, str]:
    return {"service": service, "env": env, "breaker": breaker, "target": target or breaker}
