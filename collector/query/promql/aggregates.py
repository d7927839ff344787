"""Aggregations: many series -> one per group of labels, point by point."""

from __future__ import annotations

import promql_parser as pp

from collector.errors import QueryError
from collector.query.promql.scope import NAME, Scalar, Scope, Text, Vector, mapped
from collector.query.promql.windows import quantile

# Sums are compensated, as Prometheus'. Kahan's loses small numbers beside huge ones and makes NaN of infinities: these are summed apart.
_SUM = (
    "arrayMap((a, b) -> a + b, sumKahanForEach(arrayMap(v -> if(abs(v) < 1e50, v, 0), {values})), "
    "sumForEach(arrayMap(v -> if(abs(v) < 1e50, 0, v), {values})))"
)
# A mean must not overflow on the way: a power of two scales exactly.
_SCALED = _SUM.format(values="arrayMap(v -> v / pow(2, 64), t.values)")
# Over the arrays of a group, NULLs skipped.
_SIMPLE = {
    "sum": _SUM.format(values="t.values"),
    "avg": f"arrayMap((v, n) -> v / n * pow(2, 64), {_SCALED}, countForEach(t.values))",
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


def aggregate(node: pp.AggregateExpr, inner: Vector, parameter: Scalar | Text | None, scope: Scope) -> Vector:
    """
    Compile an aggregation.

    Args:
        node: Operator and grouping.
        inner: What is aggregated.
        parameter: Of topk, quantile, count_values, ….
        scope: Where.
    """
    operator = str(node.op)
    group = kept(node.modifier, "t.labels", scope)
    if operator == "count_values":
        assert isinstance(parameter, Text)
        return _count_values(inner, parameter.value, group, scope)
    if operator in _SIMPLE:
        return _grouped(_SIMPLE[operator], inner, node, group)
    assert isinstance(parameter, Scalar)
    if operator == "quantile":
        values = mapped(quantile("w", "$a"), "groupArrayForEach(t.values)", {"a": parameter}, "w")
        return _grouped(values, inner, node, group)
    if operator == "limit_ratio":
        return _limit_ratio(inner, parameter)
    return _chosen(operator, inner, parameter, group)


def _grouped(values: str, inner: Vector, node: pp.AggregateExpr, group: str) -> Vector:
    sql = f"SELECT {group} AS labels, {values} AS values FROM ({inner.sql}) AS t GROUP BY labels"
    by_name = _by_name(node.modifier)
    return Vector(sql, named=by_name, unique=not by_name, drops=inner.drops)


_CHOSEN = """SELECT row.2 AS labels, arrayMap((v, m) -> if(m, v, NULL), row.3, chosen.steps_mask) AS values
FROM (SELECT arraySort(groupArray((cityHash64(t.labels), t.labels, t.values))) AS rows, arraySort({masks}) AS all_chosen
FROM ({inner}) AS t GROUP BY {group}) AS u
ARRAY JOIN arrayFilter(r -> has(u.all_chosen.key, r.1), u.rows) AS row, u.all_chosen AS chosen"""
_MASKS = {
    "topk": "timeSeriesTopKMasks({k}, cityHash64(t.labels), t.values)",
    "bottomk": "timeSeriesBottomKMasks({k}, cityHash64(t.labels), t.values)",
    "limitk": "timeSeriesLimitKMasks({k}, cityHash64(t.labels), cityHash64(t.labels), t.values)",
}


def _chosen(operator: str, inner: Vector, k: Scalar, group: str) -> Vector:
    """Keep k series of a group at each point: the engine says which, by the hash of their labels."""
    if not k.constant:
        return _chosen_per_point(operator, inner, k, group)
    masks = _MASKS[operator].format(k=_whole(k.sql))
    return Vector(
        _CHOSEN.format(masks=masks, inner=inner.sql, group=group), inner.named, inner.unique, inner.drops
    )


# The same with a k of its own at each point: (has a value, is NaN, order, hash) of each series in order.
_CHOSEN_PER_POINT = """SELECT row.2 AS labels, arrayMap((v, keys) -> if(has(keys, row.1), v, NULL), row.3, u.chosen) AS values
FROM (SELECT groupArray((cityHash64(t.labels), t.labels, t.values)) AS rows,
arrayMap((told, k) -> arrayMap(x -> x.4, arraySlice(arraySort(arrayFilter(x -> x.1, told)), 1, {whole})),
groupArrayForEach(arrayMap(v -> (isNotNull(v), isNaN(ifNull(v, 0)), {order}, cityHash64(t.labels)), t.values)), {ks}) AS chosen
FROM ({inner}) AS t GROUP BY {group}) AS u ARRAY JOIN u.rows AS row"""
_ORDERS = {"topk": "-ifNull(v, 0)", "bottomk": "ifNull(v, 0)", "limitk": "0."}


def _chosen_per_point(operator: str, inner: Vector, k: Scalar, group: str) -> Vector:
    sql = _CHOSEN_PER_POINT.format(
        order=_ORDERS[operator], whole=_whole("k"), ks=k.sql, inner=inner.sql, group=group
    )
    return Vector(sql, inner.named, inner.unique, inner.drops)


def _whole(k: str) -> str:
    """Give a number of series as a whole one, in Prometheus' words where it is none."""
    return (
        f"toUInt64(if({k} >= 1, {k}, 0) + throwIf(isNaN({k}), 'Parameter value is NaN')"
        f" + throwIf(abs({k}) >= 9223372036854775807., 'Scalar value overflows int64'))"
    )


def _limit_ratio(inner: Vector, ratio: Scalar) -> Vector:
    """Keep a share of the series, always the same ones, by the hash of their labels; a negative share is the rest."""
    place = "cityHash64(t.labels) / 18446744073709551616."
    values = mapped(f"if(if($a >= 0, {place} < $a, {place} >= 1 + $a), v, NULL)", "t.values", {"a": ratio})
    sql = f"SELECT t.labels AS labels, {values} AS values FROM ({inner.sql}) AS t"
    return Vector(sql, inner.named, inner.unique, inner.drops)


_COUNTED = """SELECT mapSort(mapUpdate(u.labels, map({label}, told))) AS labels, arrayMap(n -> nullIf(toFloat64(n), 0),
countForEach(arrayMap(x -> if(x = told, 1, NULL), u.texts))) AS values
FROM (SELECT {group} AS labels, arrayMap(v -> if(isNull(v), '', timeSeriesPrometheusValueToString(assumeNotNull(v))), t.values) AS texts
FROM ({inner}) AS t) AS u ARRAY JOIN arrayFilter(x -> x != '', arrayDistinct(u.texts)) AS told GROUP BY labels"""


def _count_values(inner: Vector, label: str, group: str, scope: Scope) -> Vector:
    if not label or "\0" in label:
        raise QueryError("bad_value", f"{label!r} is no label name", "query")
    sql = _COUNTED.format(label=scope.params.text(label), group=group, inner=inner.sql)
    return Vector(sql, named=True, unique=label != NAME)


def _by_name(modifier: pp.AggModifier | None) -> bool:
    return modifier is not None and modifier.type == pp.AggModifierType.By and NAME in modifier.labels
