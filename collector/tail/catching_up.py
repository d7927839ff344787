"""What a viewer that comes back has missed: everything between its position and the hub's last tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from collector.errors import QueryError
from collector.tail import frames
from collector.tail.arrivals import MOST
from collector.tail.asking import Asking
from collector.tail.position import Position, mark
from collector.tail.records import Wanted

# What is told at once; the rest is counted.
_RECORDS = 5000
# Times `MOST` segments: some five hours of a collector that seals one a second.
_LOOKS = 40


@dataclass(frozen=True, slots=True)
class Missed:
    """Events to begin with, the records in them, and how many were left out."""

    data: bytes
    records: int
    left_out: int


async def missed(asking: Asking, wanted: Wanted, resumed: Position, had: Callable[[int], bool]) -> Missed:
    """
    Return what was stored after *resumed*.

    Args:
        asking: ClickHouse.
        wanted: The viewer's search.
        resumed: Where it is.
        had: Says of an arrival, by its `stored_ns`, that the hub has told it already: it will not come again by itself.

    Raises:
        QueryError: 400 ``bad_cursor``: more was stored than can be gone through; no gap is left silently.
    """
    since_ns, seen, told, left_out, parts = resumed.floor_ns, list[int](), 0, 0, list[bytes]()
    for _ in range(_LOOKS):
        found = await asking.arrivals(since_ns)
        seen += [one.stored_ns for one in found if resumed.has(one.stored_ns)]
        unseen = [one for one in found if not resumed.has(one.stored_ns) and had(one.stored_ns)]
        # what was broken off comes first: an id knows of one
        unseen.sort(key=lambda one: mark(one.stored_ns) != resumed.current)
        if unseen and told < _RECORDS:
            answer = (await asking.answers(unseen, [wanted], _RECORDS - told))[0]
            if answer.error is not None:
                raise answer.error
            made = frames.told(answer.rows, unseen, seen, resumed.floor_ns, resumed)
            parts.append(made.data)
            told, left_out = told + made.records, left_out + answer.left_out
        elif unseen:
            left_out += await asking.count(unseen, wanted)
        seen += [one.stored_ns for one in unseen]
        if len(found) < MOST:
            return Missed(b"".join(parts), told, left_out)
        since_ns = found[-1].stored_ns
    raise QueryError(
        "bad_cursor",
        "more was stored since then than a live tail catches up with; begin without it, and search for the rest",
        "cursor",
    )
