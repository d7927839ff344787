"""``info()``: labels of an info metric, ``target_info`` if none is named, beside those of series from the same instance and job."""

from __future__ import annotations

import re

import promql_parser as pp

from collector.query.promql.operators import ambiguous
from collector.query.promql.scope import NAME, Scope, Vector, distinct
from collector.query.promql.selectors import select_vector
from collector.query.promql.syntax import unsupported

# What a series and its info have in common (promql/info.go, identifyingLabels).
_IDENTIFYING = "'instance', 'job'"
_DEFAULT = "target_info"

# Each row of a group meets each info of it, and nobody: where an info has a value, its labels are added.
_ENRICHED = """SELECT if(empty(info.2), row.1, mapSort(mapUpdate(info.1, row.1))) AS labels,
if(empty(info.2), arrayMap((v, c) -> if({alone}, v, NULL), row.2, u.counts), arrayMap((v, i) -> if(isNull(i), NULL, v), row.2, info.2)) AS values
FROM (SELECT t.sig AS sig, groupArrayIf((t.labels, t.values), t.side = 0) AS rows,
arrayPushBack(groupArrayIf((t.labels, t.values), t.side = 1), (CAST(map(), 'Map(String, String)'), [])) AS infos,
arrayResize(countForEachIf(t.values, t.side = 1), {length}) AS counts
FROM (SELECT mapFilter((k, v) -> k IN ({identifying}), a.labels) AS sig, a.labels AS labels, a.values AS values, 0 AS side FROM ({base}) AS a
UNION ALL SELECT mapFilter((k, v) -> k IN ({identifying}), b.labels) AS sig, mapFilter((k, v) -> k NOT IN ({identifying}, '{name}'){named}, b.labels) AS labels,
b.values AS values, 1 AS side FROM ({infos}) AS b) AS t GROUP BY sig
HAVING NOT throwIf({ambiguous}, 'found duplicate series for the info metric: it must be unique per instance and job')) AS u
ARRAY JOIN u.rows AS row ARRAY JOIN u.infos AS info"""


def info(base: Vector, selector: pp.VectorSelector | None, scope: Scope) -> Vector:
    """
    Compile ``info``.

    Args:
        base: The series that get labels.
        selector: Which labels of which info metric; one that must have a value drops the series that get none.
        scope: Where.
    """
    matchers = list(selector.matchers.matchers) if selector is not None else []
    wanted = [matcher for matcher in matchers if matcher.name != NAME]
    labels = scope.params.texts(sorted({matcher.name for matcher in wanted}))
    sql = _ENRICHED.format(
        base=base.sql,
        infos=select_vector(_infos(matchers, wanted), scope).sql,
        identifying=_IDENTIFYING,
        name=NAME,
        named=f" AND has({labels}, k)" if wanted else "",
        alone="0" if any(not _takes_nothing(matcher) for matcher in wanted) else "c = 0",
        length=scope.length,
        ambiguous=ambiguous(scope),
    )
    return Vector(distinct(Vector(sql)), base.named, unique=False, drops=base.drops)


def _infos(matchers: list[pp.Matcher], wanted: list[pp.Matcher]) -> pp.VectorSelector:
    names = [matcher for matcher in matchers if matcher.name == NAME]
    if len(names) > 1 or any(matcher.op != pp.MatchOp.Equal for matcher in names):
        raise unsupported("info() of several info metrics at once")
    name = names or [pp.Matcher(pp.MatchOp.Equal, NAME, _DEFAULT)]
    parsed = pp.parse("{" + ",".join(_written(matcher) for matcher in (*name, *wanted)) + "}")
    assert isinstance(parsed, pp.VectorSelector)
    return parsed


def _written(matcher: pp.Matcher) -> str:
    operator = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}[str(matcher.op).rpartition(".")[2]]
    return f"{_quoted(matcher.name)}{operator}{_quoted(matcher.value)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _takes_nothing(matcher: pp.Matcher) -> bool:
    """Whether a label that is not there fits."""
    if matcher.op == pp.MatchOp.Equal:
        return not matcher.value
    if matcher.op == pp.MatchOp.NotEqual:
        return bool(matcher.value)
    fits = re.fullmatch(matcher.value, "") is not None
    return fits if matcher.op == pp.MatchOp.Re else not fits
