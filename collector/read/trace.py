"""One trace whole: spans, log records and breaker transitions on one time line, clocks corrected, the critical path found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.errors import NotFound, QueryTooExpensive
from collector.query.window import SECOND_NS, Window, parse_time, rfc_3339, sql_time
from collector.read.clock_skew import skews_ns
from collector.read.critical_path import Segment, critical_path, self_ns
from collector.read.span_tree import NOBODY, SpanTree, span_tree
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, Transition, transitions

# More spans than a page can show; a trace beyond it is cut at its end, and says so.
SPANS_MOST = 20_000
LOGS_MOST = 5_000
# What a page can still be made of; of a larger trace the first 256 bytes of values are answered.
BYTES_MOST = 64 << 20
# Rows of the break-down by operation.
OPERATIONS_MOST = 50
# A span that claims more ends after a year here, as in trace_index.
_DURATION_MOST_NS = 365 * 86_400 * SECOND_NS
# Log clocks and batching move a record a little out of its trace's spans.
_AROUND_NS = 300 * SECOND_NS
# A breaker opens at, or right after, the call that fails.
_TRANSITIONS_AROUND_NS = SECOND_NS

_RANGE = """
SELECT count() AS found, sum(t.spans) AS spans, min(t.start) AS began, max(t.end) AS ended, groupUniqArrayArray(t.services) AS services,
       groupUniqArrayArray(t.envs) AS envs
FROM trace_index AS t
WHERE trace_id = {trace_id:String}
LIMIT 1
"""
# The minute is said, too: by it alone, not by the time itself, the primary keys leave granules of a service out.
_SPANS = """
SELECT span_id, parent_span_id, service, env, name, kind, start, toUnixTimestamp64Nano(spans.start) AS start_ns, duration_ns, status,
       {wide}
FROM spans
WHERE trace_id = {{trace_id:String}}
  AND spans.start >= {{start:DateTime64(9, 'UTC')}} AND spans.start <= {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(spans.start) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}})
  AND toStartOfMinute(spans.start) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
ORDER BY spans.start, span_id
LIMIT {{limit:UInt32}}
"""
_WIDE = "status_message, attributes, resource, events, links"
_WIDE_CUT = """substring(status_message, 1, 256) AS status_message,
       mapFromArrays(arraySlice(mapKeys(attributes), 1, 64), arrayMap(x -> substring(x, 1, 256), arraySlice(mapValues(attributes), 1, 64))) AS attributes,
       mapFromArrays(arraySlice(mapKeys(resource), 1, 64), arrayMap(x -> substring(x, 1, 256), arraySlice(mapValues(resource), 1, 64))) AS resource,
       CAST([], 'Array(Tuple(at DateTime64(9), name String, attributes Map(String, String)))') AS events,
       CAST([], 'Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String)))') AS links"""
_LOGS = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE trace_id = {trace_id:String}
  AND occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at <= {end:DateTime64(9, 'UTC')}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
  AND toStartOfMinute(occurred_at) <= toStartOfMinute({end:DateTime64(9, 'UTC')})
ORDER BY occurred_at, batch_id, line
LIMIT {limit:UInt32}
"""


def trace(reader: Reader, trace_id: str, window: Window) -> Row:
    """
    Return one trace, everything oldest first.

    Args:
        reader: The store.
        trace_id: 32 hex digits, any case.
        window: Where to look for log records when the trace has no span here; else its own time range counts.

    Returns:
        ``{trace_id, spans, logs, transitions, timeline, critical_path, operations, missing_parents, spans_total, values_cut}``.

    Raises:
        NotFound: Neither a span nor a log record has this id.
    """
    wanted = trace_id.lower()
    found = reader.rows(_RANGE, {"trace_id": wanted})[0]
    if not found["found"]:
        made = _explained(wanted, [], _logs_only(reader, wanted, window), [], 0)
        return {**made, "values_cut": False}
    began, ended = (parse_time(found[name], "trace_id", 0) for name in ("began", "ended"))
    spans, cut = _spans(reader, {"trace_id": wanted, **_range(began, ended, 0), "limit": SPANS_MOST})
    logs = reader.rows(_LOGS, {"trace_id": wanted, **_range(began, ended, _AROUND_NS), "limit": LOGS_MOST})
    changes = _transitions(reader, wanted, found, Window(began, ended, window.now_ns))
    made = _explained(wanted, spans, logs, [change.row() for change in changes], found["spans"])
    return {**made, "values_cut": cut}


def _spans(reader: Reader, params: Row) -> tuple[list[Row], bool]:
    """Give the spans, and whether they are so large together that long values, many attributes, events and links are left out."""
    whole = {"max_result_bytes": min(BYTES_MOST, reader.limits.result_bytes)}
    try:
        return reader.rows(_SPANS.format(wide=_WIDE), params, whole), False
    except QueryTooExpensive:
        return reader.rows(_SPANS.format(wide=_WIDE_CUT), params), True


def _transitions(reader: Reader, trace_id: str, found: Row, run: Window) -> list[Transition]:
    """Give the transitions of the trace's services while it ran, and those it caused, oldest first."""
    near = Window(run.start_ns - _TRANSITIONS_AROUND_NS, run.end_ns + _TRANSITIONS_AROUND_NS, run.now_ns)
    around = [
        each
        for each in transitions(reader, near, Chosen(services=found["services"]))
        if each.env in found["envs"]
    ]
    wide = Window(run.start_ns - _AROUND_NS, run.end_ns + _AROUND_NS, run.now_ns)
    caused = [
        each
        for each in transitions(reader, wide, Chosen(trace_id=trace_id))
        if not _shown(each, near, around)
    ]
    return sorted([*around, *caused], key=lambda change: change.at_ns)


