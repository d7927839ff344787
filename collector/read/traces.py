"""
Traces found: which ones fit a question, and a page of their summaries.

`matching` is the one subquery that search, heatmap and comparison share: a row per trace that began in the window. Its sums over ``trace_index`` stay
narrow (ADR 0028): what only a page shows (services, root) is read for the page's traces alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from collector.errors import QueryError
from collector.query.search import Condition
from collector.query.window import LATEST_NS, SECOND_NS, Window, parse_time, sql_time
from collector.read.cursors import bad_cursor, read_cursor, write_cursor
from collector.read.sql import Reader, Row

# Longer windows read a day's index whole anyway: first asking which traces they hold would cost more than it spares.
_NARROW_NS = 6 * 3600 * SECOND_NS
# How long after its trace's beginning a span is still looked for by a search.
REACH_NS = 3600 * SECOND_NS
# A trace without its root may yet begin earlier than it seemed, for so long; so many of them does a cursor remember.
_YOUNG_NS = 600 * SECOND_NS
_REMEMBERED = 50
# Spans that are asked whether they have a field nobody was found by.
_SAMPLE = 10_000

# Ids found among the spans narrow the primary key of trace_index while they are few; for more, ClickHouse would look for them twice.
SETTINGS: Mapping[str, object] = {"use_index_for_in_with_subqueries_max_values": 20_000}

Order = Literal["newest", "slowest"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which traces: those that began in the window and fit the rest ("" and None = any).

    Attributes:
        search: Fits the span that *service*, *name* and *status* are about, too: one span of the trace fits all four.
        error: Whether some span failed.
        min_duration_ms: From the root's beginning (while it is missing, the earliest span's) to the last span's end, this included.
        max_duration_ms: This excluded, so that neighbouring ranges share no trace.
    """

    window: Window
    search: Condition = field(default_factory=Condition)
    env: str = ""
    service: str = ""
    name: str = ""
    status: str = ""
    error: bool | None = None
    min_duration_ms: float = 0.0
    max_duration_ms: float | None = None

    def params(self) -> dict[str, object]:
        """Give the values of `matching`'s places."""
        at_most = 2**63 if self.max_duration_ms is None else round(self.max_duration_ms * 1e6)
        return {
            **self.window.params(),
            **self.search.params,
            "env": self.env,
            "service": self.service,
            "name": self.name,
            "status": self.status,
            "error": int(bool(self.error)),
            "reached": sql_time(self.window.end_ns + REACH_NS),
            "min_duration_ns": round(self.min_duration_ms * 1e6),
            "max_duration_ns": at_most,
        }


# A span that begins before its trace's root was written by a clock that is behind: the root's beginning counts, and at least its length.
_TIMES = """minIf(t.root.start, t.root.is_child = 0) AS rooted, if(rooted > toDateTime64(0, 9, 'UTC'), rooted, min(t.start)) AS began,
       greatest(toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(began), 0)),
                least(max(t.root_duration_ns), 31536000000000000)) AS duration_ns"""
_MATCHING = """SELECT trace_id, {times}, sum(t.errors) > 0 AS failed
FROM trace_index AS t
WHERE {days}{narrowed}
GROUP BY trace_id
HAVING {kept}"""
_DAYS = """t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1"""
_BEGUN = """
  AND trace_id IN (SELECT trace_id FROM trace_index AS n
                   WHERE n.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND n.day <= toDate({end:DateTime64(9, 'UTC')})
                     AND n.start >= {start:DateTime64(9, 'UTC')} - toIntervalMinute(10) AND n.start < {end:DateTime64(9, 'UTC')})"""
# The minute is said, too: by it alone, not by the time itself, the primary key of `spans` leaves granules of a service out.
_SPAN = """
  AND trace_id IN (SELECT trace_id FROM spans
                   WHERE spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start < {reached:DateTime64(9, 'UTC')}
        AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
        AND toStartOfMinute(spans.start) <= toStartOfMinute({reached:DateTime64(9, 'UTC')})
                     AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
                     AND toStartOfMinute(spans.start) <= toStartOfMinute({reached:DateTime64(9, 'UTC')}) AND %s)"""
_KEPT = {
    "began": "began >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')}",
    "env": "max(has(t.envs, {env:String}))",
    "service": "max(has(t.services, {service:String}))",
    "error": "failed = {error:UInt8}",
    "shortest": "duration_ns >= {min_duration_ns:UInt64}",
    "longest": "duration_ns < {max_duration_ns:UInt64}",
}


def matching(wanted: Wanted) -> str:
    """Give the subquery for ``(trace_id, began, failed, duration_ns)`` of each trace that fits; `Wanted.params` are its values."""
    span = _span_condition(wanted)
    begun = _BEGUN if wanted.window.end_ns - wanted.window.start_ns < _NARROW_NS else ""
    asked = {
        "began": True,
        "env": bool(wanted.env),
        "service": bool(wanted.service),
        "error": wanted.error is not None,
        "shortest": wanted.min_duration_ms > 0,
        "longest": wanted.max_duration_ms is not None,
    }
    kept = "\n   AND ".join(sql for name, sql in _KEPT.items() if asked[name])
    narrowed = _SPAN % span if span else begun
    return _MATCHING.format(times=_TIMES, days=_DAYS, narrowed=narrowed, kept=kept)


