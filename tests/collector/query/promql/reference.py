"""
A slow evaluator of windows, sample by sample, to compare the compiler with.

Written from Prometheus' documentation and the formulas of promql/functions.go; windows are open on their left.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence

from tests.collector.query.promql.samples import stale

Sample = tuple[int, float]
Window = Sequence[Sample]


def last(samples: Window, at_ms: int, lookback_ms: int) -> float | None:
    """What an instant selector gives."""
    seen = [value for t, value in samples if at_ms - lookback_ms < t <= at_ms]
    return None if not seen or stale(seen[-1]) else seen[-1]


def window(samples: Window, at_ms: int, range_ms: int) -> list[Sample]:
    """What a range selector gives."""
    return [(t, value) for t, value in samples if at_ms - range_ms < t <= at_ms and not stale(value)]


def extrapolated(w: Window, at_ms: int, range_ms: int, *, counter: bool, per_second: bool) -> float | None:
    """Rate, increase and delta."""
    if len(w) < 2:
        return None
    result = w[-1][1] - w[0][1]
    if counter:
        result += sum(before[1] for before, after in itertools.pairwise(w) if after[1] < before[1])
    start_s = (w[0][0] - (at_ms - range_ms)) / 1000
    end_s = (at_ms - w[-1][0]) / 1000
    sampled_s = (w[-1][0] - w[0][0]) / 1000
    between_s = sampled_s / (len(w) - 1)
    threshold_s = between_s * 1.1
    if start_s >= threshold_s:
        start_s = between_s / 2
    if counter and result > 0 and w[0][1] >= 0:
        start_s = min(start_s, sampled_s * (w[0][1] / result))
    if end_s >= threshold_s:
        end_s = between_s / 2
    factor = (sampled_s + start_s + end_s) / sampled_s
    return result * (factor / (range_ms / 1000) if per_second else factor)


def _instant(w: Window, *, counter: bool, per_second: bool) -> float | None:
    if len(w) < 2:
        return None
    (t0, v0), (t1, v1) = w[-2:]
    result = v1 if counter and v1 < v0 else v1 - v0
    return result / ((t1 - t0) / 1000) if per_second else result


def _line(w: Window, from_ms: int) -> tuple[float, float] | None:
    """Slope and intercept by least squares."""
    if len(w) < 2:
        return None
    if all(value == w[0][1] for _, value in w):
        return 0.0, w[0][1]
    xs, ys = [(t - from_ms) / 1000 for t, _ in w], [value for _, value in w]
    n, sx, sy = len(w), math.fsum(xs), math.fsum(ys)
    cov = math.fsum(x * y for x, y in zip(xs, ys, strict=True)) - sx * sy / n
    var = math.fsum(x * x for x in xs) - sx * sx / n
    slope = cov / var
    return slope, sy / n - slope * sx / n


def _deriv(w: Window, _at: int, _range: int) -> float | None:
    line = _line(w, w[0][0]) if w else None
    return None if line is None else line[0]


def _predicted(w: Window, at_ms: int, _range: int) -> float | None:
    line = _line(w, at_ms)
    return None if line is None else line[0] * 60 + line[1]


def _changes(w: Window) -> float:
    return float(
        sum(a != b and not (math.isnan(a) and math.isnan(b)) for (_, a), (_, b) in itertools.pairwise(w))
    )


def quantile(values: Sequence[float], q: float) -> float:
    """Prometheus' quantile."""
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def _smoothed(w: Window, sf: float, tf: float) -> float | None:
    if len(w) < 2:
        return None
    values = [value for _, value in w]
    level, trend = values[0], values[1] - values[0]
    for x in values[1:]:
        level, before = sf * x + (1 - sf) * (level + trend), level
        trend = tf * (level - before) + (1 - tf) * trend
    return level


def _of_values(f: Callable[[list[float]], float]) -> Callable[[Window, int, int], float | None]:
    return lambda w, _at, _range: f([value for _, value in w]) if w else None


def _mad(values: list[float]) -> float:
    middle = statistics.median(values)
    return statistics.median([abs(value - middle) for value in values])


FUNCTIONS: dict[str, Callable[[Window, int, int], float | None]] = {
    "rate({})": lambda w, at, r: extrapolated(w, at, r, counter=True, per_second=True),
    "increase({})": lambda w, at, r: extrapolated(w, at, r, counter=True, per_second=False),
    "delta({})": lambda w, at, r: extrapolated(w, at, r, counter=False, per_second=False),
    "irate({})": lambda w, _at, _r: _instant(w, counter=True, per_second=True),
    "idelta({})": lambda w, _at, _r: _instant(w, counter=False, per_second=False),
    "deriv({})": _deriv,
    "predict_linear({}, 60)": _predicted,
    "changes({})": lambda w, _at, _r: _changes(w) if w else None,
    "resets({})": lambda w, _at, _r: float(sum(b[1] < a[1] for a, b in itertools.pairwise(w))) if w else None,
    "avg_over_time({})": _of_values(lambda v: math.fsum(v) / len(v)),
    "sum_over_time({})": _of_values(math.fsum),
    "min_over_time({})": _of_values(min),
    "max_over_time({})": _of_values(max),
    "count_over_time({})": _of_values(lambda v: float(len(v))),
    "last_over_time({})": _of_values(lambda v: v[-1]),
    "first_over_time({})": _of_values(lambda v: v[0]),
    "present_over_time({})": _of_values(lambda _: 1.0),
    "stddev_over_time({})": _of_values(statistics.pstdev),
    "stdvar_over_time({})": _of_values(statistics.pvariance),
    "mad_over_time({})": _of_values(_mad),
    "quantile_over_time(0.3, {})": _of_values(lambda v: quantile(v, 0.3)),
    "double_exponential_smoothing({}, 0.5, 0.3)": lambda w, _at, _r: _smoothed(w, 0.5, 0.3),
    "ts_of_first_over_time({})": lambda w, _at, _r: w[0][0] / 1000 if w else None,
    "ts_of_last_over_time({})": lambda w, _at, _r: w[-1][0] / 1000 if w else None,
    "ts_of_max_over_time({})": lambda w, _at, _r: max(w, key=lambda s: (s[1], s[0]))[0] / 1000 if w else None,
    "ts_of_min_over_time({})": lambda w, _at, _r: (
        min(w, key=lambda s: (s[1], -s[0]))[0] / 1000 if w else None
    ),
}
