"""
``expr:``, a PromQL expression.

When a label set is no longer among the answers, either its condition has ended or its series have. To tell one from the other the same expression is
asked without its conditions (``x > 5`` as ``x``): a label set that is there without them has been found, and is over. One that is not there
has no series; it is over when every service that its series came from has been heard of since, by whatever else it sends: then the service lives and
no longer has the series. Otherwise nobody knows, and the alert stays. ``absent()`` yields nothing exactly when there is something: that is an answer.

Most expressions are evaluated here, from values that a few statements bring for all rules of a round (``read/leaves.py``); the others by a statement each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import promql_parser as pp

from collector.alerting.kinds.asking import (
    ANYTHING,
    SAMPLES,
    Missing,
    Sample,
    Sources,
    milliseconds,
    nanoseconds,
)
from collector.errors import QueryError
from collector.query.matchers import chosen, selectors
from collector.query.promql import Grid, compile_promql
from collector.query.promql.instants import GivenUp, Plan, plan
from collector.query.promql.syntax import parse, pretty
from collector.read.leaves import Leaves
from collector.read.metrics import LOOKBACK_MS, instant
from collector.read.sources import last_heard

# Alerts or samples of one rule; as many as a question of the Prometheus API may have.
SERIES_LIMIT = 10_000
# Label sets without series whose sources are looked for at one evaluation; the others wait, which is the safe side.
_LOOKED_FOR = 200
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_ABSENT = frozenset({"absent", "absent_over_time"})
_SCALAR_CALLS = frozenset({"scalar", "time", "pi"})


@dataclass(frozen=True, slots=True)
class Promql:
    """
    An expression.

    Attributes:
        text: As written.
        present: The same without its conditions; ``None`` = yielding nothing is an answer.
        plan: Evaluates *text* here, from leaves brought for many rules; ``None`` = the store does.
        present_plan: The same of *present*, from the same leaves.
    """

    text: str
    present: str | None
    plan: Plan | None = field(default=None, compare=False, repr=False)
    present_plan: Plan | None = field(default=None, compare=False, repr=False)

    reads: ClassVar = SAMPLES

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the expression's vector, or its number under no labels."""
        return _samples(sources, self.text, self.plan, at)

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those that are there without the condition, or whose services are heard of without the series."""
        if self.present is None:
            return frozenset(one.fingerprint for one in missing)
        there = {fingerprint(sample) for sample in _samples(sources, self.present, self.present_plan, at)}
        gone = [one for one in missing if one.fingerprint not in there and one.since is not None]
        found = frozenset(one.fingerprint for one in missing if one.fingerprint in there)
        return found | self._unheard(sources, gone[:_LOOKED_FOR]) if gone else found

    def _unheard(self, sources: Sources, gone: Sequence[Missing]) -> frozenset[str]:
        """Give those of *gone* whose every service was heard of after they were missed."""
        since_ns = [nanoseconds(one.since) for one in gone if one.since is not None]
        # the series were there when the alert began, or as long before as a sample stands
        began_ns = min(nanoseconds(one.began) for one in gone) - LOOKBACK_MS * 1_000_000
        series = chosen(selectors(parse(self.text)))
        sources.attend(ANYTHING)
        heard = last_heard(sources.reader(), series, [one.labels for one in gone], began_ns, min(since_ns))
        return frozenset(
            one.fingerprint
            for index, (one, since) in enumerate(zip(gone, since_ns, strict=True))
            if heard.get(index, 0) > since
        )


def read_promql(text: str) -> Promql:
    """
    Read and compile an expression.

    Raises:
        ValueError: It cannot be evaluated; the sentence says where.
    """
    try:
        tree = parse(text)
        kind = compile_promql(text, Grid(0, 0, 0)).type
    except QueryError as error:
        raise ValueError(error.message) from error
    if kind not in {"vector", "scalar"}:
        raise ValueError(f"a rule needs an instant vector or a number, and this is a {kind}")
    present = without_conditions(tree)
    return Promql(
        text,
        present,
        plan(tree, LOOKBACK_MS),
        None if present is None else plan(parse(present), LOOKBACK_MS),
    )


def without_conditions(node: Any) -> str | None:
    """Write the expression that has the label sets of *node* whether or not its comparisons hold; ``None``: none is needed."""
    if isinstance(node, pp.ParenExpr):
        inner = without_conditions(node.expr)
        return None if inner is None else f"({inner})"
    if isinstance(node, pp.BinaryExpr):
        return _of_binary(node)
    if isinstance(node, pp.AggregateExpr):
        return _of_aggregate(node)
    if isinstance(node, pp.Call) and node.func.name in _ABSENT:
        return None
    return pretty(node)


def _of_binary(node: pp.BinaryExpr) -> str | None:
    op, left, right = str(node.op), without_conditions(node.lhs), without_conditions(node.rhs)
    if op == "unless" or left is None or right is None:
        return left
    modifier = str(node.modifier or "")
    filters = op in _COMPARISONS and not (node.modifier is not None and node.modifier.return_bool)
    if filters and _is_number(node.rhs):
        return left
    if filters and _is_number(node.lhs):
        return right
    # multiplied, two vectors match as they do compared
    return f"({left}) {'*' if filters else op} {modifier} ({right})"


def _of_aggregate(node: pp.AggregateExpr) -> str | None:
    inner = without_conditions(node.expr)
    if inner is None:
        return None
    parameter = f"{pretty(node.param)}, " if node.param is not None else ""
    return f"{node.op} {node.modifier or ''} ({parameter}{inner})"


def _is_number(node: Any) -> bool:
    if isinstance(node, pp.ParenExpr | pp.UnaryExpr):
        return _is_number(node.expr)
    if isinstance(node, pp.BinaryExpr):
        return _is_number(node.lhs) and _is_number(node.rhs)
    return isinstance(node, pp.NumberLiteral) or (
        isinstance(node, pp.Call) and node.func.name in _SCALAR_CALLS
    )


def _samples(sources: Sources, text: str, planned: Plan | None, at: datetime) -> list[Sample]:
    if planned is not None and sources.leaves is not None:
        with suppress(GivenUp):
            return _here(sources.leaves, planned, milliseconds(at))
    answer = instant(sources.reader(), text, milliseconds(at), series_limit=SERIES_LIMIT)
    return [Sample(one.labels, one.points[0][1]) for one in answer.series if one.points]


def _here(leaves: Leaves, planned: Plan, at_ms: int) -> list[Sample]:
    found = leaves.run(planned, at_ms)
    if len(found) > SERIES_LIMIT:
        raise GivenUp
    return [Sample(one.labels, one.value) for one in found]
