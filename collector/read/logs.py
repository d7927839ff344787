"""Log records: newest or oldest first, page by page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from collector.errors import QueryError
from collector.query.search import Condition
from collector.query.window import Window, parse_time, sql_time
from collector.read.cursors import read_cursor, write_cursor
from collector.read.sql import Reader, Row

Order = Literal["asc", "desc"]
# Unknown fields are looked for in this many records of the window: enough to spot a typo, cheap on any size.
_SAMPLE = 100_000
# The table is sorted by service first, so "newest" reads the window whole; most pages fill from a 32nd of it, and the
# second look that a rare search needs then costs 3 % more.
_WIDE_S, _PARTS = 300.0, 32
# Searches that name one of these find few records: the first look would be in vain.
_RARE = ("(trace_id = ", "(span_id = ", "(batch_id = ")
# A word with a digit in it is mostly somebody's number, and rare: where the index leaves no more records than this (64 granules), they are read at once. To
# hear that there are more costs 8 ms, with the session that ends with the refusal; to look at where the page begins first costs a rare word 12, and then it is
# read by one core.
_FEW, _WORD = 64 * 4096, "hasToken("


# Fields of a search that `log_minutes` has as `logs` has them.
MINUTE_FIELDS = ("service", "env", "severity")


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records of one page and where the next begins (None: there is none)."""

    rows: list[Row]
    next_cursor: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Slice:
    """
    Which records.

    Attributes:
        window: Of their own times.
        search: Compiled.
        env: "" = any.
        by_minutes: Whether the search is about nothing but `MINUTE_FIELDS`: the rollup knows it too.
    """

    window: Window
    search: Condition
    env: str = ""
    by_minutes: bool = False

    @property
    def where(self) -> str:
        """Give the search and the env as one condition; any env is none: half a millisecond of analysis in each place it stands."""
        return f"env = {{env:String}} AND {self.search.sql}" if self.env else self.search.sql

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
SELECT occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  {minutes}
  {after}
  AND {search}
ORDER BY occurred_at {order}, batch_id {order}, line {order}
LIMIT {{limit:UInt32}}
"""
# What the primary key has of a record's time; a search whose own index leaves little does without: a millisecond of analysis.
_MINUTES = (
    "AND toStartOfMinute(occurred_at) >= toStartOfMinute({start:DateTime64(9, 'UTC')}) "
    "AND toStartOfMinute(occurred_at) <= toStartOfMinute({end:DateTime64(9, 'UTC')})"
)
_AFTER = (
    "AND occurred_at {sign}= {{at:DateTime64(9, 'UTC')}} "
    "AND (occurred_at, batch_id, line) {sign} ({{at:DateTime64(9, 'UTC')}}, {{batch:String}}, {{line:UInt32}})"
)


def page(reader: Reader, question: LogQuestion, *, warn: bool = True) -> LogPage:
    """
    Return one page of records; *warn* = look for unknown fields.

    The cursor fixes the window of the first page, so that later pages of a relative window neither skip nor
    repeat a record while new ones arrive.
    """
    chosen, after, position = _position(question)
    sql = _PAGE.format(
        minutes="" if _is_rare(chosen.search) else _MINUTES,
        after=after.format(sign="<" if question.order == "desc" else ">"),
        search=chosen.where,
        order="DESC" if question.order == "desc" else "ASC",
    )
    params = {**chosen.params(), **position, "limit": question.limit + 1}
    wide = question.cursor is None and chosen.window.seconds > _WIDE_S
    rows = _wide_rows(reader, question, sql, params) if wide else reader.rows(sql, params)
    more = len(rows) > question.limit
    rows = [{"id": f"{row['batch_id']}:{row['line']}", **row} for row in rows[: question.limit]]
    warnings = unknown_fields(reader, chosen, rows) if warn else []
    return LogPage(rows, _next(question, chosen.window, rows[-1]) if more else None, warnings)


def _wide_rows(reader: Reader, question: LogQuestion, sql: str, params: dict[str, object]) -> list[Row]:
    """Return the first page of a wide window: of the few records that the index leaves, or of where the page begins, or of all of it."""
    search, window = question.slice.search, question.slice.window
    if _is_number(search) and (rows := reader.rows_of_few(sql, params, _FEW)) is not None:
        return rows
    if not _is_rare(search):
        rows = reader.rows(sql, {**params, **_edge(window, question.order).params()})
        if len(rows) > question.limit:
            return rows
    return reader.rows(sql, params)


def _is_rare(search: Condition) -> bool:
    """Guess whether a page will not fill; a wrong guess costs time and nothing else."""
    return any(test in search.sql for test in _RARE)


def _is_number(search: Condition) -> bool:
    words = (value for value in search.params.values() if isinstance(value, str))
    return _WORD in search.sql and any(letter.isdecimal() for word in words for letter in word)


def _edge(window: Window, order: Order) -> Window:
    """Give the part of *window* where a page begins: a full page found there is the page."""
    length_ns = (window.end_ns - window.start_ns) // _PARTS
    if order == "desc":
        return Window(window.end_ns - length_ns, window.end_ns, window.now_ns)
    return Window(window.start_ns, window.start_ns + length_ns, window.now_ns)


def _position(question: LogQuestion) -> tuple[Slice, str, dict[str, object]]:
    now_ns = question.slice.window.now_ns
    if question.cursor is None:
        return question.slice, "", {}
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
        AND toStartOfMinute(occurred_at) >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({end:DateTime64(9, 'UTC')})
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
