"""Which series there are: their labels, names, values, and what their families say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.query.matchers import Chosen
from collector.query.promql.scope import NAME
from collector.read.sql import Reader, Row

# What DateTime64 holds, in ms: 1900 and 2299; a question may begin at the beginning of time.
_EARLIEST_MS = -2_208_988_800_000
_LATEST_MS = 10_413_791_999_999


@dataclass(frozen=True, slots=True)
class Span:
    """From *start_ms* to *end_ms*, both included, in ms since the epoch."""

    start_ms: int
    end_ms: int

    def params(self) -> dict[str, object]:
        """Give the values for ``{start:Int64}`` and ``{end:Int64}``, within what the engine's times hold."""
        start, end = (min(max(at_ms, _EARLIEST_MS), _LATEST_MS) for at_ms in (self.start_ms, self.end_ms))
        return {"start": start, "end": end}


# A row without labels may be what a sender told of a family (remote_write's metadata): no series.
# A series has a row per segment until the engine merges them: one that has a sample in the window has a row that says so.
_CHOSEN = """
    SELECT s.name AS name, s.labels AS labels
    FROM metric_series AS s
    WHERE ({chosen}) AND s.series_id != cityHash64('metadata', s.service, s.env, s.name)
      AND toUnixTimestamp64Milli(s.last_seen) >= {{start:Int64}} AND toUnixTimestamp64Milli(s.first_seen) <= {{end:Int64}}
"""

_SERIES = """
SELECT DISTINCT name, arraySort(arrayFilter(x -> x.2 != '', CAST(labels, 'Array(Tuple(String, String))'))) AS pairs
FROM ({chosen})
ORDER BY name, pairs
LIMIT {{limit:UInt32}}
"""


def series(reader: Reader, wanted: Chosen, span: Span, limit: int) -> list[dict[str, str]]:
    """Return the label sets, ``__name__`` among the labels, of at most *limit* series seen in *span*, in their order."""
    rows = reader.rows(_composed(_SERIES, wanted), {**wanted.params, **span.params(), "limit": limit})
    return [labels_of(row) for row in rows]


def labels_of(row: Row) -> dict[str, str]:
    """Return the labels of a row with *name* and *pairs*, sorted by name."""
    pairs = [(str(name), str(value)) for name, value in row["pairs"]]
    return dict(sorted([(NAME, row["name"]), *pairs] if row["name"] else pairs))


_LABEL_NAMES = """
SELECT DISTINCT arrayJoin(arrayConcat(if(name = '', [], ['__name__']), mapKeys(mapFilter((label, value) -> value != '', labels)))) AS label
FROM ({chosen})
ORDER BY label
LIMIT {{limit:UInt32}}
"""


def label_names(reader: Reader, wanted: Chosen, span: Span, limit: int) -> list[str]:
    """Return the names of labels that the series have, sorted."""
    rows = reader.rows(_composed(_LABEL_NAMES, wanted), {**wanted.params, **span.params(), "limit": limit})
    return [row["label"] for row in rows]


_LABEL_VALUES = """
SELECT DISTINCT if({{label:String}} = '__name__', name, labels[{{label:String}}]) AS value
FROM ({chosen})
WHERE value != ''
ORDER BY value
LIMIT {{limit:UInt32}}
"""


def label_values(reader: Reader, label: str, wanted: Chosen, span: Span, limit: int) -> list[str]:
    """Return the values of *label* that the series have, sorted."""
    params = {**wanted.params, **span.params(), "label": label, "limit": limit}
    return [row["value"] for row in reader.rows(_composed(_LABEL_VALUES, wanted), params)]


def _composed(sql: str, wanted: Chosen) -> str:
    return sql.format(chosen=_CHOSEN.format(chosen=wanted.sql))


# The samples of a histogram or summary are told of under their family's name. A type that nobody declared comes last, and only alone.
_METADATA = """
SELECT
    multiIf(type IN ('histogram', 'gaugehistogram'), replaceRegexpOne(name, '_(bucket|g?sum|g?count|created)$', ''),
            type = 'summary', replaceRegexpOne(name, '_(sum|count|created)$', ''), name) AS family,
    type, max(metric_series.help) AS help, max(metric_series.unit) AS unit
FROM metric_series
WHERE name != '' AND ({metric:String} = '' OR startsWith(name, {metric:String}))
GROUP BY family, type
HAVING {metric:String} = '' OR family = {metric:String}
ORDER BY family, type = 'unknown', type
LIMIT 100000
"""


