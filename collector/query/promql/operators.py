"""
Binary operators.

Vectors are matched by their signature: both sides stand in one UNION ALL, grouped by it, so that each side is evaluated once. A group has
its "many" rows and its "one" side, merged into one row of values; two of the one side with a value at one point are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import promql_parser as pp

from collector.query.promql.scope import NAME, Scalar, Scope, Vector, distinct, mapped, nameless

_ARITHMETIC = {
    "+": "{l} + {r}",
    "-": "{l} - {r}",
    "*": "{l} * {r}",
    "/": "{l} / {r}",
    # ClickHouse's own is x - trunc(x / y) * y, which is no number for an infinite y
    "%": "if(isInfinite({r}) AND isFinite({l}), {l}, {l} % {r})",
    "^": "pow({l}, {r})",
    "atan2": "atan2({l}, {r})",
}
_COMPARISONS = {"==": "=", "!=": "!=", ">": ">", "<": "<", ">=": ">=", "<=": "<="}
_SETS = frozenset({"and", "or", "unless"})
_ONE_NOT_UNIQUE = (
    "found duplicate series for a match group on the side that may have one only; many-to-many matching not allowed: "
    "matching labels must be unique on one side (narrow it, or name more labels in on(…))"
)
_NOT_EXPLICIT = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
_NOT_TOLD_APART = "multiple matches for labels: grouping labels must ensure unique matches"

_MATCHED = """SELECT {labels} AS labels, arrayMap((m, o) -> {body}, {many_values}, {one_values}) AS values
FROM (SELECT t.sig AS sig, {many} AS rows, {ones} AS ones FROM ({both}) AS t GROUP BY sig
HAVING {present} AND NOT throwIf({ambiguous}, '{message}')) AS u
ARRAY JOIN u.rows AS row{join}"""


def scalars(op: str, left: Scalar, right: Scalar) -> Scalar:
    """Compile an operator between two numbers; a comparison gives 1 or 0 (the parser has seen to ``bool``)."""
    body = _ARITHMETIC.get(op) or f"toFloat64({{l}} {_COMPARISONS[op]} {{r}})"
    if left.constant and right.constant:
        return Scalar(f"({body.format(l=left.sql, r=right.sql)})", constant=True)
    if left.constant:
        return Scalar(mapped(body.format(l="$l", r="v"), right.sql, {"l": left}), constant=False)
    return Scalar(mapped(body.format(l="v", r="$r"), left.sql, {"r": right}), constant=False)


def vector_and_scalar(op: str, scalar: Scalar, *, swapped: bool, as_bool: bool) -> tuple[str, bool]:
    """
    Compile an operator between a vector and a number.

    Args:
        op: Operator.
        scalar: The number.
        swapped: The scalar stands on the left.
        as_bool: ``bool``: 1 or 0 rather than a filter.

    Returns:
        SQL of the values over the vector's ``t.values``, and whether the name is dropped.
    """
    left, right = ("$s", "v") if swapped else ("v", "$s")
    drops = op in _ARITHMETIC or as_bool
    return mapped(_body(op, left, right, "v", as_bool=as_bool), "t.values", {"s": scalar}), drops


def _body(op: str, left: str, right: str, kept: str, *, as_bool: bool) -> str:
    if op in _ARITHMETIC:
        return _ARITHMETIC[op].format(l=left, r=right)
    test = f"{left} {_COMPARISONS[op]} {right}"
    return f"toFloat64({test})" if as_bool else f"if({test}, {kept}, NULL)"


@dataclass(frozen=True, slots=True)
class Matching:
    """
    How two vectors find each other.

    Attributes:
        on: Only these labels count; else all but these.
        labels: Named in on() or ignoring().
        many_left: ``group_left``.
        many_right: ``group_right``.
        include: Labels taken over from the one side.
        as_bool: ``bool``.
        fill_left: Value of a missing left side.
        fill_right: Value of a missing right side.
    """

    on: bool = False
    labels: tuple[str, ...] = ()
    many_left: bool = False
    many_right: bool = False
    include: tuple[str, ...] = ()
    as_bool: bool = False
    fill_left: float | None = None
    fill_right: float | None = None

    @property
    def grouped(self) -> bool:
        """Whether one side may have many of a signature."""
        return self.many_left or self.many_right

    @property
    def filled(self) -> bool:
        """Whether a side may be missing."""
        return self.fill_left is not None or self.fill_right is not None

    def signature(self, labels: str, scope: Scope) -> str:
        """Give what of *labels* must be the same on both sides."""
        if self.on:
            return f"mapFilter((k, v) -> has({scope.params.texts(sorted(set(self.labels)))}, k), {labels})"
        names = scope.params.texts(sorted({*self.labels, NAME}))
        return f"mapFilter((k, v) -> NOT has({names}, k), {labels})"


def matching_of(modifier: pp.BinModifier | None) -> Matching:
    """Read the parser's modifier."""
    if modifier is None:
        return Matching()
    on = modifier.matching is not None and modifier.matching.type == pp.LabelModifierType.Include
    fill = modifier.fill_values
    return Matching(
        on=on,
        labels=tuple(modifier.matching.labels) if modifier.matching is not None else (),
        many_left=modifier.card == pp.VectorMatchCardinality.ManyToOne,
        many_right=modifier.card == pp.VectorMatchCardinality.OneToMany,
        include=tuple(sorted(set(modifier.group_labels or ()))),
        as_bool=modifier.return_bool,
        fill_left=fill.lhs if fill is not None else None,
        fill_right=fill.rhs if fill is not None else None,
    )


