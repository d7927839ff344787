"""Aggregations: many elements -> one per group of labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import promql_parser as pp

from collector.query.promql.instants.vectors import Element, GivenUp, Key, Labels, Vector, key, only, without
from collector.query.promql.scope import NAME

Values = Sequence[float]


def _sum(values: Values) -> float:
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def _avg(values: Values) -> float:
    return _sum(values) / len(values)


def _min(values: Values) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def _max(values: Values) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def _variance(values: Values) -> float:
    if not all(map(math.isfinite, values)):
        raise GivenUp
    mean = _avg(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


AGGREGATES: Mapping[str, Callable[[Values], float]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stdvar": _variance,
    "stddev": lambda values: math.sqrt(_variance(values)),
}


def quantile(level: float, values: Values) -> float:
    """Give the quantile, a straight line between two values; NaN is smaller than any number (promql/quantile.go)."""
    if math.isnan(level):
        return math.nan
    if not 0 <= level <= 1:
        return math.copysign(math.inf, level)
    there = sorted(values, key=lambda value: -math.inf if math.isnan(value) else value)
    rank = level * (len(there) - 1)
    low = math.floor(rank)
    weight = rank - low
    return there[low] * (1 - weight) + there[min(low + 1, len(there) - 1)] * weight


def kept(modifier: pp.AggModifier | None) -> Callable[[Labels], Labels]:
    """Give what makes the labels of a group of those of an element."""
    if modifier is None:
        return lambda _: {}
    names = frozenset(modifier.labels)
    if modifier.type == pp.AggModifierType.By:
        return lambda labels: only(labels, names)
    dropped = names | {NAME}
    return lambda labels: without(labels, dropped)


def aggregate(inner: Vector, group: Callable[[Labels], Labels], reduce: Callable[[Values], float]) -> Vector:
    """Reduce the values of each group to one."""
    groups: dict[Key, tuple[Labels, list[float]]] = {}
    for labels, value in inner.elements:
        told = group(labels)
        groups.setdefault(key(told), (told, []))[1].append(value)
    return Vector([Element(labels, reduce(values)) for labels, values in groups.values()], inner.drops)


def reducer(op: str) -> Callable[[Values], float]:
    """
    Give what reduces values to one.

    Raises:
        GivenUp: *op* chooses or counts elements: ties are broken by hashes that only the engine knows.
    """
    if op not in AGGREGATES:
        raise GivenUp
    return AGGREGATES[op]
