"""A tree -> what it asks of the store, and a function of the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import promql_parser as pp

from collector.query.promql.compiler import own_columns
from collector.query.promql.instants import aggregates, functions, operators
from collector.query.promql.instants.histograms import histogram_quantile
from collector.query.promql.instants.leaves import LAST, TIMESTAMP, Leaf, leaf
from collector.query.promql.instants.vectors import Element, GivenUp, Vector, nameless, ordered
from collector.query.promql.labels import asked_for
from collector.query.promql.operators import matching_of
from collector.query.promql.scope import NAME
from collector.query.promql.selectors import milliseconds
from collector.query.promql.windows import KEEPS_NAME, is_over_window


@dataclass(frozen=True, slots=True)
class Given:
    """What a plan is run with: the *elements* of each leaf, and the point."""

    elements: Sequence[Sequence[Element]]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a plan: gives a `Vector`, or a float if it is a *number*."""

    run: Callable[[Given], Any]
    number: bool = False
    constant: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    An expression to be evaluated here.

    Attributes:
        leaves: What it asks of the store; none twice.
    """

    leaves: Sequence[Leaf]
    _root: Node

    def run(self, elements: Sequence[Sequence[Element]], at_ms: int) -> Sequence[Element]:
        """
        Evaluate at one point.

        Args:
            elements: Of each leaf, in order.
            at_ms: The point.

        Returns:
            The answer; a number is one element without labels.

        Raises:
            GivenUp: The compiler's statement has the answer, or the words why there is none.
        """
        try:
            found = self._root.run(Given(elements, at_ms))
        except ArithmeticError as error:
            raise GivenUp from error
        return [Element({}, found)] if self._root.number else nameless(found).elements


def plan(tree: Any, lookback_ms: int) -> Plan | None:
    """Plan *tree*, which the compiler takes; ``None``: its statement answers it."""
    planner = _Planner(own_columns(tree), lookback_ms)
    try:
        root = planner.node(tree)
    except GivenUp:
        return None
    return Plan(tuple(planner.leaves), root)


@dataclass(slots=True)
class _Planner:
    own: frozenset[str]
    lookback_ms: int
    leaves: dict[Leaf, int] = field(default_factory=dict)

    def node(self, tree: Any) -> Node:
        """
        Plan a part.

        Raises:
            GivenUp: It is not evaluated here.
        """
        made: Mapping[type, Callable[[Any], Node]] = {
            pp.ParenExpr: lambda one: self.node(one.expr),
            pp.NumberLiteral: lambda one: _constant_of(one.val),
            pp.VectorSelector: lambda one: self._leaf(one, LAST, (), self.lookback_ms),
            pp.AggregateExpr: self._aggregate,
            pp.Call: self._call,
            pp.UnaryExpr: self._negated,
            pp.BinaryExpr: self._binary,
        }
        if type(tree) not in made:
            raise GivenUp
        return made[type(tree)](tree)

    def _leaf(
        self, selector: pp.VectorSelector, function: str, numbers: tuple[float, ...], window_ms: int
    ) -> Node:
        read = leaf(selector, self.own, function, numbers, window_ms)
        index = self.leaves.setdefault(read, len(self.leaves))
        drops = function not in KEEPS_NAME | {LAST}
        return Node(lambda given: Vector(given.elements[index], drops))

    def _constant(self, tree: Any) -> float:
        node = self.node(tree)
        if node.constant is None:
            raise GivenUp
        return node.constant

    def _vector(self, tree: Any) -> Node:
        node = self.node(tree)
        if node.number:
            raise GivenUp
        return node

    def _negated(self, tree: pp.UnaryExpr) -> Node:
        inner = self.node(tree.expr)
        if inner.number:
            constant = None if inner.constant is None else -inner.constant
            return Node(lambda given: -inner.run(given), number=True, constant=constant)
        return Node(
            lambda given: Vector([Element(one.labels, -one.value) for one in inner.run(given).elements], True)  # noqa: FBT003
        )

    def _aggregate(self, tree: pp.AggregateExpr) -> Node:
        inner, group, op = self._vector(tree.expr), aggregates.kept(tree.modifier), str(tree.op)
        if op == "quantile":
            level = self._constant(tree.param)
            return Node(
                lambda given: aggregates.aggregate(
                    inner.run(given), group, lambda values: aggregates.quantile(level, values)
                )
            )
        reduce = aggregates.reducer(op)
        return Node(lambda given: aggregates.aggregate(inner.run(given), group, reduce))

    def _binary(self, tree: pp.BinaryExpr) -> Node:
        left, right, op = self.node(tree.lhs), self.node(tree.rhs), str(tree.op)
        how = matching_of(tree.modifier)
        operators.known(op, how)
        if left.number and right.number:
            return _of_numbers(op, left, right)
        if not left.number and not right.number:
            return Node(lambda given: operators.vectors(op, left.run(given), right.run(given), how))
        vector, number = (right, left) if left.number else (left, right)
        return Node(
            lambda given: operators.vector_and_number(
                op, vector.run(given), number.run(given), swapped=left.number, as_bool=how.as_bool
            )
        )

    def _call(self, tree: pp.Call) -> Node:
        name = tree.func.name
        if any(isinstance(argument, pp.MatrixSelector) for argument in tree.args):
            return self._of_window(tree, name)
        if name == "timestamp" and isinstance(_bare(tree.args[0]), pp.VectorSelector):
            return self._leaf(_bare(tree.args[0]), TIMESTAMP, (), self.lookback_ms)
        if name in {"time", "pi"}:
            constant = math.pi if name == "pi" else None
            return Node(
                lambda given: given.at_ms / 1000 if constant is None else constant,
                number=True,
                constant=constant,
            )
        return self._of_values(tree, name)

    def _of_window(self, tree: pp.Call, name: str) -> Node:
        matrix = next(argument for argument in tree.args if isinstance(argument, pp.MatrixSelector))
        numbers = tuple(self._constant(one) for one in tree.args if not isinstance(one, pp.MatrixSelector))
        window_ms = milliseconds(matrix.range)
        if name == "absent_over_time":
            present = self._leaf(matrix.vector_selector, "present_over_time", (), window_ms)
            asked = ordered(asked_for(matrix))
            return Node(lambda given: functions.absent(present.run(given), asked))
        if not is_over_window(name):
            raise GivenUp
        return self._leaf(matrix.vector_selector, name, numbers, window_ms)

    def _of_values(self, tree: pp.Call, name: str) -> Node:
        if name in functions.SORTS:
            return self._vector(tree.args[0])
        made: Mapping[str, Callable[[pp.Call], Node]] = {
            "vector": self._number_as_vector,
            "scalar": self._scalar,
            "absent": self._absent,
            "histogram_quantile": self._quantile,
            "label_join": self._joined,
        }
        return made.get(name, self._value_by_value)(tree)

    def _number_as_vector(self, tree: pp.Call) -> Node:
        number = self.node(tree.args[0])
        return Node(lambda given: Vector([Element({}, number.run(given))]))

    def _scalar(self, tree: pp.Call) -> Node:
        inner = self._vector(tree.args[0])
        return Node(lambda given: functions.scalar(inner.run(given)), number=True)

    def _absent(self, tree: pp.Call) -> Node:
        inner, asked = self._vector(tree.args[0]), ordered(asked_for(_bare(tree.args[0])))
        return Node(lambda given: functions.absent(inner.run(given), asked))

    def _quantile(self, tree: pp.Call) -> Node:
        level, inner = self._constant(tree.args[0]), self._vector(tree.args[1])
        return Node(lambda given: histogram_quantile(level, inner.run(given)))

    def _value_by_value(self, tree: pp.Call) -> Node:
        name = tree.func.name
        if not tree.args or (name not in functions.PLAIN and name not in functions.WITH_NUMBERS):
            raise GivenUp
        inner, numbers = self._vector(tree.args[0]), [self._constant(one) for one in tree.args[1:]]
        if name in functions.WITH_NUMBERS and len(numbers) not in functions.WITH_NUMBERS[name][0]:
            raise GivenUp
        return Node(lambda given: functions.value_by_value(name, inner.run(given), numbers))

    def _joined(self, tree: pp.Call) -> Node:
        inner, (target, separator, *sources) = self._vector(tree.args[0]), [one.val for one in tree.args[1:]]
        if target == NAME:
            raise GivenUp
        return Node(lambda given: functions.label_join(inner.run(given), target, separator, sources))


def _of_numbers(op: str, left: Node, right: Node) -> Node:
    constant = None
    if left.constant is not None and right.constant is not None:
        try:
            constant = operators.numbers(op, left.constant, right.constant)
        except ArithmeticError as error:
            raise GivenUp from error
    return Node(
        lambda given: operators.numbers(op, left.run(given), right.run(given)), number=True, constant=constant
    )


def _constant_of(number: float) -> Node:
    return Node(lambda _: number, number=True, constant=number)


def _bare(tree: Any) -> Any:
    while isinstance(tree, pp.ParenExpr):
        tree = tree.expr
    return tree
