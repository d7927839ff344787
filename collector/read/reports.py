"""
Agents' reports: which ones bound a range, and what they count.

A report carries cumulative counters, so three of an agent's reports say everything about a range: the last before its start (the
baseline), the last before its end, and the newest of all, which knows what became of blocks since. "Last" goes by the report's own
number among those whose time lies before the bound: reports may arrive late, twice, out of order, and a clock may be set back.

Reports are looked for within a day before the range, and for the agents that have none there, everywhere: a clock set back by more than
a day may let two adjoining ranges share blocks.

The times are the agent's own. A clock that is wrong moves the range, never the sum; a claim more than ten minutes ahead is replaced by the
time of arrival (formats/reports/agent_reports.sql), and ``clock_skew_ms`` says by how much the agent seemed ahead.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from collector.query.window import SECOND_NS, Window, parse_time, sql_time
from collector.read.sql import Reader, Row

_DAY_NS = 86_400 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_NANOSECONDS_PER_MS = 1_000_000
# Agents of one statement: their names and bounds travel in its parameters.
CHUNK = 100


@dataclass(frozen=True, slots=True)
class Report:
    """
    One report of an agent.

    Attributes:
        at: Its own time, ``observed_at`` when it arrived.
        counted_through: Highest spool sequence that the counters include; 0 = an agent of an earlier version.
        counters: By service, env, signal and source.
    """

    at: str
    observed_at: str
    counted_through: int
    oldest_age_s: float
    counters: Sequence[Mapping[str, Any]]

    @property
    def observed_ns(self) -> int:
        """When it arrived."""
        return parse_time(self.observed_at, "observed_at", 0)

    @property
    def settled_before_ns(self) -> int:
        """When the oldest block still on its way had been read: what arrived before that is settled on the agent's side."""
        made = min(parse_time(self.at, "at", 0), self.observed_ns)
        return made - int(self.oldest_age_s * SECOND_NS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    An agent's reports around a range.

    Attributes:
        first: Last before the start; None: the agent began within the range.
        last: Last before the end.
        newest: Last of all.
        floor_ns: No block that *first* does not count arrived before this.
    """

    agent: str
    first: Report | None
    last: Report
    newest: Report
    floor_ns: int

    @property
    def low(self) -> int:
        """Blocks of the range have a higher spool sequence than this."""
        return self.first.counted_through if self.first else 0


# What `first` and `newest` are looked for in at first: all reports of a month are read in seconds, those of a day at once.
_NEAR = "(r.at >= {near:DateTime64(9, 'UTC')} AND r.at < {end:DateTime64(9, 'UTC')}) OR r.at >= {lately:DateTime64(9, 'UTC')}"
_EVERYWHERE = "agent IN {agents:Array(String)}"
_BOUNDS = """
SELECT agent, max(sequence) AS newest, min(sequence) AS oldest,
       maxIf(sequence, r.at < {{end:DateTime64(9, 'UTC')}}) AS last,
       maxIf(sequence, r.at < {{start:DateTime64(9, 'UTC')}}) AS first,
       argMax(r.at, sequence) AS newest_at,
       argMin(r.at, sequence) AS oldest_at,
       argMaxIf(r.at, sequence, r.at < {{end:DateTime64(9, 'UTC')}}) AS last_at,
       argMaxIf(r.at, sequence, r.at < {{start:DateTime64(9, 'UTC')}}) AS first_at,
       max(clock_skew_ms) AS skew_ms,
       any(retention_days) AS kept_days
FROM agent_reports AS r
WHERE {scope}
GROUP BY agent
HAVING countIf(r.at >= {{start:DateTime64(9, 'UTC')}} AND r.at < {{end:DateTime64(9, 'UTC')}}) > 0
ORDER BY agent
LIMIT 5000
"""
_REPORTS = """
SELECT agent, sequence, r.at AS told_at, observed_at, counted_through, oldest_age_s, counters
FROM agent_reports AS r
WHERE agent IN {agents:Array(String)} AND sequence IN {sequences:Array(UInt64)}
  AND r.at IN (SELECT fromUnixTimestamp64Nano(arrayJoin({times:Array(Int64)}), 'UTC'))
LIMIT 1 BY agent, sequence
LIMIT 100000
"""


def bounds(reader: Reader, window: Window) -> list[Bounds]:
    """Return the bounds of every agent that has a report in *window*."""
    params = {**window.params(), "near": near(window), "lately": sql_time(max(window.now_ns - _DAY_NS, 0))}
    rows = reader.rows(_BOUNDS.format(scope=_NEAR), params)
    by_agent = {row["agent"]: row for row in rows}
    for some in chunks(row["agent"] for row in rows if _is_partial(row, window)):
        further = reader.rows(_BOUNDS.format(scope=_EVERYWHERE), {**params, "agents": some})
        by_agent |= {row["agent"]: row for row in further}
    chosen = [_baselined(row, window) for row in by_agent.values()]
    return [found for some in chunks(chosen) for found in _read(reader, some)]


def near(window: Window) -> str:
    """Write from when on reports are looked for at first, as a parameter."""
    return sql_time(max(window.start_ns - _DAY_NS, 0))


def _is_partial(row: Row, window: Window) -> bool:
    """Say whether an agent's baseline or its newest report may lie where nobody has looked."""
    return not row["first"] or (row["newest"] == row["last"] and window.end_ns < window.now_ns - _DAY_NS)


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Split *items* for statements that name each of them."""
    rest = iter(items)
    while some := list(islice(rest, CHUNK)):
        yield some


def _baselined(row: Row, window: Window) -> Row:
    """Give an agent older than what is kept the first report that is kept as its baseline: what came before is gone on both sides."""
    oldest_ns = parse_time(row["oldest_at"], "at", 0)
    cut = row["oldest"] > 1 and oldest_ns < window.now_ns - (row["kept_days"] - 1) * _DAY_NS
    if row["first"] or not cut:
        return row
    return {**row, "first": row["oldest"], "first_at": row["oldest_at"]}


def _read(reader: Reader, rows: Sequence[Row]) -> list[Bounds]:
    places = {
        (row[name], row[f"{name}_at"]) for row in rows for name in ("first", "last", "newest") if row[name]
    }
    params = {
        "agents": [row["agent"] for row in rows],
        "times": sorted({parse_time(at, "at", 0) for _, at in places}),
        "sequences": sorted({sequence for sequence, _ in places}),
    }
    told: dict[str, dict[int, Report]] = defaultdict(dict)
    for row in reader.rows(_REPORTS, params):
        told[row["agent"]][row["sequence"]] = _report(row)
    return [_bounds(row, told[row["agent"]]) for row in rows]


def _report(row: Row) -> Report:
    return Report(
        row["told_at"],
        row["observed_at"],
        row["counted_through"],
        row["oldest_age_s"],
        read_counters(row["counters"]),
    )


def _bounds(row: Row, told: Mapping[int, Report]) -> Bounds:
    first = told.get(row["first"])
    # a clock that is ahead has been seen to be; what an agent sent before its very first report is a longer story
    ahead_ns = max(row["skew_ms"], 0) * _NANOSECONDS_PER_MS
    from_ns = parse_time(first.at if first else row["oldest_at"], "at", 0)
    floor_ns = max(from_ns - ahead_ns - (_HOUR_NS if first else _DAY_NS), 0)
    return Bounds(row["agent"], first, told[row["last"]], told[row["newest"]], floor_ns)


def read_counters(text: str) -> list[Mapping[str, Any]]:
    """Read a report's counters; an agent that has not counted yet reports none."""
    counters: list[Mapping[str, Any]] = json.loads(text) if text else []
    return counters
