"""Functions of a vector: value by value, absent, scalar, label_join."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from collector.query.promql.instants.vectors import Element, Labels, Vector, distinct, ordered


def _whole(rounded: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(rounded(value)) if math.isfinite(value) else value


def _sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _ln(value: float) -> float:
    if value > 0:
        return math.log(value)
    return -math.inf if value == 0 else math.nan


def _sgn(value: float) -> float:
    return math.copysign(1.0, value) if value > 0 or value < 0 else value


PLAIN: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": math.exp,
    "sqrt": _sqrt,
    "ln": _ln,
    "sgn": _sgn,
}
SORTS = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})


def _clamp_min(value: float, low: float) -> float | None:
    return math.nan if math.isnan(low) else max(value, low)


def _clamp_max(value: float, high: float) -> float | None:
    return math.nan if math.isnan(high) else min(value, high)


def _clamp(value: float, low: float, high: float) -> float | None:
    if low > high:
        return None
    if math.isnan(low) or math.isnan(high):
        return math.nan
    return high if value > high else max(value, low)


def _round(value: float, to: float = 1.0) -> float | None:
    inverse = 1 / to
    return _whole(math.floor)(value * inverse + 0.5) / inverse


# (how many numbers at least, at most; None = no value)
WITH_NUMBERS: Mapping[str, tuple[range, Callable[..., float | None]]] = {
    "clamp": (range(2, 3), _clamp),
    "clamp_min": (range(1, 2), _clamp_min),
    "clamp_max": (range(1, 2), _clamp_max),
    "round": (range(2), _round),
}


def value_by_value(function: str, vector: Vector, numbers: Sequence[float]) -> Vector:
    """Apply *function*; the name goes."""
    if function in PLAIN:
        of = PLAIN[function]
        return Vector([Element(labels, of(value)) for labels, value in vector.elements], drops=True)
    apply = WITH_NUMBERS[function][1]
    told = ((labels, apply(value, *numbers)) for labels, value in vector.elements)
    return Vector([Element(labels, value) for labels, value in told if value is not None], drops=True)


def scalar(vector: Vector) -> float:
    """Give the value of the only element, NaN where there is none or more than one."""
    return vector.elements[0].value if len(vector.elements) == 1 else math.nan


def absent(vector: Vector, asked: Labels) -> Vector:
    """Give 1 under *asked* where there is nothing."""
    return Vector([] if vector.elements else [Element(asked, 1.0)])


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Write the values of *sources* into *target*."""
    joined = (
        Element(
            ordered({**labels, target: separator.join(labels.get(source, "") for source in sources)}), value
        )
        for labels, value in vector.elements
    )
    return Vector(distinct(joined), vector.drops)
