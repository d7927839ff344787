"""
The records of some arrivals, for several searches at once.

Each search is a condition of its own in one statement: new rows are read once, whoever watches. A row comes back once for each search that
wants it, with the search's number as ``q``; ``LIMIT … BY q`` keeps a search for everything from taking the place of the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.query.search import Condition
from collector.query.window import SECOND_NS, sql_time
from collector.read.sql import Reader, Row
from collector.tail.arrivals import Arrival, spans

_PLACE = re.compile(r"\{q(\d+):")
# A batch's records carry the batch's time to the nanosecond; the slack is for formats that round.
_SLACK_NS = SECOND_NS


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search of the tail: its condition and env ("" = any). Equal ones are one."""

    sql: str
    params: tuple[tuple[str, object], ...]
    env: str = ""

    @classmethod
    def of(cls, search: Condition, env: str) -> Wanted:
        """Make one of a compiled search."""
        return cls(search.sql, tuple(search.params.items()), env)

    def numbered(self, number: int) -> tuple[str, dict[str, object]]:
        """Give the condition and its values under names that no other number has."""
        sql = _PLACE.sub(rf"{{t{number}q\1:", self.sql)
        values = {f"t{number}{name}": value for name, value in self.params}
        return f"({sql}) AND ({{t{number}env:String}} = '' OR env = {{t{number}env:String}})", {
            **values,
            f"t{number}env": self.env,
        }


_PROBE = """
SELECT {condition} AS wanted
FROM (SELECT toDateTime64(0, 9, 'UTC') AS occurred_at, occurred_at AS observed_at, '' AS service, '' AS env, '' AS severity,
             toUInt8(0) AS severity_number, '' AS body, '' AS trace_id, '' AS span_id, map('', '') AS attributes,
             map('', '') AS resource, '' AS batch_id, toUInt32(0) AS line FROM numbers({{rows:UInt8}}))
LIMIT 1
"""


def probe(reader: Reader, wanted: Wanted) -> None:
    """
    Run a search on a record that is not there, before it stands beside the searches of others.

    Raises:
        QueryError: The engine refuses it (a regular expression).
    """
    sql, params = wanted.numbered(0)
    reader.rows(_PROBE.format(condition=sql), {**params, "rows": 1})


_RECORDS = """
SELECT concat(batch_id, ':', toString(line)) AS id, occurred_at, observed_at, service, env, severity, severity_number,
       body, trace_id, span_id, attributes, resource, batch_id, line, stored_at, q
FROM (SELECT occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource,
             batch_id, line, arrayFilter((n, hit) -> hit, range({count}), [{hits}]) AS wanted
      FROM logs
      WHERE ({received}) AND batch_id IN (SELECT batch_id FROM batches WHERE {stored}) AND ({any})) AS found
INNER JOIN (SELECT batch_id, stored_at FROM batches WHERE {stored} LIMIT 1 BY batch_id) AS arrived USING (batch_id)
ARRAY JOIN wanted AS q
ORDER BY stored_at, occurred_at, batch_id, line
LIMIT {{most:UInt32}} BY q
LIMIT 100000
"""
_STORED = (
    "stored_at IN {stored:Array(DateTime64(9, 'UTC'))} AND received_at >= {oldest:DateTime64(9, 'UTC')} "
    "AND received_at <= {newest:DateTime64(9, 'UTC')}"
)


def records(
    reader: Reader, found: Sequence[Arrival], searches: Sequence[Wanted], most: int
) -> list[list[Row]]:
    """
    Return, for each of *searches*, the records of *found* it wants, in the order of arrival and then of their own time.

    Args:
        reader: ClickHouse.
        found: At least one arrival.
        searches: At least one.
        most: Records per search; one more is returned where there are more.
    """
    numbered = [search.numbered(number) for number, search in enumerate(searches)]
    received, params = _received(found)
    sql = _RECORDS.format(
        count=len(searches),
        hits=", ".join(f"toBool({condition})" for condition, _ in numbered),
        any=" OR ".join(f"({condition})" for condition, _ in numbered),
        received=received,
        stored=_STORED,
    )
    for _, values in numbered:
        params |= values
    answers: list[list[Row]] = [[] for _ in searches]
    for row in reader.rows(sql, {**params, "most": most + 1}):
        answers[row.pop("q")].append(row)
    return answers


_COUNT = """
SELECT count() AS records
FROM logs
WHERE ({received}) AND batch_id IN (SELECT batch_id FROM batches WHERE {stored}) AND ({condition})
LIMIT 1
"""


def count(reader: Reader, found: Sequence[Arrival], search: Wanted) -> int:
    """Return how many records of *found* a search wants: asked only where they were too many."""
    condition, values = search.numbered(0)
    received, params = _received(found)
    sql = _COUNT.format(received=received, stored=_STORED, condition=condition)
    return int(reader.rows(sql, {**params, **values})[0]["records"])


def _received(found: Sequence[Arrival]) -> tuple[str, dict[str, object]]:
    """Give the condition on `observed_at` that the index answers, and its values and those of `_STORED`."""
    ranges = spans(found)
    params: dict[str, object] = {
        "stored": [sql_time(arrival.stored_ns) for arrival in found],
        "oldest": sql_time(ranges[0][0]),
        "newest": sql_time(max(last for _, last in ranges)),
    }
    conditions = []
    for number, (first, last) in enumerate(ranges):
        params |= _edges(number, first, last)
        conditions.append(
            f"observed_at >= {{r{number}a:DateTime64(9, 'UTC')}} AND observed_at <= {{r{number}b:DateTime64(9, 'UTC')}}"
        )
    return " OR ".join(f"({condition})" for condition in conditions), params


def _edges(number: int, first_ns: int, last_ns: int) -> Mapping[str, object]:
    return {
        f"r{number}a": sql_time(max(0, first_ns - _SLACK_NS)),
        f"r{number}b": sql_time(last_ns + _SLACK_NS),
    }
