"""Why breakers opened: the first failing call that led there, and what of the callee tripped it; for many openings in three statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from collector.query.window import SECOND_NS, parse_time, rfc_3339, sql_time
from collector.read.sql import Reader, Row
from collector.read.transitions import Transition

# Failure windows of breakers are counted in calls or in about a minute.
_LEAD_NS = 60 * SECOND_NS
# A trace that trips a breaker began at most this long before.
_TRACE_NS = 300 * SECOND_NS
_MINUTE_S = 60
# What is usual is told by the minutes before the two that tripped it.
_USUAL_MINUTES = 15
# What a breaker reacts to: one call in ten beyond the usual, twice as slow as usual.
_ERRORS, _SLOW = 0.1, 2.0

# Who the span called, as edge_minutes names it.
_PEER = """coalesce(nullIf(attributes['peer.service'], ''), nullIf(attributes['service.peer.name'], ''),
         nullIf(attributes['db.namespace'], ''), nullIf(attributes['db.name'], ''),
         nullIf(attributes['messaging.destination.name'], ''), attributes['server.address'])"""
_SPAN = f"service, env, trace_id, span_id, name, kind, status_message, start AS at, {_PEER} AS peer"
# Minutes and not a range: openings may lie days apart.
_WHEN = """toDate(spans.start) IN {days:Array(Date)} AND toStartOfMinute(spans.start) IN {minutes:Array(DateTime('UTC'))}"""

_IN_THEIR_TRACES = f"""
SELECT {_SPAN}
FROM spans
WHERE trace_id IN {{traces:Array(String)}} AND status = 'error' AND {_WHEN}
ORDER BY spans.start
LIMIT 200 BY trace_id
LIMIT 5000
"""
_BEFORE_THE_OPEN = f"""
SELECT {_SPAN}
FROM spans
WHERE (service, env) IN {{holders:Array(Tuple(String, String))}} AND kind IN ('client', 'producer') AND status = 'error'
  AND {_WHEN} AND {_PEER} IN {{targets:Array(String)}}
ORDER BY spans.start
LIMIT 200 BY service, env, toStartOfMinute(spans.start)
LIMIT 5000
"""
_EDGE_MINUTES = """
SELECT env, caller, callee, toUnixTimestamp(minute) AS minute_s, sum(e.weighted_calls) AS calls, sum(e.weighted_errors) AS failed,
       quantilesTDigestMerge(0.5, 0.95, 0.99)(e.duration_ns)[2] / 1e6 AS p95_ms
FROM edge_minutes AS e
WHERE toStartOfHour(e.minute) IN {hours:Array(DateTime('UTC'))} AND minute IN {minutes:Array(DateTime('UTC'))}
  AND (env, caller, callee) IN {edges:Array(Tuple(String, String, String))}