def metadata(reader: Reader, metric: str) -> dict[str, list[dict[str, str]]]:
    """Return type, help and unit of the families, of *metric* alone unless it is empty; a family may have several."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in reader.rows(_METADATA, {"metric": metric}):
        told = found.setdefault(row["family"], [])
        if not told or row["type"] != "unknown":
            told.append({name: row[name] for name in ("type", "help", "unit")})
    return found


_EXEMPLARS = """
WITH chosen AS
(
    SELECT s.series_id AS series_id, any(s.name) AS name, any(s.labels) AS labels
    FROM metric_series AS s
    WHERE ({chosen}) AND s.series_id != cityHash64('metadata', s.service, s.env, s.name)
    GROUP BY s.series_id
    LIMIT 100000
)
SELECT
    chosen.name AS name, arraySort(arrayFilter(x -> x.2 != '', CAST(chosen.labels, 'Array(Tuple(String, String))'))) AS pairs,
    toUnixTimestamp64Milli(exemplars.at) AS ms, toString(exemplars.value) AS value, trace_id, span_id,
    CAST(exemplars.labels, 'Array(Tuple(String, String))') AS others
FROM exemplars
INNER JOIN chosen ON exemplars.series_id = chosen.series_id
WHERE exemplars.series_id IN (SELECT series_id FROM chosen)
  AND exemplars.at >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC') AND exemplars.at <= fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
ORDER BY name, pairs, ms
LIMIT {{limit:UInt32}}
"""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One exemplar: when, its value, and its labels, ``trace_id`` and ``span_id`` among them."""

    at_ms: int
    value: float
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Exemplified:
    """A series and its exemplars, the oldest first."""

    labels: dict[str, str]
    exemplars: Sequence[Exemplar]


def exemplars(reader: Reader, wanted: Chosen, span: Span, limit: int) -> list[Exemplified]:
    """Return the series with exemplars in *span*, of at most *limit* exemplars together."""
    sql = _EXEMPLARS.format(chosen=wanted.sql)
    found: dict[tuple[tuple[str, str], ...], list[Exemplar]] = {}
    for row in reader.rows(sql, {**wanted.params, **span.params(), "limit": limit}):
        key = tuple(labels_of(row).items())
        found.setdefault(key, []).append(Exemplar(row["ms"], float(row["value"]), _linked(row)))
    return [Exemplified(dict(key), told) for key, told in found.items()]


def _linked(row: Row) -> dict[str, str]:
    link = {name: row[name] for name in ("trace_id", "span_id") if row[name]}
    return {**link, **{str(name): str(value) for name, value in row["others"]}}


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many series there are, from when to when they were seen, and the names and labels with the most: ``{name, value}``."""

    series: int
    first_ms: int
    last_ms: int
    by_name: list[Row]
    by_label: list[Row]


_CARDINALITY = """
SELECT uniqExact(series_id) AS series, toUnixTimestamp64Milli(min(first_seen)) AS first_ms, toUnixTimestamp64Milli(max(last_seen)) AS last_ms
FROM metric_series
WHERE series_id != cityHash64('metadata', service, env, name)
LIMIT 1
"""

_BY_NAME = """
SELECT name, uniqExact(series_id) AS value
FROM metric_series
WHERE series_id != cityHash64('metadata', service, env, name)
GROUP BY name
ORDER BY value DESC, name
LIMIT {limit:UInt32}
"""

_BY_LABEL = """
SELECT pair.1 AS name, uniqExact(pair.2) AS value
FROM metric_series
ARRAY JOIN CAST(labels, 'Array(Tuple(String, String))') AS pair
GROUP BY name
ORDER BY value DESC, name
LIMIT {limit:UInt32}
"""


def cardinality(reader: Reader, limit: int) -> Cardinality:
    """Count the series, and name the *limit* metrics with most series and labels with most values."""
    (all_of,) = reader.rows(_CARDINALITY)
    by_name, by_label = (reader.rows(sql, {"limit": limit}) for sql in (_BY_NAME, _BY_LABEL))
    return Cardinality(all_of["series"], all_of["first_ms"], all_of["last_ms"], by_name, by_label)
