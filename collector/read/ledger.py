"""
The ledger: emitted = stored + rejected + dropped(reason) + in flight, per agent, service and signal.

The agent's side are its reports (reports.py), the collector's side is `batches`. The blocks emitted in a range are a *cohort*: those
whose spool sequence lies above what the last report before the start had counted, up to what the last one before the end had. So a
block belongs to exactly one of two adjoining ranges, however late it is stored, and what is stored can be counted block by block.
Rejected and dropped blocks have no row; they are what the counters grew by between the two reports:

- More than the cohort lacks: the rest had been emitted before the range; it is shown as ``lost_from_before`` and not counted here.
- Fewer: the cohort's own may have been given up after the range. Once the agent says that nothing of the stream waits any more,
  what the counters grew by since is taken; until then the rest is in flight.

A batch that the collector set aside (quarantined) counts as rejected and is shown by itself, too. Agents of an earlier version name no
sequences: their blocks are those received between the arrivals of the two reports. What came without an agent (an SDK, curl), or from one
that does not report, has no counters: what arrived is all that is known of it. Blocks and bytes are exact; rows are as ClickHouse counted them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.query.window import Window, sql_time
from collector.read.offsets import Findings, findings
from collector.read.reports import Bounds, bounds, chunks, near
from collector.read.sql import Reader, Row

Key = tuple[str, str, str]  # agent, service, signal
_REJECTED = ""  # the reason under which rejected blocks stand among the dropped ones while they are added up


@dataclass(slots=True)
class Amount:
    """Blocks, bytes and lines that were given up for one reason."""

    blocks: int = 0
    bytes: int = 0
    lines: int = 0


Losses = defaultdict[str, Amount]


@dataclass(slots=True)
class Entry:
    """One line of the ledger while it is being added up; blocks unless named otherwise."""

    reported: bool = False
    emitted: int = 0
    emitted_bytes: int = 0
    duplicates: int = 0
    waiting: int = 0
    lost: Losses = field(default_factory=lambda: defaultdict(Amount))
    lost_later: Losses = field(default_factory=lambda: defaultdict(Amount))
    stored: int = 0
    stored_bytes: int = 0
    stored_rows: int = 0
    quarantined: int = 0
    quarantined_bytes: int = 0

    def count(self, counter: Mapping[str, Any], sign: int) -> None:
        """Add (or, for the report before the range, take away) one counter of a report."""
        self.emitted += sign * counter.get("read_blocks", 0)
        self.emitted_bytes += sign * counter.get("read_bytes", 0)
        self.duplicates += sign * counter.get("duplicate_blocks", 0)
        _count_losses(self.lost, counter, sign)

    def count_since(self, counter: Mapping[str, Any], sign: int) -> None:
        """Add (or take away) what a counter says of the time after the range."""
        _count_losses(self.lost_later, counter, sign)
        if sign > 0:
            self.waiting += counter.get("spooled_blocks", 0)

    def row(self, key: Key, found: Findings) -> Row:
        """Give the API's shape."""
        agent, service, signal = key
        if not self.reported:  # nobody counted what was emitted: what arrived was
            self.emitted = self.stored + self.quarantined
            self.emitted_bytes = self.stored_bytes + self.quarantined_bytes
        before, in_flight, in_flight_bytes = self._settle()
        rejected = self.lost.pop(_REJECTED, Amount())
        dropped = sorted(self.lost.items())
        return {
            "agent": agent,
            "service": service,
            "signal": signal,
            "reported": self.reported,
            "emitted": self.emitted,
            "stored": self.stored,
            "rejected": rejected.blocks + self.quarantined,
            "dropped": {reason: amount.blocks for reason, amount in dropped if amount.blocks},
            "in_flight": in_flight,
            "duplicates_refused": self.duplicates,
            "gaps": found.gaps.get(key, []),
            "overlaps": found.overlaps.get(key, []),
            "quarantined": self.quarantined,
            "lost_from_before": before,
            "emitted_bytes": self.emitted_bytes,
            "stored_bytes": self.stored_bytes,
            "rejected_bytes": rejected.bytes + self.quarantined_bytes,
            "dropped_bytes": {reason: amount.bytes for reason, amount in dropped if amount.bytes},
            "dropped_lines": {reason: amount.lines for reason, amount in dropped if amount.lines},
            "in_flight_bytes": in_flight_bytes,
            "stored_rows": self.stored_rows,
        }

    def _settle(self) -> tuple[int, int, int]:
        """Make losses and what the cohort lacks agree; returns (blocks lost from before, blocks and bytes in flight)."""
        lacking = max(self.emitted - self.stored - self.quarantined, 0)
        lacking_bytes = max(self.emitted_bytes - self.stored_bytes - self.quarantined_bytes, 0)
        before = _take_away(self.lost, "blocks", _total(self.lost, "blocks") - lacking)
        _take_away(self.lost, "bytes", _total(self.lost, "bytes") - lacking_bytes)
        if not self.waiting:
            self._add_later(lacking - _total(self.lost, "blocks"))
        in_flight = lacking - _total(self.lost, "blocks")
        return before, in_flight, lacking_bytes - _total(self.lost, "bytes")

    def _add_later(self, blocks: int) -> None:
        """Take *blocks* of what was given up after the range, with their share of its bytes."""
        for reason, later in self.lost_later.items():
            taken = max(min(later.blocks, blocks), 0)
            blocks -= taken
            if taken:
                self.lost[reason].blocks += taken
                self.lost[reason].bytes += later.bytes * taken // later.blocks


