"""Traces: a search over their summaries, and one trace whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.errors import NotFound
from collector.query.search import Condition
from collector.query.window import SECOND_NS, Window, parse_time, sql_time
from collector.read.cursors import read_cursor, write_cursor
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, Transition, transitions

# More spans than a page can show; a trace beyond it is cut at its end.
SPANS_MOST = 20_000
LOGS_MOST = 5_000
# Log clocks and batching move a record a little out of its trace's spans.
_AROUND_NS = 300 * SECOND_NS
# A breaker opens at, or right after, the call that fails.
_TRANSITIONS_AROUND_NS = SECOND_NS


@dataclass(frozen=True, slots=True)
class TraceQuestion:
    """
    Which traces: those that began in the window and fit the rest ("" and None = any).

    Attributes:
        search: Some span of the trace fits it.
        service: Some span of the trace is this service's.
        error: Whether some span failed.
    """

    window: Window
    search: Condition
    env: str = ""
    service: str = ""
    error: bool | None = None
    min_duration_ms: float = 0.0
    limit: int = 100
    cursor: str | None = None


_TRACES = """
SELECT trace_id, root_service, root_name, began AS start, duration_ns / 1e6 AS duration_ms, spans, services, errors > 0 AS error
FROM (SELECT trace_id, min(t.start) AS began, max(t.end) AS ended, sum(t.spans) AS spans, sum(t.errors) AS errors,
             arraySort(groupUniqArrayArray(t.services)) AS services, groupUniqArrayArray(t.envs) AS envs,
             max(t.root_service) AS root_service, max(t.root_name) AS root_name,
             toUnixTimestamp64Nano(ended) - toUnixTimestamp64Nano(began) AS duration_ns
      FROM trace_index AS t
      WHERE t.day >= toDate({{start:DateTime64(9, 'UTC')}}) - 1 AND t.day <= toDate({{end:DateTime64(9, 'UTC')}}) + 1
        AND {matching}
      GROUP BY trace_id)
WHERE began >= {{start:DateTime64(9, 'UTC')}} AND began < {{end:DateTime64(9, 'UTC')}}
  AND ({{env:String}} = '' OR has(envs, {{env:String}}))
  AND ({{service:String}} = '' OR has(services, {{service:String}}))
  AND ({{error:Int8}} < 0 OR (errors > 0) = {{error:Int8}})
  AND duration_ns >= {{min_duration_ns:UInt64}}
  AND {after}
ORDER BY began DESC, trace_id DESC
LIMIT {{limit:UInt32}}
"""
_MATCHING = """trace_id IN (SELECT trace_id FROM spans
      WHERE spans.start >= {{start:DateTime64(9, 'UTC')}} AND spans.start < {{end:DateTime64(9, 'UTC')}} + toIntervalHour(1)
        AND {search})"""
_AFTER = "(began, trace_id) < ({at:DateTime64(9, 'UTC')}, {last:String})"


def search(reader: Reader, question: TraceQuestion) -> tuple[list[Row], str | None]:
    """Return one page of trace summaries, newest first, and the next page's cursor."""
    question, after, position = _position(question)
    condition = question.search
    sql = _TRACES.format(
        matching="1" if condition.sql == "1" else _MATCHING.format(search=condition.sql), after=after
    )
    params = {
        **question.window.params(),
        **condition.params,
        **position,
        "env": question.env,
        "service": question.service,
        "error": -1 if question.error is None else int(question.error),
        "min_duration_ns": round(question.min_duration_ms * 1e6),
        "limit": question.limit + 1,
    }
    rows = reader.rows(sql, params)
    more, rows = len(rows) > question.limit, rows[: question.limit]
    for row in rows:
        row["error"] = bool(row["error"])
    window = question.window
    cursor = (
        write_cursor(window.start_ns, window.end_ns, rows[-1]["start"], rows[-1]["trace_id"])
        if more
        else None
    )
    return rows, cursor


