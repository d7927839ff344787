"""
Log records counted: per bucket of time and severity, and per value of a field.

Windows of some minutes and more, of searches about nothing but service, env and the name of a severity, are counted from the rollup by minutes, the minutes
that the window cuts from the records themselves: the same counts, for a thousandth of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.query.search import LOGS
from collector.query.values import Kind
from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read import minute_counts
from collector.read.logs import MINUTE_FIELDS, Slice
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


# Below it the records themselves are counted as quickly, however many there are.
_LONG_S = 900

_HISTOGRAM = """
SELECT intDiv(toUnixTimestamp64Nano(occurred_at), {{step:Int64}}) AS bucket, severity, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
  AND {search}
GROUP BY bucket, severity
LIMIT 100000
"""


def histogram(reader: Reader, chosen: Slice, buckets: int) -> list[Row]:
    """
    Return ``{at, counts: {severity: n}, total}`` for every bucket of the window, empty ones included.

    Buckets begin at multiples of their width since the epoch, UTC; the first and the last count only what the window has of them.
    """
    window, step = chosen.window, step_ns(chosen.window, buckets)
    counts: dict[int, dict[str, int]] = {}
    for (bucket, severity), records in _by_bucket(reader, chosen, step).items():
        counts.setdefault(bucket, {})[severity or "unset"] = records
    numbers = range(window.start_ns // step, (window.end_ns - 1) // step + 1)
    return [
        {
            "at": rfc_3339(number * step),
            "counts": counts.get(number, {}),
            "total": sum(counts.get(number, {}).values()),
        }
        for number in numbers
    ]


def _by_bucket(reader: Reader, chosen: Slice, step: int) -> dict[tuple[Any, ...], int]:
    """Count by the number of a bucket since the epoch and severity."""
    if _by_minutes(chosen) and step % minute_counts.MINUTE_NS == 0:
        bucket = "intDiv(toUnixTimestamp({time}), {{step_s:UInt32}}) AS bucket, severity AS level"
        keys = bucket.format(time="minute"), bucket.format(time="occurred_at")
        return minute_counts.counts(reader, chosen, *keys, {"step_s": step // SECOND_NS})
    rows = reader.rows(_HISTOGRAM.format(search=chosen.where), {**chosen.params(), "step": step})
    return {(row["bucket"], row["severity"]): row["records"] for row in rows}


def _by_minutes(chosen: Slice) -> bool:
    return chosen.by_minutes and chosen.window.seconds >= _LONG_S


_FACET = """
SELECT toString({value}) AS value, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
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
    return [{"field": field, "values": _commonest(reader, chosen, field, limit)} for field in fields]


def _commonest(reader: Reader, chosen: Slice, field: str, limit: int) -> list[Row]:
    if _by_minutes(chosen) and field in MINUTE_FIELDS:
        found = minute_counts.counts(reader, chosen, f"{field} AS value", f"{field} AS value", {})
        values = [{"value": value, "count": records} for (value,), records in found.items() if value]
        return sorted(values, key=lambda row: (-row["count"], row["value"]))[:limit]
    value, exists = facet_value(field)
    sql = _FACET.format(value=value, exists=exists, search=chosen.where)
    more = {"field": field} if value == _ATTRIBUTE else {}
    rows = reader.rows(sql, {**chosen.params(), "limit": limit, **more})
    return [{"value": row["value"], "count": row["records"]} for row in rows]


def facet_value(field: str) -> tuple[str, str]:
    """Give the value of *field* in a row of ``logs``, and whether it has one, as SQL; a key of attributes is ``{field:String}`` in both."""
    if field not in LOGS.columns:
        return _ATTRIBUTE, _HAS_ATTRIBUTE
    sql, kind = LOGS.columns[field]
    if kind is Kind.SEVERITY:
        return "severity", "severity != ''"
    return sql, "1" if kind in (Kind.NUMBER, Kind.TIME) else f"{sql} != ''"


_FIELDS = """
SELECT key, count() AS records, max(looked) AS looked_at
FROM (SELECT arrayDistinct(arrayConcat(mapKeys(attributes), mapKeys(resource))) AS keys, count() OVER () AS looked
      FROM (SELECT attributes, resource
            FROM logs
            WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
              AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
              AND {search}
            ORDER BY cityHash64(batch_id, line)
            LIMIT {{sample:UInt32}}))
ARRAY JOIN keys AS key
GROUP BY key
ORDER BY records DESC, key
LIMIT {{limit:UInt32}}
"""
# Names, not numbers: what one in some hundred records has is found. Any of them, not the first: the table begins with the first service.
_SAMPLE, _ENOUGH = 20_000, 2_000
# The newest part of the window that has enough will do; only a rare search looks through all of it.
_PARTS = (1024, 32, 1)


def fields(reader: Reader, chosen: Slice, limit: int) -> list[Row]:
    """Return ``{field, records}``: the attributes and resource attributes that a sample of the matching records has, the commonest first."""
    sql = _FIELDS.format(search=chosen.where)
    rows: list[Row] = []
    for part in _PARTS:
        window = chosen.window.last(chosen.window.seconds / part) if part > 1 else chosen.window
        rows = reader.rows(sql, {**chosen.params(), **window.params(), "sample": _SAMPLE, "limit": limit})
        if rows and rows[0]["looked_at"] >= _ENOUGH:
            break
    return [{"field": row["key"], "records": row["records"]} for row in rows]
