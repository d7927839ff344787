"""
Records -> server-sent events.

Every record is an event of its own (``data:`` is the object of ``/logs``) whose ``id:`` resumes behind it. A block with an id and no data
moves that id on without an event: browsers and the standard say so.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from collector.query.window import parse_time
from collector.read.sql import Row
from collector.tail.arrivals import Arrival
from collector.tail.position import SETTLED_NS, Position, mark, written

RETRY_MS = 2000
# A comment; with the id moved on behind it, a sign of life.
ALIVE = b": alive\n\n"


@dataclass(frozen=True, slots=True)
class Frames:
    """Bytes to send, and how many records they tell."""

    data: bytes
    records: int


def told(
    rows: Sequence[Row],
    found: Sequence[Arrival],
    seen: Iterable[int],
    floor_ns: int,
    resumed: Position | None = None,
) -> Frames:
    """
    Write *rows* as events.

    Args:
        rows: Of one search, in order of arrival; ``stored_at`` is taken out of them.
        found: The arrivals they are of, in order.
        seen: `stored_ns` of what was seen before.
        floor_ns: Of the ids.
        resumed: Where a viewer that catches up is: of the arrival it was told a part of, which stands first, that part is left out; and
            the floor follows the arrivals, or ids would grow with what was missed.
    """
    by_arrival: dict[int, list[Row]] = {}
    for row in rows:
        by_arrival.setdefault(parse_time(row.pop("stored_at"), "stored_at", 0), []).append(row)
    parts, known, count = [], list(seen), 0
    for arrival in found:
        mine = by_arrival.get(arrival.stored_ns, [])
        skip = 0
        if resumed is not None and mark(arrival.stored_ns) == resumed.current:
            skip = resumed.told
        elif resumed is not None:
            floor_ns = max(floor_ns, arrival.stored_ns - SETTLED_NS)
        if len(mine) > skip:
            prefix = b"id: " + written(floor_ns, known, arrival.stored_ns).encode() + b"."
            parts += [
                b"%b%d\ndata: %b\n\n" % (prefix, number, msgspec.json.encode(row))
                for number, row in enumerate(mine[skip:], skip + 1)
            ]
            count += len(mine) - skip
        known.append(arrival.stored_ns)
    return Frames(b"".join(parts), count)


def position(seen: Iterable[int], floor_ns: int) -> bytes:
    """Write the id of everything seen so far, without an event."""
    return b"id: " + written(floor_ns, seen).encode() + b".0\n\n"


def opening() -> bytes:
    """Write what a stream begins with: how soon to come back."""
    return b"retry: %d\n\n" % RETRY_MS


def event(name: str, content: object) -> bytes:
    """Write an event that is no record."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(content))
