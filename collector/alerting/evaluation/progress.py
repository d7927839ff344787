"""When each group was evaluated last, and which of its rules could not be; inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from collector.state.tables import rule_groups

# More groups than anybody has; a bound.
_GROUPS = 100_000


@dataclass(frozen=True)
class Evaluated:
    """
    The last evaluation of a group.

    Attributes:
        slot: The time it was evaluated for.
        at: When that was done.
        took_s: How long it took.
        problems: Why rules could not be evaluated, by their ids.
    """

    slot: datetime
    at: datetime
    took_s: float
    problems: Mapping[str, str]


def last(tx: Connection) -> dict[str, Evaluated]:
    """Give the last evaluation of every group by its id."""
    rows = tx.execute(select(rule_groups).limit(_GROUPS))
    return {row.id: Evaluated(row.slot_at, row.evaluated_at, row.took_s, row.problems) for row in rows}


def advance(tx: Connection, done: Mapping[str, Evaluated]) -> None:
    """Remember *done*."""
    if not done:
        return
    tx.execute(delete(rule_groups).where(rule_groups.c.id.in_(list(done))))
    rows = [
        {
            "id": group,
            "slot_at": one.slot,
            "evaluated_at": one.at,
            "took_s": one.took_s,
            "problems": dict(one.problems),
        }
        for group, one in done.items()
    ]
    tx.execute(insert(rule_groups), rows)


def forget(tx: Connection, known: Sequence[str]) -> None:
    """Forget groups that are no more."""
    gone = set(tx.execute(select(rule_groups.c.id).limit(_GROUPS)).scalars()) - set(known)
    if gone:
        tx.execute(delete(rule_groups).where(rule_groups.c.id.in_(sorted(gone))))
