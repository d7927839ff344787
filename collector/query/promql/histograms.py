"""
Classic histograms: histogram_quantile and histogram_fraction over series that differ in ``le``.

Buckets are summed per bound first, then put in order per point; counts that fall from one bucket to the next are raised to the one
before, and differences below a part in 10^12 are taken for rounding, as Prometheus does (promql/quantile.go).
"""

from __future__ import annotations

from collector.query.promql.scope import Scalar, Scope, Vector

# Counts c that never fall.
_MENDED = (
    "arrayFold((told, x) -> arrayPushBack(told, if(x > told[-1] AND (told[-1] = 0 OR (x - told[-1]) / (x + told[-1]) >= 1e-12), x, told[-1])), "
    "arrayPopFront(c), arraySlice(c, 1, 1))"
)
# From the outside in: the answer per point; bounds and mended counts apart; and pairs of them.
_PER_POINT = """SELECT h.labels AS labels, arrayMap((u, c, {names}) -> {body}, h.bounds, h.mended, {arrays}) AS values
FROM (SELECT g.labels AS labels, arrayMap(p -> arrayMap(x -> x.1, p), g.pairs) AS bounds,
arrayMap(c -> {mended}, arrayMap(p -> arrayMap(x -> x.2, p), g.pairs)) AS mended
FROM ({pairs}) AS g) AS h"""
# (bound, count) in order per group and point: of (bound, has a value, value) of each series, summed where bounds are equal.
_PAIRS = """SELECT s.labels AS labels, arrayMap(p -> arrayMap(x -> (x.1, x.3), arrayFilter(x -> x.2, arraySort(p))), groupArrayForEach(s.told)) AS pairs
FROM (SELECT r.labels AS labels, arrayMap(v -> (assumeNotNull(r.bound), isNotNull(v), ifNull(v, nan)), sumForEach(r.values)) AS told
FROM (SELECT mapFilter((k, v) -> k != 'le', t.labels) AS labels, toFloat64OrNull(t.labels['le']) AS bound, t.values AS values
FROM ({inner}) AS t) AS r WHERE isNotNull(r.bound) GROUP BY labels, r.bound) AS s GROUP BY labels"""
# Over bounds u and mended counts c: the rank that quantile q has, and the bucket it falls into, 0 = the last.
_RANK = "(q * c[-1])"
_PLACE = f"arrayFirstIndex(x -> x >= {_RANK}, arrayPopBack(c))"
_QUANTILE = f"""multiIf(empty(u), NULL, isNaN(q), nan, q < 0, -inf, q > 1, inf, length(u) < 2 OR u[-1] != inf OR c[-1] = 0, nan,
{_PLACE} = 0, u[-2], {_PLACE} = 1 AND u[1] <= 0, u[1],
{_PLACE} = 1, u[1] * ({_RANK} / c[1]),
u[{_PLACE} - 1] + (u[{_PLACE}] - u[{_PLACE} - 1]) * (({_RANK} - c[{_PLACE} - 1]) / (c[{_PLACE}] - c[{_PLACE} - 1])))"""
# How many of the observations are at most x, a straight line between two bounds.
_BELOW = """multiIf({x} <= if(u[1] > 0, 0., -inf), 0., u[arrayFirstIndex(y -> y >= {x}, u)] = {x}, c[arrayFirstIndex(y -> y >= {x}, u)],
arrayFirstIndex(y -> y >= {x}, u) = 1 AND u[1] <= 0, 0.,
c[arrayFirstIndex(y -> y >= {x}, u) - 1] + (c[arrayFirstIndex(y -> y >= {x}, u)] - c[arrayFirstIndex(y -> y >= {x}, u) - 1])
* ({x} - u[arrayFirstIndex(y -> y >= {x}, u) - 1]) / (u[arrayFirstIndex(y -> y >= {x}, u)] - u[arrayFirstIndex(y -> y >= {x}, u) - 1]))"""
_FRACTION = (
    "multiIf(empty(u), NULL, u[-1] != inf OR c[-1] = 0 OR isNaN(c[-1]) OR isNaN(lo) OR isNaN(hi), nan, lo >= hi, 0., "
    f"({_BELOW.format(x='hi')} - {_BELOW.format(x='lo')}) / c[-1])"
)


def histogram_quantile(quantile: Scalar, inner: Vector, scope: Scope) -> Vector:
    """Compile ``histogram_quantile`` of classic buckets."""
    return _per_point(_QUANTILE, {"q": quantile}, inner, scope)


def histogram_fraction(low: Scalar, high: Scalar, inner: Vector, scope: Scope) -> Vector:
    """Compile ``histogram_fraction`` of classic buckets."""
    return _per_point(_FRACTION, {"lo": low, "hi": high}, inner, scope)


def _per_point(body: str, numbers: dict[str, Scalar], inner: Vector, scope: Scope) -> Vector:
    sql = _PER_POINT.format(
        names=", ".join(numbers),
        body=body,
        arrays=", ".join(number.array(scope) for number in numbers.values()),
        mended=_MENDED,
        pairs=_PAIRS.format(inner=inner.sql),
    )
    return Vector(sql, inner.named, inner.unique, drops=True)
