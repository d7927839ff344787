"""
The neighbours of one log record: what its source said before and after it.

A batch that names its source (the file or stream it was read from) says where in it it began: neighbours are the lines of that source by
batch and line, whatever times they claim. Without a source they are the records of the same service and env by time.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.errors import NotFound
from collector.query.window import SECOND_NS, parse_time, sql_time
from collector.read.sql import Reader, Row

# Without a source: what is further away than this explains nothing about the record.
_NEAR_NS = 600 * SECOND_NS

_BATCH = """
SELECT agent, source_path, generation, source_start, received_at
FROM batches
WHERE batch_id = {batch:String}
LIMIT 1
"""
_ONE = """
SELECT occurred_at, service, env
FROM logs
WHERE batch_id = {batch:String} AND line = {line:UInt32}
  AND (empty({received:Array(DateTime64(9, 'UTC'))}) OR observed_at IN {received:Array(DateTime64(9, 'UTC'))})
LIMIT 1
"""


def context(reader: Reader, log_id: str, before: int, after: int) -> list[Row]:
    """
    Return the record *log_id* among its neighbours, oldest first.

    Raises:
        NotFound: No such record.
    """
    batch, line = split_id(log_id)
    batches = reader.rows(_BATCH, {"batch": batch})
    received = [_sql(row["received_at"]) for row in batches]
    found = reader.rows(_ONE, {"batch": batch, "line": line, "received": received})
    if not found:
        raise NotFound("not_found", f"no log record {log_id!r}", "id")
    if batches and batches[0]["source_path"]:
        return _of_source(reader, batches[0], (batch, line), before, after)
    return _of_service(reader, found[0], (batch, line), before, after)


# A batch may hold one line: as many on each side as neighbours can be asked for would be many; these are what a page shows.
_BATCHES_AROUND = 128
_SOURCE = """
SELECT batch_id, received_at
FROM (SELECT batch_id, received_at, source_start
      FROM batches
      WHERE agent = {agent:String} AND source_path = {source_path:String} AND generation = {generation:String} AND signal = 'logs'
      ORDER BY abs(toInt64(source_start) - toInt64({source_start:UInt64})), received_at
      LIMIT {around:UInt32})
ORDER BY source_start, received_at, batch_id
LIMIT {around:UInt32}
"""
_SOURCE_LINES = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE observed_at IN {{received:Array(DateTime64(9, 'UTC'))}} AND batch_id IN {{batches:Array(String)}}
  AND (indexOf({{batches:Array(String)}}, batch_id), line) {sign} ({{rank:UInt64}}, {{line:UInt32}})
ORDER BY indexOf({{batches:Array(String)}}, batch_id) {order}, line {order}
LIMIT {{limit:UInt32}}
"""


def _of_source(
    reader: Reader, batch: Mapping[str, object], record: tuple[str, int], before: int, after: int
) -> list[Row]:
    named = {name: batch[name] for name in ("agent", "source_path", "generation", "source_start")}
    around = reader.rows(_SOURCE, {**named, "around": _BATCHES_AROUND})
    batches = [row["batch_id"] for row in around]
    params = {
        "received": [_sql(row["received_at"]) for row in around],
        "batches": batches,
        "rank": batches.index(record[0]) + 1,
        "line": record[1],
    }
    return _both_sides(reader, _SOURCE_LINES, params, before, after)


_SERVICE_LINES = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line
FROM logs
WHERE occurred_at >= {{near_start:DateTime64(9, 'UTC')}} AND occurred_at < {{near_end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{near_start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{near_end:DateTime64(9, 'UTC')}})
  AND service = {{service:String}} AND env = {{env:String}}
  AND (occurred_at, batch_id, line) {sign} ({{at:DateTime64(9, 'UTC')}}, {{batch:String}}, {{line:UInt32}})
ORDER BY occurred_at {order}, batch_id {order}, line {order}
LIMIT {{limit:UInt32}}
"""


def _of_service(reader: Reader, row: Row, record: tuple[str, int], before: int, after: int) -> list[Row]:
    at_ns = parse_time(row["occurred_at"], "id", 0)
    params = {
        "batch": record[0],
        "line": record[1],
        "service": row["service"],
        "env": row["env"],
        "at": sql_time(at_ns),
        "near_start": sql_time(max(at_ns - _NEAR_NS, 0)),
        "near_end": sql_time(at_ns + _NEAR_NS),
    }
    return _both_sides(reader, _SERVICE_LINES, params, before, after)


def _both_sides(reader: Reader, sql: str, params: Mapping[str, object], before: int, after: int) -> list[Row]:
    older = reader.rows(sql.format(sign="<", order="DESC"), {**params, "limit": before})
    newer = reader.rows(sql.format(sign=">=", order="ASC"), {**params, "limit": after + 1})
    return [*reversed(older), *newer]


def _sql(text: str) -> str:
    return sql_time(parse_time(text, "id", 0))


def split_id(log_id: str) -> tuple[str, int]:
    """Split ``<batch_id>:<line>``; anything else is a `NotFound`."""
    batch, _, line = log_id.rpartition(":")
    if not batch or not (line.isascii() and line.isdecimal()) or int(line) >= 2**32:
        raise NotFound("not_found", f"no log record {log_id!r}; an id is <batch_id>:<line>", "id")
    return batch, int(line)