GROUP BY env, caller, callee, minute
LIMIT 20000
"""


@dataclass(slots=True)
class _Minutes:
    """Calls of one edge by minute, seconds since the epoch."""

    calls: dict[int, float] = field(default_factory=dict)
    failed: dict[int, float] = field(default_factory=dict)
    p95_ms: dict[int, float] = field(default_factory=dict)


def causes(reader: Reader, openings: Sequence[Transition]) -> list[Row | None]:
    """
    Return, for each of *openings*, the failing span that led to it with a sentence about it, and what tripped it; None where nothing tells.

    With the transition's own trace the span is the failing client span of its service towards the target there, else whatever failed first in that trace.
    Without: the earliest failing call to the target in the minute before. ``tripped_by`` is about all calls to the target in the opening's minute and the one before,
    beside what was usual in the quarter of an hour before that.
    """
    if not openings:
        return []
    traces = _traced(reader, [each for each in openings if each.trace_id])
    spans = [_in_its_trace(traces.get(each.trace_id, ()), each) for each in openings]
    earlier = _failing(reader, [each for each, span in zip(openings, spans, strict=True) if span is None])
    spans = [span or _before(earlier, each) for each, span in zip(openings, spans, strict=True)]
    edges = _edge_minutes(reader, openings)
    return [_told(each, span, _tripped_by(edges, each)) for each, span in zip(openings, spans, strict=True)]


def _traced(reader: Reader, openings: Sequence[Transition]) -> Mapping[str, list[Row]]:
    if not openings:
        return {}
    found: dict[str, list[Row]] = defaultdict(list)
    params = {"traces": sorted({each.trace_id for each in openings}), **_when(openings, _TRACE_NS)}
    for row in reader.rows(_IN_THEIR_TRACES, params):
        found[row["trace_id"]].append(row)
    return found


def _failing(reader: Reader, openings: Sequence[Transition]) -> list[Row]:
    if not openings:
        return []
    params = {
        "holders": sorted({(each.service, each.env) for each in openings}),
        "targets": sorted({name for each in openings for name in _names(each)}),
        **_when(openings, _LEAD_NS),
    }
    return reader.rows(_BEFORE_THE_OPEN, params)


def _when(openings: Iterable[Transition], lead_ns: int) -> dict[str, object]:
    minutes = sorted(
        {minute for each in openings for minute in _minutes(each.at_ns - lead_ns, each.at_ns + SECOND_NS)}
    )
    return {
        "minutes": [_time(minute) for minute in minutes],
        "days": sorted({_time(minute)[:10] for minute in minutes}),
    }


def _minutes(start_ns: int, end_ns: int) -> range:
    return range(max(start_ns, 0) // SECOND_NS // _MINUTE_S * _MINUTE_S, end_ns // SECOND_NS + 1, _MINUTE_S)


def _time(at_s: int) -> str:
    return sql_time(at_s * SECOND_NS)[:19]


def _names(opened: Transition) -> set[str]:
    return {opened.target or opened.breaker, opened.breaker}


def _in_its_trace(spans: Sequence[Row], opened: Transition) -> Row | None:
    def order(span: Row) -> tuple[bool, bool, int]:
        mine = span["service"] == opened.service and span["kind"] in ("client", "producer")
        return not (mine and span["peer"] in _names(opened)), not mine, _at(span)

    near = [span for span in spans if opened.at_ns - _TRACE_NS <= _at(span) < opened.at_ns + SECOND_NS]
    return min(near, key=order, default=None)


def _before(spans: Iterable[Row], opened: Transition) -> Row | None:
    for span in spans:
        mine = (span["service"], span["env"]) == (opened.service, opened.env) and span["peer"] in _names(
            opened
        )
        if mine and opened.at_ns - _LEAD_NS <= _at(span) < opened.at_ns + SECOND_NS:
            return span
    return None


def _at(span: Row) -> int:
    return parse_time(span["at"], "at", 0)


def _edge_minutes(reader: Reader, openings: Sequence[Transition]) -> Mapping[tuple[str, str, str], _Minutes]:
    first_ns = _USUAL_MINUTES * _MINUTE_S * SECOND_NS
    minutes = sorted({minute for each in openings for minute in _minutes(each.at_ns - first_ns, each.at_ns)})
    params = {
        "minutes": [_time(minute) for minute in minutes],
        "hours": sorted({_time(minute // 3600 * 3600) for minute in minutes}),
        "edges": sorted({(each.env, each.service, name) for each in openings for name in _names(each)}),
    }
    found: dict[tuple[str, str, str], _Minutes] = defaultdict(_Minutes)
    for row in reader.rows(_EDGE_MINUTES, params):
        edge = found[row["env"], row["caller"], row["callee"]]
        edge.calls[row["minute_s"]], edge.failed[row["minute_s"]] = row["calls"], row["failed"]
        edge.p95_ms[row["minute_s"]] = row["p95_ms"]
    return found


def _tripped_by(edges: Mapping[tuple[str, str, str], _Minutes], opened: Transition) -> Row | None:
    """Judge the calls to the target in the opening's minute and the one before by those of the minutes before."""
    edge = next(
        (
            edges[key]
            for name in sorted(_names(opened))
            if (key := (opened.env, opened.service, name)) in edges
        ),
        None,
    )
    if edge is None:
        return None
    opening_s = opened.at_ns // SECOND_NS // _MINUTE_S * _MINUTE_S
    trip = [minute for minute in (opening_s - _MINUTE_S, opening_s) if minute in edge.calls]
    usual = [
        minute
        for minute in edge.calls
        if opening_s - _USUAL_MINUTES * _MINUTE_S <= minute < opening_s - _MINUTE_S
    ]
    calls, failed = sum(edge.calls[m] for m in trip), sum(edge.failed[m] for m in trip)
    if not calls:
        return None
    usual_calls = sum(edge.calls[m] for m in usual)
    numbers: Row = {
        "calls": round(calls),
        "failed": round(failed),
        "error_ratio": round(failed / calls, 4),
        "usual_error_ratio": round(sum(edge.failed[m] for m in usual) / usual_calls, 4)
        if usual_calls
        else None,
        "p95_ms": round(max(edge.p95_ms[m] for m in trip), 1),
        "usual_p95_ms": round(median(edge.p95_ms[m] for m in usual), 1) if usual else None,
    }
    return {"kind": _kind(numbers), **numbers}


def _kind(numbers: Row) -> str:
    if numbers["error_ratio"] - (numbers["usual_error_ratio"] or 0.0) >= _ERRORS:
        return "errors"
    usual = numbers["usual_p95_ms"]
    return "latency" if usual is not None and numbers["p95_ms"] >= _SLOW * max(usual, 1.0) else "unknown"


def _told(opened: Transition, span: Row | None, tripped: Row | None) -> Row | None:
    if span is None and (tripped is None or tripped["kind"] == "unknown"):
        return None
    target = opened.target or opened.breaker
    said = [] if tripped is None else _sentence(tripped)
    if span is None:
        nothing = {"trace_id": "", "span_id": "", "name": "", "status_message": ""}
        at = rfc_3339(opened.at_ns)
        return {
            "service": opened.service, **nothing, "at": at, "message": f"{opened.service} → {target}: {said[0]}", "tripped_by": tripped
        }  # fmt: skip
    fields = {name: span[name] for name in ("service", "trace_id", "span_id", "name", "status_message", "at")}
    what = span["status_message"] or "the call failed"
    message = "; ".join([f"{span['service']} → {target}: {span['name']}: {what}", *said])
    return {**fields, "message": message, "tripped_by": tripped}


def _sentence(tripped: Row) -> list[str]:
    if tripped["kind"] == "errors":
        usual = tripped["usual_error_ratio"]
        beside = "" if usual is None else f", usually {usual:.1%}"
        return [f"{tripped['error_ratio']:.0%} of {tripped['calls']} calls failed as it opened{beside}"]
    if tripped["kind"] == "latency":
        return [
            f"its p95 was {tripped['p95_ms']:.0f} ms as it opened, usually {tripped['usual_p95_ms']:.0f} ms"
        ]
    return []
