"""``histogram_quantile`` of classic buckets, as `collector.query.promql.histograms` compiles it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from collector.query.promql.instants.vectors import Element, GivenUp, Key, Labels, Vector, key, without

_BOUND = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf)", re.ASCII)
_LE = frozenset({"le"})
# Counts that fall by less than this part are rounding.
_ROUNDING = 1e-12


def histogram_quantile(level: float, inner: Vector) -> Vector:
    """
    Give the quantile of each histogram.

    Raises:
        GivenUp: A bound is written in a way of its own.
    """
    histograms: dict[Key, tuple[Labels, dict[float, float]]] = {}
    for labels, value in inner.elements:
        bound = labels.get("le", "")
        if not _BOUND.fullmatch(bound) or math.isnan(value):
            raise GivenUp
        told = without(labels, _LE)
        buckets = histograms.setdefault(key(told), (told, {}))[1]
        buckets[float(bound)] = buckets.get(float(bound), 0.0) + value
    found = [
        Element(labels, _quantile(level, sorted(buckets.items()))) for labels, buckets in histograms.values()
    ]
    return Vector(found, drops=True)


def _quantile(level: float, buckets: Sequence[tuple[float, float]]) -> float:
    if math.isnan(level):
        return math.nan
    if not 0 <= level <= 1:
        return math.copysign(math.inf, level)
    bounds, counts = [bound for bound, _ in buckets], _mended([count for _, count in buckets])
    if len(bounds) < 2 or bounds[-1] != math.inf or counts[-1] == 0:
        return math.nan
    return _within(level * counts[-1], bounds, counts)


def _within(rank: float, bounds: Sequence[float], counts: Sequence[float]) -> float:
    """Find *rank* in its bucket, on a straight line between the bounds."""
    place = next((index for index, count in enumerate(counts[:-1]) if count >= rank), None)
    if place is None:
        return bounds[-2]
    if place == 0:
        return bounds[0] if bounds[0] <= 0 else bounds[0] * (rank / counts[0])
    low, high = bounds[place - 1], bounds[place]
    return low + (high - low) * ((rank - counts[place - 1]) / (counts[place] - counts[place - 1]))


def _mended(counts: Sequence[float]) -> list[float]:
    """Raise counts that fall to the one before."""
    mended = [counts[0]]
    for count in counts[1:]:
        last = mended[-1]
        rises = count > last and (last == 0 or (count - last) / (count + last) >= _ROUNDING)
        mended.append(count if rises else last)
    return mended
