"""
Log records counted from the rollup by minutes, and those of the minutes that a window cuts from the records themselves: exact, for a thousandth of the rows.

For searches about nothing but service, env and the name of a severity. Reading is nothing of such a question, analysing it is nearly all
(docs/adr/0047), so the statement is flat, one level for each table, and both halves are added up here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from collector.query.severity import RANGES
from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.logs import Slice
from collector.read.sql import Reader

MINUTE_NS = 60 * SECOND_NS

_WHOLE = """
SELECT {keys}, sum(records) AS n
FROM log_minutes
WHERE minute >= {{first:DateTime('UTC')}} AND minute < {{last:DateTime('UTC')}}
  AND {search}
GROUP BY {names}
LIMIT 100000
"""
# Beside it where a window does not begin and end with a minute: half of such a statement's time.
_CUT = """UNION ALL
SELECT {keys}, count() AS n
FROM logs
PREWHERE (occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{first:DateTime('UTC')}})
      OR (occurred_at >= {{last:DateTime('UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}})
WHERE {search}
GROUP BY {names}
LIMIT 100000
"""
# There is nothing to rearrange: what is read first is written above. Indexes and partitions are used all the same.
_AS_WRITTEN = {"query_plan_enable_optimizations": "0"}


def counts(
    reader: Reader, chosen: Slice, minute_keys: str, record_keys: str, values: Mapping[str, object]
) -> dict[tuple[Any, ...], int]:
    """
    Count the records of *chosen* by keys.

    Args:
        reader: Where.
        chosen: A window that has a whole minute, and a search that the rollup knows.
        minute_keys: Columns of ``log_minutes``, each ``… AS <name>``.
        record_keys: The same of ``logs``, under the same names.
        values: Of places in both.
    """
    names = re.findall(r" AS (\w+)", minute_keys)
    sql = _WHOLE.format(keys=minute_keys, names=", ".join(names), search=_by_name(chosen))
    if chosen.window.start_ns % MINUTE_NS or chosen.window.end_ns % MINUTE_NS:
        sql += _CUT.format(keys=record_keys, names=", ".join(names), search=chosen.where)
    params = {**chosen.params(), **_minutes(chosen.window), **values}
    found: dict[tuple[Any, ...], int] = {}
    for row in reader.rows(sql, params, _AS_WRITTEN):
        key = tuple(row[name] for name in names)
        found[key] = found.get(key, 0) + row["n"]
    return found


def _minutes(window: Window) -> dict[str, object]:
    """Give the whole minutes of *window*: where the first begins and the last ends."""
    first_ns, last_ns = (
        -(-window.start_ns // MINUTE_NS) * MINUTE_NS,
        window.end_ns // MINUTE_NS * MINUTE_NS,
    )
    return {"first": sql_time(first_ns)[:19], "last": sql_time(last_ns)[:19]}


# What `collector.query.values` writes about a severity: that there is one, and limits or a range, which imply it.
_IS_SET = re.compile(r"severity_number > 0 AND (?=severity_number )")
_LIMIT = re.compile(
    r"severity_number (?:(?P<sign>[<>]=?) (?:0|\{(?P<bound>q\d+):UInt8\})|BETWEEN \{(?P<low>q\d+):UInt8\} AND \{(?P<high>q\d+):UInt8\})"
)


def _by_name(chosen: Slice) -> str:
    """Write the search about the rollup, which has severities by name: each name stands for its lowest number."""

    def names(found: re.Match[str]) -> str:
        low, high = _bounds(found, chosen.search.params)
        fit = [f"'{name}'" for name, (lowest, _) in RANGES.items() if low <= lowest <= high]
        return f"severity IN ({', '.join(fit)})" if fit else "0"

    return _LIMIT.sub(names, _IS_SET.sub("", chosen.where))


def _bounds(found: re.Match[str], params: Mapping[str, object]) -> tuple[int, int]:
    if found["low"]:
        return int(str(params[found["low"]])), int(str(params[found["high"]]))
    bound = int(str(params[found["bound"]])) if found["bound"] else 0
    match found["sign"]:
        case ">":
            return bound + 1, 255
        case ">=":
            return bound, 255
        case "<":
            return 0, bound - 1
    return 0, bound
