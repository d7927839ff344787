"""
Regression: a version against what served before it, or beside it. Pure: numbers -> verdict and evidence.

*Errors*: a two-proportion z-test with pooled variance and continuity correction, two-sided at 0.5 % (|z| ≥ 2.81); fewer than `MIN_FAILED` failures on
both sides together decide nothing. *Latency*: of p50 and p95 the 99 % confidence interval by order statistics (the quantile levels q ± 2.576·√(q(1−q)/n));
intervals that do not overlap differ. Both must also matter (`ERROR_POINTS` and `ERROR_FACTOR`; `SLOW_FACTOR` and `SLOW_MS`): with enough calls any
difference is significant. Counts are of spans, what was seen, whatever sampling made of them.

A change counts only against every baseline there is: right before, and at the same time of the day before, so that an evening's rush is no regression.
Versions that serve side by side are compared with each other alone: nothing beats the same minutes.

Source: Fleiss, Statistical Methods for Rates and Proportions (2.2, 2.3); Conover, Practical Nonparametric Statistics (3.2).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Below so many calls on a side nothing is said.
MIN_CALLS = 50
MIN_FAILED = 5
Z_ERRORS = 2.81
Z_LATENCY = 2.576
# One call in a hundred more, and half as many again.
ERROR_POINTS, ERROR_FACTOR = 0.01, 1.5
# A quarter slower, and more than five milliseconds.
SLOW_FACTOR, SLOW_MS = 1.25, 5.0
# Levels at which durations are asked for: dense around the median and the tail, for their intervals.
LEVELS = (0.3, 0.4, 0.44, 0.46, 0.48, 0.49, 0.5, 0.51, 0.52, 0.54, 0.56, 0.6, 0.7, 0.82, 0.88, 0.91, 0.93, 0.94, 0.945, 0.95, 0.955, 0.96, 0.97, 0.98, 0.99, 0.995)  # fmt: skip
_JUDGED = (("p50", 0.5), ("p95", 0.95))

VERDICTS = ("regressed", "improved", "unchanged", "too_little_data")


@dataclass(frozen=True, slots=True)
class Side:
    """
    One side of a comparison.

    Attributes:
        calls: Spans served; *failed* of them with an error.
        rate: Calls per second.
        quantiles_ms: Of durations, at `LEVELS`; empty = none.
        breakers: Breakers that others hold on the service and that opened.
    """

    calls: int = 0
    failed: int = 0
    rate: float = 0.0
    quantiles_ms: Sequence[float] = ()
    breakers: int = 0

    @property
    def error_ratio(self) -> float | None:
        """Failed calls of all, None without calls."""
        return self.failed / self.calls if self.calls else None

    def quantile(self, level: float) -> float | None:
        """Give a quantile in milliseconds, between the levels by interpolation."""
        if not self.quantiles_ms:
            return None
        right = min(max(bisect_left(LEVELS, level), 1), len(LEVELS) - 1)
        low, high = LEVELS[right - 1], LEVELS[right]
        part = min(max((level - low) / (high - low), 0.0), 1.0)
        return self.quantiles_ms[right - 1] * (1 - part) + self.quantiles_ms[right] * part

    def interval(self, level: float) -> tuple[float, float] | None:
        """Give the 99 % confidence interval of a quantile, milliseconds."""
        half = Z_LATENCY * math.sqrt(level * (1 - level) / max(self.calls, 1))
        low, high = self.quantile(level - half), self.quantile(level + half)
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict of `VERDICTS`, and what it rests on."""

    verdict: str
    evidence: list[dict[str, Any]]


def judge(after: Side, baselines: Sequence[tuple[str, Side]]) -> Judged:
    """
    Judge *after* by its baselines.

    Args:
        after: The new version.
        baselines: Name (``the version beside it``, ``before``, ``the day before``) and numbers; the first decides, the others must agree.
    """
    usable = [(name, side) for name, side in baselines if side.calls >= MIN_CALLS]
    if after.calls < MIN_CALLS or not usable or usable[0] != baselines[0]:
        return Judged("too_little_data", [_too_little(after, baselines)])
    findings = [*_errors(after, usable), *_latency(after, usable), *_breakers(after, usable[0])]
    worse = [finding for finding in findings if finding["direction"] == "worse"]
    better = [finding for finding in findings if finding["direction"] == "better"]
    verdict = "regressed" if worse else "improved" if better else "unchanged"
    return Judged(verdict, worse + better or [_same(after, usable[0])])


