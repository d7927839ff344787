"""Log records counted: per bucket of time and severity, and per value of a field."""

from __future__ import annotations

from collections.abc import Sequence

from collector.query.search import LOGS
from collector.query.values import Kind
from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read.logs import Slice
from collector.read.sql import Reader, Row

# Steps people can read off an axis.
_STEPS_S = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)


def step_ns(window: Window, buckets: int) -> int:
    """Give the smallest readable step that cuts *window* into at most about *buckets* parts."""
    wanted_s = window.seconds / buckets
    step_s = next((step for step in _STEPS_S if step >= wanted_s), None)
    return int((step_s if step_s is not None else 86_400 * -(-wanted_s // 86_400)) * SECOND_NS)


_HISTOGRAM = """
SELECT intDiv(toUnixTimestamp64Nano(occurred_at), {{step:Int64}}) AS bucket, severity, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND {search}
GROUP BY bucket, severity
LIMIT 100000
"""


def histogram(reader: Reader, chosen: Slice, buckets: int) -> list[Row]:
    """Return ``{at, counts: {severity: n}, total}`` for every bucket of the window, empty ones included."""
    window, step = chosen.window, step_ns(chosen.window, buckets)
    params = {**chosen.params(), "step": step}
    counts: dict[int, dict[str, int]] = {}
    for row in reader.rows(_HISTOGRAM.format(search=chosen.search.sql), params):
        counts.setdefault(row["bucket"], {})[row["severity"] or "unset"] = row["records"]
    numbers = range(window.start_ns // step, (window.end_ns - 1) // step + 1)
    return [
        {
            "at": rfc_3339(number * step),
            "counts": counts.get(number, {}),
            "total": sum(counts.get(number, {}).values()),
        }
        for number in numbers
    ]


_FACET = """
SELECT toString({value}) AS value, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND {search}
  AND {exists}
GROUP BY value
ORDER BY records DESC, value
LIMIT {{limit:UInt32}}
"""
_ATTRIBUTE = (
    "if(mapContains(attributes, {field:String}), attributes[{field:String}], resource[{field:String}])"
)
_HAS_ATTRIBUTE = "(mapContains(attributes, {field:String}) OR mapContains(resource, {field:String}))"


def facets(reader: Reader, chosen: Slice, fields: Sequence[str], limit: int) -> list[Row]:
    """Return ``{field, values: [{value, count}]}`` per field: its commonest values among the matching records."""
    params = {**chosen.params(), "limit": limit}
    answers = []
    for field in fields:
        value, exists = _facet_value(field)
        sql = _FACET.format(search=chosen.search.sql, value=value, exists=exists)
        rows = reader.rows(sql, {**params, "field": field} if value == _ATTRIBUTE else params)
        values = [{"value": row["value"], "count": row["records"]} for row in rows]
        answers.append({"field": field, "values": values})
    return answers


def _facet_value(field: str) -> tuple[str, str]:
    if field not in LOGS.columns:
        return _ATTRIBUTE, _HAS_ATTRIBUTE
    sql, kind = LOGS.columns[field]
    if kind is Kind.SEVERITY:
        return "severity", "severity != ''"
    return sql, "1" if kind in (Kind.NUMBER, Kind.TIME) else f"{sql} != ''"