def vectors(op: str, left: Vector, right: Vector, how: Matching, scope: Scope) -> Vector:
    """Compile an operator between two vectors."""
    if op in _SETS:
        return _set(op, left, right, how, scope)
    many, one = (right, left) if how.many_right else (left, right)
    drops = op in _ARITHMETIC or how.as_bool
    many_values, one_values = "row.2", "one.2" if how.include else "u.ones"
    if how.filled:
        many_values, one_values = (
            f"arrayResize({values}, {scope.length})" for values in (many_values, one_values)
        )
    sql = _MATCHED.format(
        labels=_result_labels(how, scope),
        body=_matched_body(op, how, scope),
        many_values=many_values,
        one_values=one_values,
        many=_many(how),
        ones=_ones(how, scope),
        both=_both(many, one, how, scope),
        present=_present(how),
        ambiguous=ambiguous(scope),
        message=_ONE_NOT_UNIQUE,
        join=" ARRAY JOIN u.ones AS one" if how.include else "",
    )
    named = many.named and (how.grouped or not how.on or NAME in how.labels)
    return _told_apart(Vector(sql, named, many.unique, many.drops or drops), many, how)


def ambiguous(scope: Scope) -> str:
    """Say of a group of ``t`` whether at some point several of its one side (1) would meet one of its many (0)."""
    many, one = (f"arrayResize(countForEachIf(t.values, t.side = {side}), {scope.length})" for side in (0, 1))
    return f"arrayExists((m, o) -> m > 0 AND o > 1, {many}, {one})"


def _told_apart(result: Vector, many: Vector, how: Matching) -> Vector:
    """Check that result labels differ, unless they must."""
    keeps_all = how.grouped or (not how.labels and not how.on)
    if keeps_all and many.unique and not how.include and not how.filled:
        return result
    message = _NOT_TOLD_APART if how.grouped else _NOT_EXPLICIT
    return replace(result, sql=distinct(result, message))


def _both(many: Vector, one: Vector, how: Matching, scope: Scope) -> str:
    return (
        f"SELECT {how.signature('a.labels', scope)} AS sig, a.labels AS labels, a.values AS values, 0 AS side FROM ({many.sql}) AS a "
        f"UNION ALL SELECT {how.signature('b.labels', scope)} AS sig, b.labels AS labels, b.values AS values, 1 AS side FROM ({one.sql}) AS b"
    )


