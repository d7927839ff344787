"""What an expression asks of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import promql_parser as pp

from collector.query.promql.instants.vectors import GivenUp
from collector.query.promql.scope import NAME
from collector.query.promql.selectors import anchored, milliseconds

# An instant selector, and when its sample was taken, as if they were range functions.
LAST, TIMESTAMP = "last", "timestamp"

MatcherKind = Literal["=", "!=", "=~", "!~"]
_KINDS = (
    (pp.MatchOp.Equal, "="),
    (pp.MatchOp.NotEqual, "!="),
    (pp.MatchOp.Re, "=~"),
    (pp.MatchOp.NotRe, "!~"),
)


@dataclass(frozen=True, slots=True)
class Selector:
    """
    Which series, of one name.

    Attributes:
        metric: The name.
        matchers: (label, ``=`` ``!=`` ``=~`` or ``!~``, value); patterns match whole texts.
    """

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    A selector under a range function: one value per series.

    Attributes:
        selector: Which series.
        own: Columns of a series that the question names as labels (`collector.query.promql.selectors.OWN`).
        function: Its PromQL name, `LAST` or `TIMESTAMP`.
        numbers: Its other arguments.
        window_ms: How much of the samples it sees.
        offset_ms: How far before the question's point the window ends.
    """

    selector: Selector
    own: frozenset[str]
    function: str
    numbers: tuple[float, ...]
    window_ms: int
    offset_ms: int


def leaf(
    node: pp.VectorSelector, own: frozenset[str], function: str, numbers: tuple[float, ...], window_ms: int
) -> Leaf:
    """
    Read a selector.

    Raises:
        GivenUp: It has ``@``, alternatives, or no name.
    """
    if node.at is not None or node.matchers.or_matchers:
        raise GivenUp
    return Leaf(selector_of(node), own, function, numbers, window_ms, milliseconds(node.offset))


def selector_of(node: pp.VectorSelector) -> Selector:
    """
    Give the name and the matchers of *node*.

    Raises:
        GivenUp: The name is matched otherwise than by being equal, or twice.
    """
    matchers = [(one.name, _kind(one), one.value) for one in node.matchers.matchers]
    named = [one for one in matchers if one[0] == NAME]
    if len(named) + bool(node.name) != 1 or any(kind != "=" for _, kind, _ in named):
        raise GivenUp
    metric = node.name or named[0][2]
    others = [
        (label, kind, anchored(value) if kind.endswith("~") else value)
        for label, kind, value in matchers
        if label != NAME
    ]
    return Selector(metric, tuple(sorted(others)))


def _kind(matcher: pp.Matcher) -> str:
    return next(kind for op, kind in _KINDS if matcher.op == op)
