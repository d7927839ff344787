"""Binary operators, as `collector.query.promql.operators` compiles them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from collector.query.promql.instants.vectors import (
    Element,
    GivenUp,
    Key,
    Labels,
    Vector,
    distinct,
    key,
    nameless,
    only,
    ordered,
    without,
)
from collector.query.promql.operators import Matching
from collector.query.promql.scope import NAME

SETS = frozenset({"and", "or", "unless"})


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def known(op: str, how: Matching) -> None:
    """
    Do nothing.

    Raises:
        GivenUp: The statement is better at it: remainders and powers, sides that are filled.
    """
    if how.filled or op not in ARITHMETIC.keys() | COMPARISONS.keys() | SETS:
        raise GivenUp


def numbers(op: str, left: float, right: float) -> float:
    """Apply *op* to two numbers; a comparison gives 1 or 0."""
    return ARITHMETIC[op](left, right) if op in ARITHMETIC else float(COMPARISONS[op](left, right))


def drops_name(op: str, *, as_bool: bool) -> bool:
    """Whether the result is no value of the metric any more."""
    return op in ARITHMETIC or as_bool


def vector_and_number(op: str, vector: Vector, number: float, *, swapped: bool, as_bool: bool) -> Vector:
    """Apply *op* to each value and *number*, which stands on the left if *swapped*; a comparison without ``bool`` filters."""
    found = []
    for labels, value in vector.elements:
        left, right = (number, value) if swapped else (value, number)
        if op in COMPARISONS and not as_bool:
            if COMPARISONS[op](left, right):
                found.append(Element(labels, value))
        else:
            found.append(Element(labels, numbers(op, left, right)))
    return Vector(found, vector.drops or drops_name(op, as_bool=as_bool))


def vectors(op: str, left: Vector, right: Vector, how: Matching) -> Vector:
    """
    Apply *op* to the elements that find each other.

    Raises:
        GivenUp: One has several to choose from, or results cannot be told apart.
    """
    if op in SETS:
        return _set(op, left, right, how)
    many, one = (right, left) if how.many_right else (left, right)
    signature, labels = _signature(how), _result(how)
    ones = _by_signature(one.elements, signature)
    found = []
    for element in many.elements:
        partners = ones.get(key(signature(element.labels)), ())
        if len(partners) > 1:
            raise GivenUp
        for partner in partners:
            lhs, rhs = (partner, element) if how.many_right else (element, partner)
            value = _matched(op, lhs.value, rhs.value, as_bool=how.as_bool)
            if value is not None:
                found.append(Element(labels(element.labels, partner.labels), value))
    return Vector(distinct(found), many.drops or drops_name(op, as_bool=how.as_bool))


def _matched(op: str, left: float, right: float, *, as_bool: bool) -> float | None:
    if op in ARITHMETIC or as_bool:
        return numbers(op, left, right)
    return left if COMPARISONS[op](left, right) else None


def _by_signature(
    elements: Iterable[Element], signature: Callable[[Labels], Labels]
) -> dict[Key, list[Element]]:
    found: dict[Key, list[Element]] = {}
    for element in elements:
        found.setdefault(key(signature(element.labels)), []).append(element)
    return found


def _signature(how: Matching) -> Callable[[Labels], Labels]:
    """Give what of labels must be the same on both sides."""
    names = frozenset(how.labels)
    if how.on:
        return lambda labels: only(labels, names)
    dropped = names | {NAME}
    return lambda labels: without(labels, dropped)


def _result(how: Matching) -> Callable[[Labels, Labels], Labels]:
    """Give what makes the result's labels of those of the many and of the one."""
    if how.grouped:
        include = frozenset(how.include)
        if not include:
            return lambda many, _: many
        return lambda many, one: ordered({**without(many, include), **only(one, include)})
    names = frozenset(how.labels)
    if how.on:
        return lambda many, _: only(many, names)
    return (lambda many, _: without(many, names)) if names else (lambda many, _: many)


def _set(op: str, left: Vector, right: Vector, how: Matching) -> Vector:
    if op == "or" and left.drops != right.drops:
        left, right = nameless(left), nameless(right)
    signature = _signature(how)
    if op == "or":
        there = {key(signature(one.labels)) for one in left.elements}
        more = [one for one in right.elements if key(signature(one.labels)) not in there]
        return Vector(distinct([*left.elements, *more]), left.drops and right.drops)
    there = {key(signature(one.labels)) for one in right.elements}
    kept = [one for one in left.elements if (key(signature(one.labels)) in there) == (op == "and")]
    return Vector(kept, left.drops)
