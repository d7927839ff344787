"""Agents: who reports, how far behind, what is spooled, what was dropped, whether the collector takes anything of theirs."""

from __future__ import annotations

import json
from collections import Counter

from collector.query.window import SECOND_NS, Window, parse_time
from collector.read.reports import read_counters
from collector.read.sql import Reader, Row

# Reports come every ten seconds by default, and an agent may be told another interval: three missing ones in a row are no accident.
_SILENT_NS = 35 * SECOND_NS
_MISSING = 3.5
# The exporter ships within a second or two; blocks older than this wait for the collector.
_SPOOLING_S = 10.0

# The collector's own stream reports like an agent, and is none: /pipeline tells of it.
_LATEST = """
SELECT r.agent AS agent, r.at AS last_report, name, version, host, started_at, lag_bytes, spool_bytes, spool_blocks, oldest_age_s,
       counters, exporter, restarts, skew_ms, reports, first_ns
FROM agent_reports AS r
INNER JOIN (SELECT agent, max(sequence) AS newest, uniqExact(started_at) - 1 AS restarts, max(clock_skew_ms) AS skew_ms,
                   uniqExact(sequence) AS reports, toUnixTimestamp64Nano(min(w.at)) AS first_ns
            FROM agent_reports AS w
            WHERE w.at >= {start:DateTime64(9, 'UTC')} AND w.at < {end:DateTime64(9, 'UTC')} AND NOT startsWith(agent, 'canary-')
            GROUP BY agent) AS last ON last.agent = r.agent AND last.newest = r.sequence
WHERE (r.agent, r.at) IN (SELECT agent, argMax(v.at, sequence) FROM agent_reports AS v
                          WHERE v.at >= {start:DateTime64(9, 'UTC')} AND v.at < {end:DateTime64(9, 'UTC')} GROUP BY agent)
ORDER BY agent
LIMIT 1 BY agent
LIMIT 5000
"""


def agents(reader: Reader, window: Window) -> list[Row]:
    """Return the last word of every agent that reported in *window*; ``state`` is up, spooling, refused or silent, which goes by the reports that are loaded."""
    until_ns = min(window.end_ns, reader.unloaded_ns(("reports",)) or window.end_ns)
    return [_agent(row, until_ns) for row in reader.rows(_LATEST, window.params())]


def _agent(row: Row, until_ns: int) -> Row:
    counters = read_counters(row["counters"])
    dropped: Counter[str] = Counter()
    for counter in counters:
        for reason, amount in counter.get("dropped", {}).items():
            dropped[reason] += amount.get("blocks", 0)
    breaker = _breaker(row["exporter"])
    as_they_are = (
        "agent", "name", "version", "host", "started_at", "restarts", "last_report", "lag_bytes", "spool_bytes", "spool_blocks", "oldest_age_s",
    )  # fmt: skip
    return {
        **{name: row[name] for name in as_they_are},
        "services": sorted({counter["service"] for counter in counters if counter.get("service")}),
        "clock_skew_ms": row["skew_ms"],
        "breaker": breaker,
        "dropped": {reason: blocks for reason, blocks in sorted(dropped.items()) if blocks},
        "rejected": sum(counter.get("rejected_blocks", 0) for counter in counters),
        "state": _state(row, breaker, until_ns),
    }


def _breaker(exporter: str) -> Row | None:
    """Read what an agent says of its way to its collectors; None: nothing, or nothing we know."""
    told = json.loads(exporter) if exporter else {}
    state = told.get("breaker") if isinstance(told, dict) else None
    if not isinstance(state, str):
        return None
    ways = [way for way in told.get("collectors", ()) if isinstance(way, dict)]
    return {
        "state": state,
        "key_refused": told.get("key_refused") is True,
        "collectors": [_way(way) for way in ways],
    }


def _way(told: Row) -> Row:
    texts = {"url": str(told.get("url", "")), "state": str(told.get("breaker", "unknown"))}
    return texts | {name: told.get(name) is True for name in ("key_refused", "current")}


def _state(row: Row, breaker: Row | None, until_ns: int) -> str:
    last_ns = parse_time(row["last_report"], "at", 0)
    interval_ns = (last_ns - row["first_ns"]) / max(row["reports"] - 1, 1)
    if last_ns < until_ns - max(_SILENT_NS, _MISSING * interval_ns):
        return "silent"
    if breaker is not None and (breaker["state"] != "closed" or breaker["key_refused"]):
        return "refused"
    return "spooling" if row["spool_blocks"] and row["oldest_age_s"] > _SPOOLING_S else "up"
