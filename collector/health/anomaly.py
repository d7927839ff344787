"""
Anomalies: minutes that differ from what is usual, found in the minutes of a service or an edge. Pure.

Usual is the median of the baseline, and its spread the median absolute deviation: a fault that is in the baseline moves neither before it is half
of it. What is abnormal must also matter: a tail that is half slower by two milliseconds wakes nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from collector.read.minutes import Minutes

MINUTE_S = 60
# Below this many requests in a minute a ratio is an anecdote.
MIN_CALLS = 5
# Ratios differ by chance: four standard deviations of a coin, and at least three in a hundred.
ERROR_SIGMAS, ERROR_RATIO = 4.0, 0.03
# One call in four failing is an outage, whatever is usual.
ERROR_FULL = 0.25
# Half as slow again, and beyond what minutes usually differ by.
SLOW_FACTOR, SLOW_MADS, SLOW_MS = 1.5, 4.0, 5.0
# Eight times slower is as bad as slow can be.
SLOW_FULL = 8.0
SEVERE_RATIO, SEVERE_RECORDS = 0.1, 3
# Fewer baseline minutes than this are none.
MIN_BASELINE = 4
# Traffic below a tenth of the usual, where there was some.
GONE_RATIO, GONE_CALLS = 0.1, 10.0
_MAD_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Anomaly:
    """
    What is abnormal.

    Attributes:
        kind: ``errors``, ``latency``, ``log_errors``, ``gone``.
        score: How much, 0 to 1.
        began_s: The first minute of it, seconds since the epoch.
        value: What was reached; *usual* what it is otherwise; ratios, or milliseconds.
    """

    kind: str
    score: float
    began_s: int
    value: float
    usual: float


def find(minutes: Minutes, window: tuple[int, int], until_s: int) -> list[Anomaly]:
    """
    Return the anomalies of a series, at most one of each kind.

    Args:
        minutes: Of the window and an hour before it.
        window: [start, end) in seconds: where anomalies are looked for; what is before is the baseline, where it is enough.
        until_s: Data are complete up to here: minutes from it on say nothing about what is missing.
    """
    found = (
        _errors(minutes, window),
        _slow(minutes, window),
        _severe(minutes, window),
        _gone(minutes, window, until_s),
    )
    return [anomaly for anomaly in found if anomaly is not None]


def _errors(minutes: Minutes, window: tuple[int, int]) -> Anomaly | None:
    ratios = {
        at: minutes.failed.get(at, 0) / calls for at, calls in minutes.calls.items() if calls >= MIN_CALLS
    }
    usual, spread = _usual(ratios, window)

    def abnormal(at: int, ratio: float) -> bool:
        chance = math.sqrt(max(usual * (1 - usual), 1e-4) / minutes.calls[at])
        return ratio - usual >= max(ERROR_RATIO, ERROR_SIGMAS * chance, SLOW_MADS * spread)

    return _run("errors", ratios, window, abnormal, usual, lambda ratio: (ratio - usual) / ERROR_FULL)


def _slow(minutes: Minutes, window: tuple[int, int]) -> Anomaly | None:
    known = {at: ms for at, ms in minutes.p95_ms.items() if minutes.calls.get(at, 0) >= MIN_CALLS}
    usual, spread = _usual(known, window)
    limit = max(SLOW_FACTOR * usual, usual + SLOW_MADS * spread, usual + SLOW_MS)
    return _run(
        "latency", known, window, lambda _, ms: ms >= limit, usual,
        lambda ms: math.log2(max(ms / max(usual, 0.1), 1.0)) / math.log2(SLOW_FULL),
    )  # fmt: skip


def _severe(minutes: Minutes, window: tuple[int, int]) -> Anomaly | None:
    ratios = {at: minutes.severe.get(at, 0) / records for at, records in minutes.records.items() if records}
    usual, spread = _usual(ratios, window)

    def abnormal(at: int, ratio: float) -> bool:
        enough = minutes.severe.get(at, 0) >= SEVERE_RECORDS
        return enough and ratio - usual >= max(SEVERE_RATIO, SLOW_MADS * spread)

    # logs are words: half as strong as what calls show
    return _run(
        "log_errors", ratios, window, abnormal, usual, lambda ratio: 0.5 * (ratio - usual) / ERROR_FULL
    )


def _gone(minutes: Minutes, window: tuple[int, int], until_s: int) -> Anomaly | None:
    """Find traffic that stopped: minutes that are missing count as zero."""
    if not minutes.calls:
        return None
    first = min(minutes.calls)
    counted = {at: float(minutes.calls.get(at, 0)) for at in range(first, until_s - MINUTE_S + 1, MINUTE_S)}
    usual, _ = _usual(counted, window)
    if usual < GONE_CALLS:
        return None
    return _run("gone", counted, window, lambda _, calls: calls <= GONE_RATIO * usual, usual, lambda _: 1.0)


def _usual(values: Mapping[int, float], window: tuple[int, int]) -> tuple[float, float]:
    """Give median and spread of the baseline: before the window where that is enough, else of all."""
    before = [value for at, value in values.items() if at < window[0]]
    baseline = before if len(before) >= MIN_BASELINE else list(values.values())
    if not baseline:
        return 0.0, 0.0
    middle = median(baseline)
    return middle, _MAD_SIGMA * median(abs(value - middle) for value in baseline)


def _run(
    kind: str,
    values: Mapping[int, float],
    window: tuple[int, int],
    abnormal: Callable[[int, float], bool],
    usual: float,
    score: Callable[[float], float],
) -> Anomaly | None:
    """Find the worst run of abnormal minutes in the window; one usual minute between two does not end a run."""
    runs: list[list[int]] = []
    for at in sorted(at for at in values if window[0] <= at < window[1] and abnormal(at, values[at])):
        if runs and at - runs[-1][-1] <= 2 * MINUTE_S:
            runs[-1].append(at)
        else:
            runs.append([at])
    if not runs:
        return None
    worst = max(runs, key=lambda run: sum(min(score(values[at]), 1.0) for at in run))
    peak = _typical([values[at] for at in worst], usual)
    return Anomaly(kind, round(max(0.05, min(score(peak), 1.0)), 4), worst[0], peak, usual)


def _typical(values: Sequence[float], usual: float) -> float:
    """Give the upper half's median of a run: its first and last minute are partly usual."""
    ordered = sorted(values, key=lambda value: abs(value - usual))
    return median(ordered[len(ordered) // 2 :])
