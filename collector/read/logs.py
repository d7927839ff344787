"""Log records: newest or oldest first, page by page, and the neighbours of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from collector.errors import NotFound, QueryError
from collector.query.search import Condition
from collector.query.window import SECOND_NS, Window, parse_time, sql_time
from collector.read.cursors import read_cursor, write_cursor
from collector.read.sql import Reader, Row

Order = Literal["asc", "desc"]
# Unknown fields are looked for in this many records of the window: enough to spot a typo, cheap on any size.
_SAMPLE = 100_000
# The table is sorted by service first, so "newest" reads the window whole; most pages fill from a 32nd of it, and the
# second look that a rare search needs then costs 3 % more.
_WIDE_S, _PARTS = 300.0, 32


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records of one page and where the next begins (None: there is none)."""

    rows: list[Row]
    next_cursor: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which records: a window, a compiled search, an env ("" = any)."""

    window: Window
    search: Condition
    env: str = ""

    def params(self) -> dict[str, object]:
        """Give the values of the window's, the search's and env's places."""
        return {**self.window.params(), **self.search.params, "env": self.env}


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """A slice in an order, and which page of it."""

    slice: Slice
    order: Order = "desc"
    limit: int = 100
    cursor: str | None = None


_PAGE = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND {after}
  AND {search}
ORDER BY occurred_at {order}, batch_id {order}, line {order}
LIMIT {{limit:UInt32}}
"""
_AFTER = (
    "occurred_at {sign}= {{at:DateTime64(9, 'UTC')}} "
    "AND (occurred_at, batch_id, line) {sign} ({{at:DateTime64(9, 'UTC')}}, {{batch:String}}, {{line:UInt32}})"
)


def page(reader: Reader, question: LogQuestion) -> LogPage:
    """
    Return one page of records.

    The cursor fixes the window of the first page, so that later pages of a relative window neither skip nor
    repeat a record while new ones arrive.
    """
    chosen, after, position = _position(question)
    sql = _PAGE.format(
        after=after.format(sign="<" if question.order == "desc" else ">"),
        search=chosen.search.sql,
        order="DESC" if question.order == "desc" else "ASC",
    )
    params = {**chosen.params(), **position, "limit": question.limit + 1}
    rows: list[Row] = []
    if question.cursor is None and chosen.window.seconds > _WIDE_S:
        rows = reader.rows(sql, {**params, **_edge(chosen.window, question.order).params()})
    if len(rows) <= question.limit:
        rows = reader.rows(sql, params)
    more, rows = len(rows) > question.limit, rows[: question.limit]
    warnings = unknown_fields(reader, chosen, rows)
    return LogPage(rows, _next(question, chosen.window, rows[-1]) if more else None, warnings)


def _edge(window: Window, order: Order) -> Window:
    """Give the part of *window* where a page begins: a full page found there is the page."""
    length_ns = (window.end_ns - window.start_ns) // _PARTS
    if order == "desc":
        return Window(window.end_ns - length_ns, window.end_ns, window.now_ns)
    return Window(window.start_ns, window.start_ns + length_ns, window.now_ns)


def _position(question: LogQuestion) -> tuple[Slice, str, dict[str, object]]:
    now_ns = question.slice.window.now_ns
    if question.cursor is None:
        return question.slice, "1", {}
    start, end, order, at, batch, line = read_cursor(question.cursor, int, int, str, str, str, int)
    if order != question.order:
        raise QueryError("bad_cursor", f"the cursor belongs to order={order}", "cursor")
    assert isinstance(start, int)
    assert isinstance(end, int)
    at_ns = parse_time(str(at), "cursor", now_ns)
    chosen = replace(question.slice, window=Window(start, end, now_ns))
    return chosen, _AFTER, {"at": sql_time(at_ns), "batch": batch, "line": line}


def _next(question: LogQuestion, window: Window, last: Row) -> str:
    return write_cursor(
        window.start_ns, window.end_ns, question.order, last["occurred_at"], last["batch_id"], last["line"]
    )


_KNOWN_KEYS = """
SELECT key, max(mapContains(attributes, key) OR mapContains(resource, key)) AS known
FROM (SELECT attributes, resource FROM logs
      WHERE occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at < {end:DateTime64(9, 'UTC')}
        AND ({env:String} = '' OR env = {env:String})
      LIMIT {sample:UInt32})
