"""Functions that change labels rather than values: label_replace, label_join, absent; and orders."""

from __future__ import annotations

import re

import promql_parser as pp

from collector.errors import QueryError
from collector.query.promql.scope import NAME, Scope, Vector, distinct
from collector.query.promql.selectors import anchored

_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|\((?!\?)|\(\?P?<([A-Za-z_]\w*)>", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))|\\", re.ASCII)


def label_replace(
    vector: Vector, target: str, replacement: str, source: str, pattern: str, scope: Scope
) -> Vector:
    """Compile ``label_replace``; a series whose *source* does not match stays as it is."""
    _checked(target)
    bind = scope.params
    value = f"t.labels[{bind.text(source)}]"
    regex = bind.text(anchored(pattern))
    new = f"replaceRegexpOne({value}, {regex}, {bind.text(_template(replacement, pattern))})"
    labels = f"if(match({value}, {regex}), {_with_label(target, new, scope)}, t.labels)"
    return _relabelled(vector, labels, target)


def label_join(vector: Vector, target: str, separator: str, sources: list[str], scope: Scope) -> Vector:
    """Compile ``label_join``."""
    _checked(target)
    bind = scope.params
    values = ", ".join(f"t.labels[{bind.text(source)}]" for source in sources)
    new = f"arrayStringConcat([{values}], {bind.text(separator)})" if sources else "''"
    return _relabelled(vector, _with_label(target, new, scope), target)


def _with_label(target: str, value: str, scope: Scope) -> str:
    place = scope.params.text(target)
    return f"mapSort(mapFilter((k, v) -> v != '', mapUpdate(t.labels, map({place}, {value}))))"


def _relabelled(vector: Vector, labels: str, target: str) -> Vector:
    sql = f"SELECT {labels} AS labels, t.values AS values FROM ({vector.sql}) AS t"
    named = vector.named or target == NAME
    return Vector(distinct(Vector(sql)), named, unique=False, drops=vector.drops and target != NAME)


def _checked(target: str) -> None:
    if not target or "\0" in target:
        raise QueryError("bad_value", f"{target!r} is no label name", "query")


def _template(replacement: str, pattern: str) -> str:
    r"""Turn Go's ``$1``, ``${name}`` and ``$$`` into RE2's ``\1``; a group that is not there is empty."""
    groups = _groups(pattern)

    def _one(match: re.Match[str]) -> str:
        if match[0] == "\\":
            return "\\\\"
        if match[1]:
            return "$"
        name = match[2] or match[3]
        if name.isdecimal():
            return f"\\{name}" if int(name) <= min(len(groups), 9) else ""
        return f"\\{groups.index(name) + 1}" if name in groups else ""

    return _REFERENCE.sub(_one, replacement)


def _groups(pattern: str) -> list[str]:
    """Name the capturing groups of an RE2 pattern in order; "" = it has no name."""
    return [match[1] or "" for match in _GROUP.finditer(pattern) if match[0].startswith("(")]


def absent(vector: Vector, selector: object, scope: Scope) -> Vector:
    """
    Compile ``absent``: 1 where no series has a value.

    Args:
        vector: What may be absent.
        selector: Where it is one, what it asks for by ``=`` are the labels of the 1.
        scope: Where.
    """
    labels = asked_for(selector)
    names, values = scope.params.texts(list(labels)), scope.params.texts(list(labels.values()))
    counts = f"arrayResize(countForEach(t.values), {scope.length})"
    sql = (
        f"SELECT mapSort(mapFromArrays({names}, {values})) AS labels, arrayMap(c -> if(c > 0, NULL, 1.), {counts}) AS values "
        f"FROM ({vector.sql}) AS t"
    )
    return Vector(sql)


def asked_for(selector: object) -> dict[str, str]:
    """Give the labels that *selector* asks for by ``=``; none if it is no selector."""
    if isinstance(selector, pp.MatrixSelector):
        selector = selector.vector_selector
    if not isinstance(selector, pp.VectorSelector):
        return {}
    asked: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers.matchers:
        if matcher.op == pp.MatchOp.Equal and matcher.name not in seen:
            asked[matcher.name] = matcher.value
        else:
            asked.pop(matcher.name, None)
        seen.add(matcher.name)
    return {name: value for name, value in asked.items() if value and name != NAME}


def order_by(function: str, labels: list[str], scope: Scope) -> str | None:
    """Give the ORDER BY of a function that sorts an instant answer; None if it does not."""
    ascending = {"sort": "ASC", "bottomk": "ASC", "sort_desc": "DESC", "topk": "DESC"}
    if function in ascending:
        return f"t.values[1] {ascending[function]} NULLS LAST"
    if function in ("sort_by_label", "sort_by_label_desc"):
        way = "DESC" if function.endswith("desc") else "ASC"
        named = [f"naturalSortKey(t.labels[{scope.params.text(label)}]) {way}" for label in labels]
        return ", ".join((*named, f"toString(t.labels) {way}"))
    return None
