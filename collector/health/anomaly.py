"""
Anomalies: minutes that differ from what is usual, found in series of minutes. Pure.

Usual is the median of the baseline, and its spread the median absolute deviation: a fault that is in the baseline moves neither before it is half
of it. The baseline is what is before the window; where that is not enough, the first two fifths of everything: a recording, or a system that is
younger than the question. What is abnormal must also matter: a tail that is half slower by two milliseconds wakes nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MINUTE_S = 60
# Below this many requests in a minute a ratio is an anecdote.
MIN_CALLS = 5
# Fewer minutes than this before the window are no baseline.
MIN_BASELINE = 4
# Where there is nothing before the window, so much of everything is what is usual.
FIRST_SHARE = 0.4
# Sparse traffic is looked at over some minutes together, as many as it takes to have so many requests.
POOLED_MINUTES, POOLED_CALLS = 4, 8
# Minutes differ by chance: beyond four standard deviations of the baseline.
MADS = 4.0
# A run goes on when its last minute is one of the last of the window; one that is over counts for so much.
GOES_ON_S, OVER = 180, 0.6
MAD_SIGMA = 1.4826

Values = Mapping[int, float]
Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """
    What is abnormal.

    Attributes:
        kind: A code of docs/health.md.
        score: How much, 0 to 1.
        began_s: The first minute of it, seconds since the epoch.
        value: What was reached; *usual* what it is otherwise; ratios, or milliseconds.
        about: What it is about besides the service: a pool, a queue, a callee.
        goes_on: Whether it lasts to the end of the window.
    """

    kind: str
    score: float
    began_s: int
    value: float
    usual: float
    about: str = ""
    goes_on: bool = False


def usual(values: Values, window: Bounds) -> tuple[float, float]:
    """Give median and spread of the baseline."""
    before = [values[at] for at in _baseline(values, window)]
    if not before:
        return 0.0, 0.0
    middle = median(before)
    return middle, MAD_SIGMA * median(abs(value - middle) for value in before)


def usual_share(every: Mapping[int, float], some: Mapping[int, float], window: Bounds) -> float:
    """Give the share of *some* in *every* over the baseline as a whole: the median of many minutes without any is none."""
    before = _baseline(every, window)
    whole = sum(every[at] for at in before)
    return min(sum(some.get(at, 0.0) for at in before) / whole, 0.5) if whole else 0.0


def _baseline(every: Values, window: Bounds) -> list[int]:
    """Give the minutes of what is usual: those before the window, or the first ones; of a few minutes the first half, so that a system is judged from its third on."""
    first, end = window
    before = [at for at in every if at < first]
    if len(before) >= MIN_BASELINE:
        return before
    ordered = sorted(at for at in every if at < end)
    return ordered[: max(int(len(ordered) * FIRST_SHARE), min(MIN_BASELINE, len(ordered) // 2), 1)]


def pooled(calls: Mapping[int, float], some: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """Give calls and *some* (failures, milliseconds) of each minute, of sparse minutes together with those before."""
    found = {}
    for at in sorted(calls):
        count, total, back = calls[at], some.get(at, 0.0), at
        if count >= POOLED_CALLS:
            found[at] = (count, total)
            continue
        while count < POOLED_CALLS and back > at - (POOLED_MINUTES - 1) * MINUTE_S:
            back -= MINUTE_S
            count += calls.get(back, 0)
            total += some.get(back, 0.0) if back in calls else 0.0
        if count >= MIN_CALLS:
            found[at] = (count, total)
    return found


def worst_run(
    kind: str,
    values: Values,
    window: Bounds,
    abnormal: Callable[[int, float], bool],
    middle: float,
    score: Callable[[float], float],
    about: str = "",
) -> Anomaly | None:
    """Find the worst run of abnormal minutes in the window; one usual minute between two does not end a run."""
    runs: list[list[int]] = []
    first, end = window
    for at in sorted(at for at, value in values.items() if first <= at < end and abnormal(at, value)):
        if runs and at - runs[-1][-1] <= 2 * MINUTE_S:
            runs[-1].append(at)
        else:
            runs.append([at])
    if not runs:
        return None
    worst = max(runs, key=lambda run: _lasting(run, window) * sum(min(score(values[at]), 1.0) for at in run))
    peak = _typical([values[at] for at in worst], middle)
    strong = max(0.05, min(score(peak), 1.0)) * _lasting(worst, window)
    return Anomaly(kind, round(strong, 4), worst[0], peak, middle, about, worst[-1] >= window[1] - GOES_ON_S)


def _lasting(run: Sequence[int], window: Bounds) -> float:
    """Weigh how long it lasts: one odd minute happens; what is over matters less than what goes on."""
    goes_on = run[-1] >= window[1] - GOES_ON_S
    lasts = (run[-1] - run[0]) // MINUTE_S
    if lasts >= 2:
        return 1.0 if goes_on else OVER
    return (0.85, 1.0)[lasts] if goes_on else 0.35 + 0.15 * lasts


def _typical(values: Sequence[float], middle: float) -> float:
    """Give the upper half's median of a run: its first and last minute are partly usual."""
    ordered = sorted(values, key=lambda value: abs(value - middle))
    return median(ordered[len(ordered) // 2 :])
