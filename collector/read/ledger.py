"""
The ledger: emitted = stored + rejected + dropped(reason) + in flight, per agent, service and signal.

The agent's side are its reports: counters since its data directory was made, so the range's share is the last report
before the end minus the last one before the start. The collector's side are `batches`, received between those two
reports. Blocks and bytes are exact; rows are as ClickHouse counted them. What came without an agent (an SDK, curl) has
no counters of its own: what was stored is all that is known of it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.query.window import Window
from collector.read.sql import Reader, Row

Key = tuple[str, str, str]  # agent, service, signal


@dataclass(slots=True)
class Entry:
    """One line of the ledger while it is being added up; blocks unless named otherwise."""

    emitted: int = 0
    emitted_bytes: int = 0
    rejected: int = 0
    duplicates: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    stored: int = 0
    stored_bytes: int = 0
    stored_rows: int = 0

    def count(self, counter: Mapping[str, Any], sign: int) -> None:
        """Add (or, for the report before the range, take away) one counter of a report."""
        self.emitted += sign * counter.get("read_blocks", 0)
        self.emitted_bytes += sign * counter.get("read_bytes", 0)
        self.rejected += sign * counter.get("rejected_blocks", 0)
        self.duplicates += sign * counter.get("duplicate_blocks", 0)
        for reason, amount in counter.get("dropped", {}).items():
            self.dropped[reason] += sign * amount.get("blocks", 0)

    def row(self, key: Key, gaps: list[Row]) -> Row:
        """Give the API's shape."""
        agent, service, signal = key
        dropped = {reason: blocks for reason, blocks in sorted(self.dropped.items()) if blocks}
        # without an agent nobody counted what was emitted: what is stored was
        emitted, emitted_bytes = (
            (self.emitted, self.emitted_bytes) if agent else (self.stored, self.stored_bytes)
        )
        return {
            "agent": agent,
            "service": service,
            "signal": signal,
            "emitted": emitted,
            "stored": self.stored,
            "rejected": self.rejected,
            "dropped": dropped,
            # a batch may be stored before the report that counts it arrives
            "in_flight": max(emitted - self.stored - self.rejected - sum(dropped.values()), 0),
            "duplicates_refused": self.duplicates,
            "gaps": gaps,
            "emitted_bytes": emitted_bytes,
            "stored_bytes": self.stored_bytes,
            "stored_rows": self.stored_rows,
        }


# The bounds of an agent's range are the arrivals of its reports, on the collector's clock like received_at.
_REPORTS = """
SELECT agent,
       argMaxIf(counters, (r.at, sequence), r.at < {end:DateTime64(9, 'UTC')}) AS counters_last,
       argMaxIf(counters, (r.at, sequence), r.at < {start:DateTime64(9, 'UTC')}) AS counters_first,
       argMaxIf(observed_at, (r.at, sequence), r.at < {end:DateTime64(9, 'UTC')}) AS until,
       argMaxIf(observed_at, (r.at, sequence), r.at < {start:DateTime64(9, 'UTC')}) AS since
FROM agent_reports AS r
WHERE r.at < {end:DateTime64(9, 'UTC')}
GROUP BY agent
HAVING max(r.at) >= {start:DateTime64(9, 'UTC')}
ORDER BY agent
LIMIT 5000
"""
_STORED = """
SELECT b.agent AS agent, b.service AS service, b.signal AS signal, count() AS blocks, sum(b.bytes) AS bytes, sum(c.rows) AS rows
FROM batches AS b
LEFT JOIN (SELECT batch_id, sum(w.rows) AS rows FROM batch_rows AS w GROUP BY batch_id) AS c ON c.batch_id = b.batch_id
WHERE b.agent = {agent:String} AND b.signal != 'reports'
  AND b.received_at >= {since:DateTime64(9, 'UTC')} AND b.received_at < {until:DateTime64(9, 'UTC')}
  AND ({service:String} = '' OR b.service = {service:String})
GROUP BY agent, service, signal
LIMIT 10000
"""


def ledger(reader: Reader, window: Window, service: str = "") -> list[Row]:
    """Return ``{agent, service, signal, emitted, stored, rejected, dropped, in_flight, …}`` per agent, service and signal."""
    entries: dict[Key, Entry] = defaultdict(Entry)
    spans: dict[str, tuple[str, str]] = {"": (window.params()["start"], window.params()["end"])}  # type: ignore[dict-item]
    for report in reader.rows(_REPORTS, window.params()):
        spans[report["agent"]] = (report["since"], report["until"])
        _count(entries, report, "counters_last", 1)
        _count(entries, report, "counters_first", -1)
    for agent, (since, until) in spans.items():
        bounds = {"agent": agent, "since": _sql(since), "until": _sql(until), "service": service}
        for row in reader.rows(_STORED, bounds):
            entry = entries[agent, row["service"], row["signal"]]
            entry.stored, entry.stored_bytes, entry.stored_rows = row["blocks"], row["bytes"], row["rows"]
    gaps = _gaps(reader, window, service)
    chosen = (key for key in sorted(entries) if not service or key[1] == service)
    return [entries[key].row(key, gaps.get(key, [])) for key in chosen]


def _count(entries: dict[Key, Entry], report: Row, name: str, sign: int) -> None:
    for counter in read_counters(report[name]):
        entries[report["agent"], counter.get("service", ""), counter.get("signal", "")].count(counter, sign)


def read_counters(text: str) -> Iterable[Mapping[str, Any]]:
    """Read a report's counters; an agent that has not counted yet reports none."""
    counters: list[Mapping[str, Any]] = json.loads(text) if text else []
    return counters


def _sql(text: str) -> str:
    return text.replace("T", " ").rstrip("Z")


_GAPS = """
SELECT agent, service, signal, source_path, generation, previous AS missing_from, source_start AS missing_to
FROM (SELECT agent, service, signal, source_kind, source_path, generation, source_start, source_end,
             max(source_end) OVER (PARTITION BY agent, source_kind, source_path, generation, signal ORDER BY source_start
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS previous,
             row_number() OVER (PARTITION BY agent, source_kind, source_path, generation, signal ORDER BY source_start) AS place
      FROM batches
      WHERE received_at >= {start:DateTime64(9, 'UTC')} AND received_at < {end:DateTime64(9, 'UTC')}
        AND source_kind IN ('file', 'scrape') AND ({service:String} = '' OR service = {service:String}))
WHERE place > 1 AND source_start > previous + if(source_kind = 'scrape', 1, 0)
ORDER BY agent, service, signal, source_path, missing_from
LIMIT 1000
"""


def _gaps(reader: Reader, window: Window, service: str) -> dict[Key, list[Row]]:
    """Find offsets of a source that were never stored though later ones were."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in reader.rows(_GAPS, {**window.params(), "service": service}):
        key = (row.pop("agent"), row.pop("service"), row.pop("signal"))
        found[key].append(row)
    return found
