"""What the parts of the evaluator hand each other. Labels are sorted by name, without empty values, so that equal sets have equal items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collector.query.promql.scope import NAME

Labels = Mapping[str, str]
Key = tuple[tuple[str, str], ...]


class GivenUp(Exception):
    """The compiler's statement answers this."""


class Element(NamedTuple):
    """A label set and its value."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """
    Label sets with a value each.

    Attributes:
        elements: In any order.
        drops: Functions have taken the name away: it goes at the end (`collector.query.promql.scope.Vector`).
    """

    elements: Sequence[Element]
    drops: bool = False


def key(labels: Labels) -> Key:
    """Give what equal label sets have in common."""
    return tuple(labels.items())


def ordered(labels: Labels) -> Labels:
    """Sort by name and leave empty values out."""
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def without(labels: Labels, names: frozenset[str]) -> Labels:
    """Leave *names* out."""
    return {name: value for name, value in labels.items() if name not in names}


def only(labels: Labels, names: frozenset[str]) -> Labels:
    """Leave all but *names* out."""
    return {name: value for name, value in labels.items() if name in names}


_NAME = frozenset({NAME})


def nameless(vector: Vector) -> Vector:
    """
    Drop the name at last.

    Raises:
        GivenUp: Series differ by it alone.
    """
    if not vector.drops:
        return vector
    bare = [
        Element(without(one.labels, _NAME), one.value) if NAME in one.labels else one
        for one in vector.elements
    ]
    return Vector(distinct(bare))


def distinct(elements: Iterable[Element]) -> Sequence[Element]:
    """
    Give *elements*, no two of one label set.

    Raises:
        GivenUp: There are two.
    """
    kept = list(elements)
    if len({key(one.labels) for one in kept}) != len(kept):
        raise GivenUp
    return kept
