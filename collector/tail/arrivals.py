"""
What was stored, in the order it was stored in.

A record's own time and the time it was received say nothing about when it can be found: agents catch up, journals wait for an engine.
The ledger's row of a batch is written after every table holds the batch, so a new `stored_at` there means that its records are complete.
Two segments may become visible in another order than their `stored_at` says, by as long as one small INSERT takes: whoever follows
looks back a little and remembers what it has seen (``position.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, parse_time, sql_time
from collector.read.sql import Reader

# The longest outage that is promised is seven days; batches that waited longer are found by a search, not by the tail.
_WAITED_NS = 8 * 86_400 * SECOND_NS
MOST = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    One segment's logs, complete.

    Attributes:
        stored_ns: When, epoch nanoseconds of its collector: also its identity.
        first_ns: When its first batch was received.
        last_ns: When its last batch was received.
    """

    stored_ns: int
    first_ns: int
    last_ns: int


_ARRIVALS = """
SELECT stored_at, min(received_at) AS first, max(received_at) AS last
FROM batches
WHERE signal = 'logs' AND stored_at > {since:DateTime64(9, 'UTC')} AND received_at > {oldest:DateTime64(9, 'UTC')}
GROUP BY stored_at
ORDER BY stored_at
LIMIT {most:UInt32}
"""


def arrivals(reader: Reader, since_ns: int, seen: Collection[int] = ()) -> list[Arrival]:
    """Return what was stored after *since_ns* and is not among *seen*, oldest first, `MOST` at most."""
    params = {
        "since": sql_time(since_ns),
        "oldest": sql_time(max(0, since_ns - _WAITED_NS)),
        "most": MOST + len(seen),
    }
    found = [
        Arrival(_ns(row["stored_at"]), _ns(row["first"]), _ns(row["last"]))
        for row in reader.rows(_ARRIVALS, params)
    ]
    return [arrival for arrival in found if arrival.stored_ns not in seen][:MOST]


def spans(found: Sequence[Arrival]) -> list[tuple[int, int]]:
    """Return the stretches of received time that *found* lie in, those that touch as one, in order."""
    merged: list[tuple[int, int]] = []
    for arrival in sorted(found, key=lambda one: one.first_ns):
        if merged and arrival.first_ns <= merged[-1][1] + SECOND_NS:
            merged[-1] = (merged[-1][0], max(merged[-1][1], arrival.last_ns))
        else:
            merged.append((arrival.first_ns, arrival.last_ns))
    return merged


def _ns(text: str) -> int:
    return parse_time(text, "stored_at", 0)