ARRAY JOIN {keys:Array(String)} AS key
GROUP BY key
LIMIT 1000
"""


def unknown_fields(reader: Reader, chosen: Slice, rows: list[Row]) -> list[str]:
    """
    Warn of fields that are no column and that no record has.

    Looked for among the answer's own rows first, then in a sample of the window; a field nobody in the sample has
    counts as unknown.
    """
    missing = [
        key
        for key in chosen.search.keys
        if not any(key in row["attributes"] or key in row["resource"] for row in rows)
    ]
    if not missing:
        return []
    params = {**chosen.window.params(), "env": chosen.env, "sample": _SAMPLE, "keys": missing}
    known = {row["key"] for row in reader.rows(_KNOWN_KEYS, params) if row["known"]}
    return [
        f"unknown field {key!r}: no column, and no record of the window has it"
        for key in missing
        if key not in known
    ]


_ONE = """
SELECT occurred_at, service, env, batch_id, line
FROM logs
WHERE batch_id = {batch:String} AND line = {line:UInt32}
LIMIT 1
"""
_SOURCE_BATCHES = """
WITH (SELECT (agent, source_path, generation, source_start) FROM batches WHERE batch_id = {batch:String} LIMIT 1) AS it
SELECT batch_id
FROM batches
WHERE agent = it.1 AND source_path = it.2 AND generation = it.3 AND source_path != ''
ORDER BY abs(toInt64(source_start) - toInt64(it.4))
LIMIT 64
"""
_NEIGHBOURS = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE occurred_at >= {{near_start:DateTime64(9, 'UTC')}} AND occurred_at < {{near_end:DateTime64(9, 'UTC')}}
  AND service = {{service:String}} AND env = {{env:String}}
  AND (empty({{batches:Array(String)}}) OR batch_id IN {{batches:Array(String)}})
  AND (occurred_at, batch_id, line) {sign} ({{at:DateTime64(9, 'UTC')}}, {{batch:String}}, {{line:UInt32}})
ORDER BY occurred_at {order}, batch_id {order}, line {order}
LIMIT {{limit:UInt32}}
"""
# Neighbours lie near in time: what is further away than this explains nothing about the record.
_NEAR_NS = 600 * SECOND_NS


def context(reader: Reader, log_id: str, before: int, after: int) -> list[Row]:
    """
    Return the record *log_id* among its neighbours, oldest first.

    Neighbours come from the same source (the file or stream its batch was read from) when the batch names one,
    else from the same service and env; at most ten minutes away.

    Raises:
        NotFound: No such record.
    """
    batch, line = split_id(log_id)
    found = reader.rows(_ONE, {"batch": batch, "line": line})
    if not found:
        raise NotFound("not_found", f"no log record {log_id!r}", "id")
    at_ns = parse_time(found[0]["occurred_at"], "id", 0)
    params = {
        "batch": batch,
        "line": line,
        "service": found[0]["service"],
        "env": found[0]["env"],
        "at": sql_time(at_ns),
        "near_start": sql_time(max(at_ns - _NEAR_NS, 0)),
        "near_end": sql_time(at_ns + _NEAR_NS),
        "batches": [row["batch_id"] for row in reader.rows(_SOURCE_BATCHES, {"batch": batch})],
    }
    older = reader.rows(_NEIGHBOURS.format(sign="<", order="DESC"), {**params, "limit": before})
    newer = reader.rows(_NEIGHBOURS.format(sign=">=", order="ASC"), {**params, "limit": after + 1})
    return [*reversed(older), *newer]


def split_id(log_id: str) -> tuple[str, int]:
    """Split ``<batch_id>:<line>``; anything else is a `NotFound`."""
    batch, _, line = log_id.rpartition(":")
    if not batch or not line.isdecimal() or int(line) >= 2**32:
        raise NotFound("not_found", f"no log record {log_id!r}; an id is <batch_id>:<line>", "id")
    return batch, int(line)