def _span_condition(wanted: Wanted) -> str:
    """What one span must fit, all at once; "" when the index alone can answer (a service by itself)."""
    parts = [] if wanted.search.sql == "1" else [wanted.search.sql]
    parts += [f"{name} = {{{name}:String}}" for name in ("name", "status") if getattr(wanted, name)]
    if parts and wanted.service:
        parts.insert(0, "service = {service:String}")
    return " AND ".join(parts)


_PAGE = """
SELECT trace_id, min(t.root).3 AS root_service, min(t.root).4 AS root_name, min(t.root).1 = 1 AS root_missing, began AS start,
       {times},
       sum(t.spans) AS spans, arraySort(groupUniqArrayArray(t.services)) AS services, sum(t.errors) > 0 AS error
FROM trace_index AS t
WHERE {days}
  AND trace_id IN (SELECT trace_id FROM ({matching})
                   WHERE {after} AND trace_id NOT IN {{seen:Array(String)}}
                   ORDER BY {key} DESC, trace_id DESC
                   LIMIT {{limit:UInt32}})
GROUP BY trace_id
ORDER BY {key} DESC, trace_id DESC
LIMIT {{limit:UInt32}}
"""
# Per order: what a page is cut by, and the condition for what comes after a cursor.
_ORDERS = {
    "newest": ("began", "(began, trace_id) < (fromUnixTimestamp64Nano({at:Int64}, 'UTC'), {last:String})"),
    "slowest": ("duration_ns", "(duration_ns, trace_id) < ({at:Int64}, {last:String})"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the list: so many traces after a cursor."""

    order: Order = "newest"
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: after the trace *last*, whose key was *at*; *seen* were shown and may seem to come again."""

    condition: str = "1"
    at: int = 0
    last: str = ""
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TracePage:
    """Summaries, where they go on, and what was asked that matches nothing."""

    rows: list[Row]
    next_cursor: str | None
    warnings: list[str]


def search(reader: Reader, wanted: Wanted, page: Page) -> TracePage:
    """
    Return one page of trace summaries; the next page's cursor also fixes window and order.

    A trace whose root arrives between two pages may move to an earlier time: it is not shown again. By *slowest*, one that grows meanwhile
    may be missed; in a window of the past none grows.

    Raises:
        QueryError: 400 ``bad_cursor``.
    """
    wanted, place = _position(wanted, page)
    key = _ORDERS[page.order][0]
    sql = _PAGE.format(times=_TIMES, days=_DAYS, matching=matching(wanted), after=place.condition, key=key)
    params = {**wanted.params(), "at": place.at, "last": place.last, "seen": list(place.seen)}
    rows = reader.rows(sql, {**params, "limit": page.limit + 1}, SETTINGS)
    more, rows = len(rows) > page.limit, rows[: page.limit]
    cursor = _cursor(rows, wanted.window, page.order, place) if more else None
    warnings = [] if rows or page.cursor else _unknown_fields(reader, wanted)
    return TracePage([_summary(row) for row in rows], cursor, warnings)


def _summary(row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in ("duration_ns", "rooted", "began")}
    return {
        **kept,
        "duration_ms": row["duration_ns"] / 1e6,
        "error": bool(row["error"]),
        "root_missing": bool(row["root_missing"]),
    }


def _cursor(rows: list[Row], window: Window, order: Order, place: _Place) -> str:
    began = [parse_time(row["start"], "start", window.now_ns) for row in rows]
    young = [
        row["trace_id"]
        for row, at in zip(rows, began, strict=True)
        if row["root_missing"] and at > window.now_ns - _YOUNG_NS
    ]
    seen = [*place.seen, *young][-_REMEMBERED:]
    at = began[-1] if order == "newest" else rows[-1]["duration_ns"]
    return write_cursor(window.start_ns, window.end_ns, order, at, rows[-1]["trace_id"], seen)


def _position(wanted: Wanted, page: Page) -> tuple[Wanted, _Place]:
    if page.cursor is None:
        return wanted, _Place()
    parts = read_cursor(page.cursor, int, int, str, int, str, list)
    start, end, order, at, last, seen = cast("tuple[int, int, str, int, str, list[object]]", tuple(parts))
    if order != page.order:
        raise QueryError("bad_cursor", f"the cursor belongs to order={order}", "cursor")
    if not 0 <= start < end < LATEST_NS or not 0 <= at < 2**63:
        raise bad_cursor(page.cursor)
    window = Window(start, end, wanted.window.now_ns)
    place = _Place(_ORDERS[page.order][1], at, last, tuple(str(each) for each in seen))
    return replace(wanted, window=window), place


_KNOWN_KEYS = """
SELECT key, max(mapContains(attributes, key) OR mapContains(resource, key)) AS known
FROM (SELECT attributes, resource FROM spans
      WHERE spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start < {reached:DateTime64(9, 'UTC')}
        AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
        AND toStartOfMinute(spans.start) <= toStartOfMinute({reached:DateTime64(9, 'UTC')})
      LIMIT {sample:UInt32})
ARRAY JOIN {keys:Array(String)} AS key
GROUP BY key
LIMIT 1000
"""


def _unknown_fields(reader: Reader, wanted: Wanted) -> list[str]:
    """Warn of fields that are no column and that no span of a sample has: nothing was found, and this may be why."""
    keys = list(wanted.search.keys)
    if not keys:
        return []
    rows = reader.rows(_KNOWN_KEYS, {**wanted.params(), "sample": _SAMPLE, "keys": keys})
    known = {row["key"] for row in rows if row["known"]}
    return [
        f"unknown field {key!r}: no column, and no span of the window has it"
        for key in keys
        if key not in known
    ]
