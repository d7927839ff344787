"""Aggregations: many series -> one per group of labels, point by point."""

from __future__ import annotations

import promql_parser as pp

from collector.query.promql.scope import NAME, Scope, Vector

# Over the arrays of a group, NULLs skipped; what Prometheus sums it sums with compensation, so here too.
_SIMPLE = {
    "sum": "sumKahanForEach(t.values)",
    "avg": "arrayMap((v, n) -> v / n * pow(2, 64), sumKahanForEach(arrayMap(v -> v / pow(2, 64), t.values)), countForEach(t.values))",
    "min": "minForEach(t.values)",
    "max": "maxForEach(t.values)",
    "count": "arrayMap(n -> nullIf(toFloat64(n), 0), countForEach(t.values))",
    "group": "arrayMap(n -> if(n > 0, 1., NULL), countForEach(t.values))",
    "stddev": "stddevPopStableForEach(t.values)",
    "stdvar": "varPopStableForEach(t.values)",
}


def kept(modifier: pp.AggModifier | None, labels: str, scope: Scope) -> str:
    """Give the labels a group is known by."""
    if modifier is None:
        return "CAST(map(), 'Map(String, String)')"
    if modifier.type == pp.AggModifierType.By:
        names = scope.params.texts(sorted(set(modifier.labels)))
        return f"mapFilter((k, v) -> has({names}, k), {labels})"
    names = scope.params.texts(sorted({*modifier.labels, NAME}))
    return f"mapFilter((k, v) -> NOT has({names}, k), {labels})"


def aggregate(node: pp.AggregateExpr, inner: Vector, scope: Scope) -> Vector | None:
    """
    Compile an aggregation that takes no parameter.

    Returns:
        The vector; None if the operator takes one.
    """
    values = _SIMPLE.get(str(node.op))
    if values is None:
        return None
    group = kept(node.modifier, "t.labels", scope)
    sql = f"SELECT {group} AS labels, {values} AS values FROM ({inner.sql}) AS t GROUP BY labels"
    return Vector(sql, named=_by_name(node.modifier))


def _by_name(modifier: pp.AggModifier | None) -> bool:
    return modifier is not None and modifier.type == pp.AggModifierType.By and NAME in modifier.labels
