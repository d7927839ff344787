"""Agents: who reports, how far behind, what is spooled, what was dropped."""

from __future__ import annotations

from collections import Counter

from collector.query.window import SECOND_NS, Window, parse_time
from collector.read.ledger import read_counters
from collector.read.sql import Reader, Row

# Reports come every ten seconds by default: three missing ones in a row are no accident.
_SILENT_NS = 35 * SECOND_NS
# The exporter ships within a second or two; blocks older than this wait for the collector.
_SPOOLING_S = 10.0

_LATEST = """
SELECT agent, argMax((r.at, name, version, host, lag_bytes, spool_bytes, spool_blocks, oldest_age_s, counters), (r.at, sequence)) AS last
FROM agent_reports AS r
WHERE r.at >= {start:DateTime64(9, 'UTC')} AND r.at < {end:DateTime64(9, 'UTC')}
GROUP BY agent
ORDER BY agent
LIMIT 5000
"""


def agents(reader: Reader, window: Window) -> list[Row]:
    """Return the last word of every agent that reported in *window*; ``state`` is up, spooling or silent."""
    return [_agent(row, window) for row in reader.rows(_LATEST, window.params())]


def _agent(row: Row, window: Window) -> Row:
    at, name, version, host, lag_bytes, spool_bytes, spool_blocks, oldest_age_s, text = row["last"]
    counters = list(read_counters(text))
    dropped: Counter[str] = Counter()
    for counter in counters:
        for reason, amount in counter.get("dropped", {}).items():
            dropped[reason] += amount.get("blocks", 0)
    return {
        "agent": row["agent"],
        "name": name,
        "version": version,
        "host": host,
        "services": sorted({counter["service"] for counter in counters if counter.get("service")}),
        "last_report": at,
        "lag_bytes": lag_bytes,
        "spool_bytes": spool_bytes,
        "spool_blocks": spool_blocks,
        "dropped": {reason: blocks for reason, blocks in sorted(dropped.items()) if blocks},
        "state": _state(at, oldest_age_s, spool_blocks, window),
    }


def _state(at: str, oldest_age_s: float, spool_blocks: int, window: Window) -> str:
    if parse_time(at, "at", 0) < window.end_ns - _SILENT_NS:
        return "silent"
    return "spooling" if spool_blocks and oldest_age_s > _SPOOLING_S else "up"