def error_z(after: Side, before: Side) -> float:
    """Give the z of the difference of two error ratios, positive = more errors after; 0 = too few to say."""
    failed, calls = after.failed + before.failed, after.calls + before.calls
    if failed < MIN_FAILED or failed == calls:
        return 0.0
    pooled = failed / calls
    spread = math.sqrt(pooled * (1 - pooled) * (1 / after.calls + 1 / before.calls))
    difference = after.failed / after.calls - before.failed / before.calls
    correction = min((1 / after.calls + 1 / before.calls) / 2, abs(difference))
    return math.copysign(abs(difference) - correction, difference) / spread


def _errors(after: Side, baselines: Sequence[tuple[str, Side]]) -> list[dict[str, Any]]:
    signs = {_error_sign(after, side) for _, side in baselines}
    if signs not in ({1}, {-1}):
        return []
    name, before = baselines[0]
    old, new = before.failed / before.calls, after.failed / after.calls
    more = new > old
    message = f"{new:.2%} of {after.calls} calls failed, {name} {old:.2%} of {before.calls}"
    return [
        _finding(
            "errors",
            _way(more),
            message,
            round(new, 6),
            round(old, 6),
            statistic=round(error_z(after, before), 2),
        )
    ]


def _error_sign(after: Side, before: Side) -> int:
    z = error_z(after, before)
    if abs(z) < Z_ERRORS:
        return 0
    high, low = sorted((after.failed / after.calls, before.failed / before.calls), reverse=True)
    matters = high - low >= ERROR_POINTS and high >= ERROR_FACTOR * low
    return (1 if z > 0 else -1) if matters else 0


def _latency(after: Side, baselines: Sequence[tuple[str, Side]]) -> list[dict[str, Any]]:
    found = []
    for code, level in _JUDGED:
        signs = {_latency_sign(after, side, level) for _, side in baselines}
        if signs in ({1}, {-1}):
            name, before = baselines[0]
            old, new = before.quantile(level) or 0.0, after.quantile(level) or 0.0
            message = f"{code} {new:.1f} ms, {name} {old:.1f} ms"
            found.append(_finding(code, _way(new > old), message, round(new, 3), round(old, 3)))
    return found


def _latency_sign(after: Side, before: Side, level: float) -> int:
    one, other = after.interval(level), before.interval(level)
    new, old = after.quantile(level), before.quantile(level)
    if one is None or other is None or new is None or old is None:
        return 0
    high, low = max(new, old), min(new, old)
    if high < SLOW_FACTOR * low or high - low < SLOW_MS:
        return 0
    return 1 if one[0] > other[1] else -1 if one[1] < other[0] else 0


def _breakers(after: Side, baseline: tuple[str, Side]) -> list[dict[str, Any]]:
    name, before = baseline
    if not after.breakers or before.breakers:
        return []
    message = f"{after.breakers} opening(s) of breakers that its callers hold on it, {name} none"
    return [_finding("breakers_opened", "worse", message, after.breakers, 0)]


def _finding(
    code: str, direction: str, message: str, value: float, baseline: float, statistic: float | None = None
) -> dict[str, Any]:
    return {
        "code": code,
        "direction": direction,
        "message": message,
        "value": value,
        "baseline": baseline,
        "statistic": statistic,
    }


def _way(worse: bool) -> str:
    return "worse" if worse else "better"


def _same(after: Side, baseline: tuple[str, Side]) -> dict[str, Any]:
    name, before = baseline
    message = (
        f"{after.calls} calls differ from {before.calls} {name} by nothing that is significant and matters"
    )
    return _finding("no_difference", "none", message, after.calls, before.calls)


def _too_little(after: Side, baselines: Sequence[tuple[str, Side]]) -> dict[str, Any]:
    name, before = baselines[0] if baselines else ("before", Side())
    message = f"{after.calls} calls, {name} {before.calls}: at least {MIN_CALLS} on each side are needed"
    return _finding("too_little_data", "none", message, after.calls, before.calls)
