"""
Log records counted: per bucket of time and severity, and per value of a field.

Windows of some minutes and more, of searches about nothing but service, env and the name of a severity, are counted from the rollup by minutes, the minutes
that the window cuts from the records themselves: the same counts, for a thousandth of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.query.search import LOGS
from collector.query.values import Kind
from collector.query.window import SECOND_NS, Window, rfc_3339, sql_time
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
_MINUTE_NS = 60 * SECOND_NS
# The rollup has severities by name; as a search's condition compares numbers, each name stands for its lowest.
_NUMBER = "transform(severity, ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], [1, 5, 9, 13, 17, 21]::Array(UInt8), 0::UInt8)"

# What a window that does not begin and end with a minute has beside whole ones: half of such a statement's time.
_CUT = """
      UNION ALL
      SELECT {columns}, 1 AS n
      FROM logs
      WHERE ((occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{first:DateTime('UTC')}})
             OR (occurred_at >= {{last:DateTime('UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}))
        AND {search}"""
_HISTOGRAM = """
SELECT intDiv(toUnixTimestamp64Nano(occurred_at), {{step:Int64}}) AS bucket, severity, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
  AND {search}
GROUP BY bucket, severity
LIMIT 100000
"""
_HISTOGRAM_BY_MINUTES = """
SELECT bucket, severity, sum(n) AS records
FROM (SELECT intDiv(toInt64(toUnixTimestamp(minute)) * 1000000000, {{step:Int64}}) AS bucket, severity, records AS n
      FROM log_minutes
      WHERE minute >= {{first:DateTime('UTC')}} AND minute < {{last:DateTime('UTC')}}
        AND {by_name}{cut})
GROUP BY bucket, severity
LIMIT 100000
"""


def histogram(reader: Reader, chosen: Slice, buckets: int) -> list[Row]:
    """
    Return ``{at, counts: {severity: n}, total}`` for every bucket of the window, empty ones included.

    Buckets begin at multiples of their width since the epoch, UTC; the first and the last count only what the window has of them.
    """
    window, step = chosen.window, step_ns(chosen.window, buckets)
    by_minutes = _by_minutes(chosen) and step % _MINUTE_NS == 0
    columns = "intDiv(toUnixTimestamp64Nano(occurred_at), {step:Int64}) AS bucket, severity"
    sql = (_HISTOGRAM_BY_MINUTES if by_minutes else _HISTOGRAM).format(**_conditions(chosen, columns))
    params = {**chosen.params(), "step": step, **(_minutes(window) if by_minutes else {})}
    counts: dict[int, dict[str, int]] = {}
    for row in reader.rows(sql, params):
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


def _by_minutes(chosen: Slice) -> bool:
    return chosen.by_minutes and chosen.window.seconds >= _LONG_S


def _conditions(chosen: Slice, columns: str) -> dict[str, str]:
    """Give the search as a condition on records, and on minutes of the rollup; and the reading of *columns* of the minutes that the window cuts."""
    window, search = chosen.window, chosen.where
    whole = window.start_ns % _MINUTE_NS == 0 and window.end_ns % _MINUTE_NS == 0
    return {
        "search": search,
        "by_name": search.replace("severity_number", _NUMBER),
        "cut": "" if whole else _CUT.format(columns=columns, search=search),
    }


def _minutes(window: Window) -> dict[str, object]:
    """Give the whole minutes of *window*: where the first begins and the last ends."""
    first_ns, last_ns = (
        -(-window.start_ns // _MINUTE_NS) * _MINUTE_NS,
        window.end_ns // _MINUTE_NS * _MINUTE_NS,
    )
    return {"first": sql_time(first_ns)[:19], "last": sql_time(last_ns)[:19]}


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
_FACET_BY_MINUTES = """
SELECT toString({value}) AS value, sum(n) AS records
FROM (SELECT service, env, severity, records AS n
      FROM log_minutes
      WHERE minute >= {{first:DateTime('UTC')}} AND minute < {{last:DateTime('UTC')}}
        AND {by_name}{cut})
WHERE {exists}
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
        value, exists = facet_value(field)
        by_minutes = _by_minutes(chosen) and field in MINUTE_FIELDS
        template = _FACET_BY_MINUTES if by_minutes else _FACET
        sql = template.format(**_conditions(chosen, "service, env, severity"), value=value, exists=exists)
        more = {"field": field} if value == _ATTRIBUTE else _minutes(chosen.window) if by_minutes else {}
        rows = reader.rows(sql, {**params, **more})
        values = [{"value": row["value"], "count": row["records"]} for row in rows]
        answers.append({"field": field, "values": values})
    return answers


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