def _count_losses(losses: Losses, counter: Mapping[str, Any], sign: int) -> None:
    losses[_REJECTED].blocks += sign * counter.get("rejected_blocks", 0)
    losses[_REJECTED].bytes += sign * counter.get("rejected_bytes", 0)
    for reason, told in counter.get("dropped", {}).items():
        losses[reason].blocks += sign * told.get("blocks", 0)
        losses[reason].bytes += sign * told.get("bytes", 0)
        losses[reason].lines += sign * told.get("lines", 0)


def _total(losses: Losses, unit: str) -> int:
    return sum(getattr(amount, unit) for amount in losses.values())


def _take_away(losses: Losses, unit: str, excess: int) -> int:
    """Lower *losses* by *excess*, rejected ones first: those are given up long after they were read. Returns what was taken."""
    taken = 0
    for _, amount in sorted(losses.items()):
        share = min(getattr(amount, unit), max(excess - taken, 0))
        setattr(amount, unit, getattr(amount, unit) - share)
        taken += share
    return taken


_COHORT = """
    SELECT b.agent AS agent, b.service AS service, b.signal AS signal, b.batch_id AS batch_id, b.bytes AS bytes, b.quarantined AS quarantined
    FROM batches AS b
    INNER JOIN (SELECT tupleElement(bound, 1) AS agent, tupleElement(bound, 2) AS low, tupleElement(bound, 3) AS high,
                       fromUnixTimestamp64Nano(tupleElement(bound, 4), 'UTC') AS since, fromUnixTimestamp64Nano(tupleElement(bound, 5), 'UTC') AS until
                FROM (SELECT arrayJoin(arrayZip({agents:Array(String)}, {lows:Array(UInt64)}, {highs:Array(UInt64)},
                                                {sinces:Array(Int64)}, {untils:Array(Int64)})) AS bound)
               ) AS c ON c.agent = b.agent
    WHERE b.agent IN {agents:Array(String)} AND b.signal != 'reports' AND b.received_at >= {floor:DateTime64(9, 'UTC')}
      AND ({service:String} = '' OR b.service = {service:String})
      AND if(b.sequence > 0, b.sequence > c.low AND b.sequence <= c.high, b.received_at >= c.since AND b.received_at < c.until)
"""
_UNREPORTED = """
    SELECT b.agent AS agent, b.service AS service, b.signal AS signal, b.batch_id AS batch_id, b.bytes AS bytes, b.quarantined AS quarantined
    FROM batches AS b
    WHERE b.received_at >= {floor:DateTime64(9, 'UTC')} AND b.received_at < {end:DateTime64(9, 'UTC')} AND b.signal != 'reports'
      AND ({service:String} = '' OR b.service = {service:String})
      AND b.agent NOT IN (SELECT agent FROM agent_reports AS r WHERE r.at >= {near:DateTime64(9, 'UTC')})
"""
_STORED = """
SELECT agent, service, signal, countIf(NOT quarantined) AS stored, sumIf(c.bytes, NOT quarantined) AS stored_bytes,
       countIf(quarantined) AS quarantined_blocks, sumIf(c.bytes, quarantined) AS quarantined_bytes
FROM ({blocks}) AS c
GROUP BY agent, service, signal
LIMIT 10000
"""
# A batch's id begins with the time it was received at, and batch_rows is sorted by it.
_ROWS = """
SELECT agent, service, signal, sum(w.rows) AS stored_rows
FROM batch_rows AS w
INNER JOIN ({blocks}) AS c ON c.batch_id = w.batch_id
WHERE w.batch_id >= {{floor_id:String}} AND w.day >= {{floor_day:Date}}
GROUP BY agent, service, signal
LIMIT 10000
"""


