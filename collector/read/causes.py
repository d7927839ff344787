"""Why a breaker opened: the first failing call that led there."""

from __future__ import annotations

from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Reader, Row
from collector.read.transitions import Transition

# Failure windows of breakers are counted in calls or in about a minute.
_LEAD_NS = 60 * SECOND_NS
# A trace that trips a breaker began at most this long before.
_TRACE_NS = 300 * SECOND_NS

# Who the span called, as edge_minutes names it.
_PEER = """coalesce(nullIf(attributes['peer.service'], ''), nullIf(attributes['service.peer.name'], ''),
         nullIf(attributes['db.namespace'], ''), nullIf(attributes['db.name'], ''),
         nullIf(attributes['messaging.destination.name'], ''), attributes['server.address'])"""

_IN_ITS_TRACE = f"""
SELECT service, trace_id, span_id, name, status_message, start AS at,
       service = {{service:String}} AND kind IN ('client', 'producer') AS mine,
       {_PEER} IN ({{target:String}}, {{breaker:String}}) AS towards
FROM spans
WHERE trace_id = {{trace_id:String}} AND status = 'error'
  AND spans.start >= {{trace_from:DateTime64(9, 'UTC')}} AND spans.start < {{until:DateTime64(9, 'UTC')}}
ORDER BY mine AND towards DESC, mine DESC, spans.start
LIMIT 1
"""
_BEFORE_THE_OPEN = f"""
SELECT service, trace_id, span_id, name, status_message, start AS at
FROM spans
WHERE service = {{service:String}} AND env = {{env:String}} AND kind IN ('client', 'producer') AND status = 'error'
  AND spans.start >= {{from:DateTime64(9, 'UTC')}} AND spans.start < {{until:DateTime64(9, 'UTC')}}
  AND {_PEER} IN ({{target:String}}, {{breaker:String}})
ORDER BY spans.start
LIMIT 1
"""


def cause(reader: Reader, opened: Transition) -> Row | None:
    """
    Return the failing span that led to *opened*, with a sentence about it; None when no span tells.

    With the transition's own trace: the failing client span of its service towards the target there, else whatever
    failed first in that trace. Without: the earliest failing call to the target in the minute before.
    """
    params = {
        "service": opened.service,
        "env": opened.env,
        "target": opened.target or opened.breaker,
        "breaker": opened.breaker,
        "trace_id": opened.trace_id,
        "trace_from": sql_time(max(opened.at_ns - _TRACE_NS, 0)),
        "from": sql_time(max(opened.at_ns - _LEAD_NS, 0)),
        "until": sql_time(opened.at_ns + SECOND_NS),
    }
    found = reader.rows(_IN_ITS_TRACE, params) if opened.trace_id else []
    found = found or reader.rows(_BEFORE_THE_OPEN, params)
    return _told(found[0], opened) if found else None


def _told(span: Row, opened: Transition) -> Row:
    fields = {name: span[name] for name in ("service", "trace_id", "span_id", "name", "status_message", "at")}
    what = span["status_message"] or "the call failed"
    return {
        **fields,
        "message": f"{span['service']} → {opened.target or opened.breaker}: {span['name']}: {what}",
    }