def _many(how: Matching) -> str:
    rows = "groupArrayIf((t.labels, t.values), t.side = 0)"
    filled = how.fill_right if how.many_right else how.fill_left
    return (
        rows
        if filled is None
        else f"if(countIf(t.side = 0) = 0, [(sig, CAST([], 'Array(Nullable(Float64))'))], {rows})"
    )


def _ones(how: Matching, scope: Scope) -> str:
    if not how.include:
        return "anyForEachIf(t.values, t.side = 1)"
    include = scope.params.texts(list(how.include))
    rows = f"groupArrayIf((mapFilter((k, v) -> has({include}, k), t.labels), t.values), t.side = 1)"
    filled = how.fill_left if how.many_right else how.fill_right
    nobody = "[(CAST(map(), 'Map(String, String)'), CAST([], 'Array(Nullable(Float64))'))]"
    return rows if filled is None else f"if(countIf(t.side = 1) = 0, {nobody}, {rows})"


def _present(how: Matching) -> str:
    fill_many, fill_one = (
        (how.fill_right, how.fill_left) if how.many_right else (how.fill_left, how.fill_right)
    )
    sides = [
        f"countIf(t.side = {side}) > 0" for side, fill in ((0, fill_many), (1, fill_one)) if fill is None
    ]
    return " AND ".join(sides) or "1"


def _matched_body(op: str, how: Matching, scope: Scope) -> str:
    left, right = ("o", "m") if how.many_right else ("m", "o")
    if not how.filled:
        return _body(op, left, right, left, as_bool=how.as_bool)
    filled_left = left if how.fill_left is None else f"ifNull({left}, {scope.params.number(how.fill_left)})"
    filled_right = (
        right if how.fill_right is None else f"ifNull({right}, {scope.params.number(how.fill_right)})"
    )
    body = _body(op, filled_left, filled_right, filled_left, as_bool=how.as_bool)
    return f"if(isNull(m) AND isNull(o), NULL, {body})"


def _result_labels(how: Matching, scope: Scope) -> str:
    labels = "row.1"
    if not how.grouped:
        if how.on:
            return f"mapFilter((k, v) -> has({scope.params.texts(sorted(set(how.labels)))}, k), {labels})"
        if not how.labels:
            return labels
        return f"mapFilter((k, v) -> NOT has({scope.params.texts(sorted(set(how.labels)))}, k), {labels})"
    if not how.include:
        return labels
    include = scope.params.texts(list(how.include))
    return f"mapSort(mapConcat(mapFilter((k, v) -> NOT has({include}, k), {labels}), one.1))"


_MASKED = """SELECT row.1 AS labels, {values} AS values
FROM (SELECT t.sig AS sig, {rows} AS rows, arrayResize(countForEachIf(t.values, t.side = {other}), {length}) AS others
FROM ({both}) AS t GROUP BY sig HAVING notEmpty(rows)) AS u ARRAY JOIN u.rows AS row"""


def _set(op: str, left: Vector, right: Vector, how: Matching, scope: Scope) -> Vector:
    if op == "or" and left.drops != right.drops:
        left, right = nameless(left), nameless(right)
    both = _both(left, right, how, scope)
    if op == "or":
        rows = "groupArray((t.labels, t.values, t.side))"
        values = "if(row.3 = 0, row.2, arrayMap((v, c) -> if(c > 0, NULL, v), row.2, u.others))"
        sql = _MASKED.format(values=values, rows=rows, other=0, length=scope.length, both=both)
        return Vector(
            distinct(Vector(sql)), left.named or right.named, unique=False, drops=left.drops and right.drops
        )
    kept, lost = ("v", "NULL") if op == "and" else ("NULL", "v")
    values = f"arrayMap((v, c) -> if(c > 0, {kept}, {lost}), row.2, u.others)"
    rows = "groupArrayIf((t.labels, t.values), t.side = 0)"
    sql = _MASKED.format(values=values, rows=rows, other=1, length=scope.length, both=both)
    return Vector(sql, left.named, left.unique, left.drops)