def _shown(change: Transition, near: Window, around: list[Transition]) -> bool:
    """Say whether *change* is among those *around* the trace already (there merged with what came another way)."""
    inside = near.start_ns <= change.at_ns < near.end_ns
    return inside and any(
        each.holder == change.holder and each.to_state == change.to_state for each in around
    )


def _range(began: int, ended: int, around: int) -> dict[str, object]:
    return {"start": sql_time(max(began - around, 0)), "end": sql_time(ended + around)}


def _logs_only(reader: Reader, trace_id: str, window: Window) -> list[Row]:
    logs = reader.rows(_LOGS, {"trace_id": trace_id, **window.params(), "limit": LOGS_MOST})
    if not logs:
        raise NotFound("not_found", f"no trace {trace_id!r}", "trace_id")
    return logs


def _explained(trace_id: str, spans: list[Row], logs: list[Row], changes: list[Row], spans_total: int) -> Row:
    """
    Say what can be known of a trace from all of it.

    Each span gains ``{skew_ns, adjusted_start, self_ns, critical_ns, parent_index, missing_parent, duplicate}``; each log record ``skew_ns``, that of its span.
    """
    explained = _explain(spans)
    own = {span["span_id"]: span["skew_ns"] for span in reversed(spans)}
    for log in logs:
        log["skew_ns"] = own.get(log["span_id"], 0)
    return {
        "trace_id": trace_id,
        "spans": spans,
        "logs": logs,
        "transitions": changes,
        "timeline": _timeline(spans, logs, changes),
        "critical_path": [_segment(each, spans) for each in explained.path],
        "operations": _operations(spans),
        "missing_parents": _missing_parents(spans, explained.tree),
        "spans_total": spans_total,
    }


@dataclass(frozen=True, slots=True)
class _Explained:
    """The forest that the spans make, and the critical path through it."""

    tree: SpanTree
    path: list[Segment]


def _explain(spans: Sequence[Row]) -> _Explained:
    """Add what is found out to each span, in place: a trace may have twenty thousand."""
    tree = span_tree(spans)
    skews = skews_ns(spans, tree)
    intervals = [
        (start := span["start_ns"] + skew, start + min(span["duration_ns"], _DURATION_MOST_NS))
        for span, skew in zip(spans, skews, strict=True)
    ]
    path = critical_path(intervals, tree)
    critical = [0] * len(spans)
    for part in path:
        critical[part.number] += part.end_ns - part.start_ns
    own = self_ns(intervals, tree)
    for number, span in enumerate(spans):
        del span["start_ns"]
        span |= {
            "skew_ns": skews[number],
            "adjusted_start": rfc_3339(max(0, intervals[number][0])) if skews[number] else span["start"],
            "self_ns": own[number],
            "critical_ns": critical[number],
            "parent_index": None if tree.parents[number] == NOBODY else tree.parents[number],
            "missing_parent": number in tree.orphans,
            "duplicate": number in tree.duplicates,
        }
    return _Explained(tree, path)


def _timeline(spans: Sequence[Row], logs: Sequence[Row], changes: Sequence[Row]) -> list[Row]:
    """Merge the three lists, oldest first: ``{at, kind, index}``, *at* corrected like the span it belongs to."""
    entries = [(span["adjusted_start"], 0, index, "span") for index, span in enumerate(spans)]
    entries += [(_moved(log), 1, index, "log") for index, log in enumerate(logs)]
    entries += [(change["at"], 2, index, "transition") for index, change in enumerate(changes)]
    return [{"at": at, "kind": kind, "index": index} for at, _, index, kind in sorted(entries)]


def _moved(log: Row) -> str:
    at = str(log["occurred_at"])
    return rfc_3339(max(0, parse_time(at, "occurred_at", 0) + log["skew_ns"])) if log["skew_ns"] else at


def _segment(part: Segment, spans: Sequence[Row]) -> Row:
    return {
        "index": part.number,
        "span_id": spans[part.number]["span_id"],
        "start": rfc_3339(max(0, part.start_ns)),
        "duration_ns": part.end_ns - part.start_ns,
    }


def _operations(spans: Sequence[Row]) -> list[Row]:
    """Add up by service and name: where the time went, and what was called a thousand times."""
    found: dict[tuple[str, str], Row] = {}
    for span in spans:
        key = span["service"], span["name"]
        row = found.setdefault(
            key,
            {"service": key[0], "name": key[1], "spans": 0, "errors": 0, "critical_ns": 0, "self_ns": 0},
        )
        row["spans"] += 1
        row["errors"] += span["status"] == "error"
        row["critical_ns"] += span["critical_ns"]
        row["self_ns"] += span["self_ns"]
    ranked = sorted(found.values(), key=lambda row: (-row["critical_ns"], -row["self_ns"]))
    return ranked[:OPERATIONS_MOST]


def _missing_parents(spans: Sequence[Row], tree: SpanTree) -> list[Row]:
    """Name each parent that never came, with how many spans stand under it."""
    counts: dict[str, int] = {}
    for number in sorted(tree.orphans):
        parent = spans[number]["parent_span_id"]
        counts[parent] = counts.get(parent, 0) + 1
    return [{"span_id": span_id, "children": children} for span_id, children in counts.items()]
