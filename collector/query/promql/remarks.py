"""What Prometheus says beside an answer: warnings and infos that the question alone gives away."""

from __future__ import annotations

from typing import Any

import promql_parser as pp

from collector.query.promql.scope import NAME, Scope

_OF_COUNTERS = frozenset({"rate", "increase", "irate"})
_COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")
_WITH_QUANTILE = frozenset({"quantile_over_time", "histogram_quantile"})


def call(node: pp.Call, scope: Scope) -> None:
    """Note what is odd about a function's arguments."""
    if node.func.name in _WITH_QUANTILE:
        quantile(node.args[0], scope)
    if node.func.name in _OF_COUNTERS and isinstance(node.args[0], pp.MatrixSelector):
        _counter(_metric(node.args[0].vector_selector), scope)


def quantile(node: Any, scope: Scope) -> None:
    """Note a quantile outside of 0 to 1."""
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.NumberLiteral) and not 0 <= node.val <= 1:
        scope.warnings.append(f"PromQL warning: quantile value should be between 0 and 1, got {node.val:g}")


def ratio(node: Any, scope: Scope) -> None:
    """Note a share outside of -1 to 1."""
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.NumberLiteral) and not -1 <= node.val <= 1:
        capped = 1 if node.val > 0 else -1
        scope.warnings.append(
            f"PromQL warning: ratio value should be between -1 and 1, got {node.val:g}, capping to {capped}"
        )


def _counter(name: str, scope: Scope) -> None:
    if name and not name.endswith(_COUNTER_ENDINGS):
        scope.infos.append(
            f'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"'
        )


def _metric(selector: pp.VectorSelector) -> str:
    equal = (m.value for m in selector.matchers.matchers if m.name == NAME and m.op == pp.MatchOp.Equal)
    return selector.name or next(equal, "")