def ledger(reader: Reader, window: Window, service: str = "") -> list[Row]:
    """Return ``{agent, service, signal, emitted, stored, rejected, dropped, in_flight, …}`` per agent, service and signal."""
    entries: dict[Key, Entry] = defaultdict(Entry)
    known = bounds(reader, window)
    for bound in known:
        _count(entries, bound)
    for blocks, params in _blocks(known, window, service):
        stored = reader.rows(_STORED.format(blocks=blocks), params)
        for row in stored:
            entry = entries[row["agent"], row["service"], row["signal"]]
            entry.stored, entry.stored_bytes = row["stored"], row["stored_bytes"]
            entry.quarantined, entry.quarantined_bytes = row["quarantined_blocks"], row["quarantined_bytes"]
        for row in reader.rows(_ROWS.format(blocks=blocks), params) if stored else ():
            entries[row["agent"], row["service"], row["signal"]].stored_rows = row["stored_rows"]
    found = findings(reader, window, known)
    keys = {*entries, *found.gaps, *found.overlaps}
    return [entries[key].row(key, found) for key in sorted(keys) if not service or key[1] == service]


def _count(entries: dict[Key, Entry], bound: Bounds) -> None:
    def entry(counter: Mapping[str, Any]) -> Entry:
        found = entries[bound.agent, counter.get("service", ""), counter.get("signal", "")]
        found.reported = True
        return found

    for counter in bound.last.counters:
        entry(counter).count(counter, 1)
        entry(counter).count_since(counter, -1)
    for counter in bound.first.counters if bound.first else ():
        entry(counter).count(counter, -1)
    for counter in bound.newest.counters:
        entry(counter).count_since(counter, 1)


def _blocks(known: Iterable[Bounds], window: Window, service: str) -> Iterable[tuple[str, dict[str, object]]]:
    """Give the statements that choose blocks, with their parameters: those nobody counted, then cohorts, a few agents at a time."""
    shared = {"service": service, "near": near(window)}
    yield _UNREPORTED, {**window.params(), **shared, **_floor(window.start_ns)}
    for some in chunks(known):
        yield (
            _COHORT,
            {
                **shared,
                **_floor(min(bound.floor_ns for bound in some)),
                "agents": [bound.agent for bound in some],
                "lows": [bound.low for bound in some],
                "highs": [bound.last.counted_through for bound in some],
                "sinces": [bound.first.observed_ns if bound.first else 0 for bound in some],
                "untils": [bound.last.observed_ns for bound in some],
            },
        )


def _floor(at_ns: int) -> dict[str, object]:
    """Give the parameters that say from when on blocks are looked for."""
    at = sql_time(at_ns)
    return {"floor": at, "floor_day": at[:10], "floor_id": f"{at_ns // 1_000_000:011x}"}