def _position(question: TraceQuestion) -> tuple[TraceQuestion, str, dict[str, object]]:
    if question.cursor is None:
        return question, "1", {}
    start, end, at, last = read_cursor(question.cursor, int, int, str, str)
    assert isinstance(start, int)
    assert isinstance(end, int)
    at_ns = parse_time(str(at), "cursor", question.window.now_ns)
    window = Window(start, end, question.window.now_ns)
    return replace(question, window=window), _AFTER, {"at": sql_time(at_ns), "last": last}


_RANGE = """
SELECT count() AS found, min(t.start) AS began, max(t.end) AS ended, groupUniqArrayArray(t.services) AS services,
       groupUniqArrayArray(t.envs) AS envs
FROM trace_index AS t
WHERE trace_id = {trace_id:String}
LIMIT 1
"""
_SPANS = """
SELECT span_id, parent_span_id, service, env, name, kind, start, duration_ns, status, status_message, attributes, resource,
       events, links
FROM spans
WHERE trace_id = {trace_id:String}
  AND spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start <= {end:DateTime64(9, 'UTC')}
ORDER BY spans.start, span_id
LIMIT {limit:UInt32}
"""
_LOGS = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE trace_id = {trace_id:String}
  AND occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at <= {end:DateTime64(9, 'UTC')}
ORDER BY occurred_at, batch_id, line
LIMIT {limit:UInt32}
"""


def trace(reader: Reader, trace_id: str, window: Window) -> Row:
    """
    Return ``{trace_id, spans, logs, transitions}``, each oldest first.

    Args:
        reader: The store.
        trace_id: 32 hex digits, any case.
        window: Where to look for log records when the trace has no span here; else its own time range counts.

    Raises:
        NotFound: Neither a span nor a log record has this id.
    """
    wanted = trace_id.lower()
    found = reader.rows(_RANGE, {"trace_id": wanted})[0]
    if not found["found"]:
        return _logs_only(reader, wanted, window)
    began, ended = (parse_time(found[name], "trace_id", 0) for name in ("began", "ended"))
    spans = reader.rows(_SPANS, {"trace_id": wanted, **_range(began, ended, 0), "limit": SPANS_MOST})
    logs = reader.rows(_LOGS, {"trace_id": wanted, **_range(began, ended, _AROUND_NS), "limit": LOGS_MOST})
    near = Window(began - _TRANSITIONS_AROUND_NS, ended + _TRANSITIONS_AROUND_NS, window.now_ns)
    around = [
        each
        for each in transitions(reader, near, Chosen(services=found["services"]))
        if each.env in found["envs"]
    ]
    wide = Window(began - _AROUND_NS, ended + _AROUND_NS, window.now_ns)
    caused = [
        each for each in transitions(reader, wide, Chosen(trace_id=wanted)) if not _shown(each, near, around)
    ]
    every = sorted([*around, *caused], key=lambda change: change.at_ns)
    return {
        "trace_id": wanted,
        "spans": spans,
        "logs": logs,
        "transitions": [change.row() for change in every],
    }


def _shown(change: Transition, near: Window, around: list[Transition]) -> bool:
    """Say whether *change* is among those *around* the trace already (there merged with what came another way)."""
    inside = near.start_ns <= change.at_ns < near.end_ns
    return inside and any(
        each.holder == change.holder and each.to_state == change.to_state for each in around
    )


def _range(began: int, ended: int, around: int) -> dict[str, object]:
    return {"start": sql_time(max(began - around, 0)), "end": sql_time(ended + around)}


def _logs_only(reader: Reader, trace_id: str, window: Window) -> Row:
    logs = reader.rows(_LOGS, {"trace_id": trace_id, **window.params(), "limit": LOGS_MOST})
    if not logs:
        raise NotFound("not_found", f"no trace {trace_id!r}", "trace_id")
    return {"trace_id": trace_id, "spans": [], "logs": logs, "transitions": []}
