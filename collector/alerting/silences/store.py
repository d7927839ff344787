"""Silences in ``state/``; every function works inside a caller's transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from collector.alerting.matching import LabelMatcher
from collector.alerting.silences.schedule import Schedule
from collector.alerting.silences.silence import Silence
from collector.state.tables import silences

# Of those that have not ended: each is tried on each new alert.
LIVING_MOST = 2000
# How long ended ones are shown.
SHOWN = timedelta(days=5)


def living(tx: Connection, now: datetime) -> list[Silence]:
    """Give those that have not ended, oldest first."""
    return _silences(tx, or_(silences.c.ends_at.is_(None), silences.c.ends_at > now))


def shown(tx: Connection, now: datetime) -> list[Silence]:
    """Give those that have not ended, or did within five days."""
    return _silences(tx, or_(silences.c.ends_at.is_(None), silences.c.ends_at > now - SHOWN))


def find(tx: Connection, silence_id: str) -> Silence | None:
    """Give one by its id."""
    found = _silences(tx, silences.c.id == silence_id)
    return found[0] if found else None


def count_living(tx: Connection, now: datetime) -> int:
    """Count those that have not ended."""
    query = select(func.count()).where(or_(silences.c.ends_at.is_(None), silences.c.ends_at > now))
    return int(tx.execute(query).scalar_one())


def write(tx: Connection, silence: Silence) -> None:
    """Write *silence* in place of the one with its id, if any."""
    tx.execute(delete(silences).where(silences.c.id == silence.id))
    tx.execute(insert(silences).values(_row(silence)))


def end(tx: Connection, silence_id: str, now: datetime) -> None:
    """End it now; one that has ended stays as it is."""
    living = or_(silences.c.ends_at.is_(None), silences.c.ends_at > now)
    tx.execute(
        update(silences).where(silences.c.id == silence_id, living).values(ends_at=now, updated_at=now)
    )


def forget(tx: Connection, before: datetime) -> int:
    """Delete those that ended before *before*; give their number."""
    return tx.execute(delete(silences).where(silences.c.ends_at < before)).rowcount


def _silences(tx: Connection, condition: Any) -> list[Silence]:
    query = select(silences).where(condition).order_by(silences.c.created_at, silences.c.id)
    return [_silence(row) for row in tx.execute(query.limit(2 * LIVING_MOST))]


def _silence(row: Row[Any]) -> Silence:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    schedule = fields["schedule"]
    fields["matchers"] = tuple(LabelMatcher(*each) for each in fields["matchers"])
    fields["schedule"] = (
        Schedule(**{**schedule, "weekdays": tuple(schedule["weekdays"])}) if schedule else None
    )
    return Silence(**fields)


def _row(silence: Silence) -> dict[str, Any]:
    schedule = silence.schedule
    return {
        "id": silence.id,
        "matchers": [[each.name, each.operator, each.value] for each in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "schedule": {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
        if schedule
        else None,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "created_at": silence.created_at,
        "updated_at": silence.updated_at,
    }
