"""Alert episodes and announced breakers in ``state/``; every function works inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, delete, insert, or_, select, update

from collector.alerting.announce import Announcement
from collector.alerting.evaluate import Alert, Change, Subject
from collector.state.tables import alerts, open_breakers

# Far above what people can look at; a bound so that no answer grows without end.
MAX_LIVING = 100_000


def living(tx: Connection) -> list[Alert]:
    """Give every pending and firing alert."""
    query = select(alerts).where(alerts.c.state.in_(("pending", "firing"))).order_by(alerts.c.id)
    return _alerts(tx, query.limit(MAX_LIVING))


def newest(tx: Connection, resolved_after: datetime, limit: int) -> list[Alert]:
    """Give living alerts and those resolved after *resolved_after*: firing, pending, resolved; newest first."""
    query = select(alerts).where(
        or_(
            alerts.c.state.in_(("pending", "firing")),
            and_(alerts.c.state == "resolved", alerts.c.resolved_at > resolved_after),
        )
    )
    # firing < pending < resolved is also the order of the alphabet.
    return _alerts(
        tx, query.order_by(alerts.c.state, alerts.c.pending_since.desc(), alerts.c.id).limit(limit)
    )


def apply(tx: Connection, changes: Sequence[Change]) -> None:
    """Write *changes*: the first of an episode makes its row, ``dropped`` deletes it."""
    new = [asdict(change.alert) for change in changes if change.first]
    if new:
        tx.execute(insert(alerts), new)
    for change in changes:
        mine = alerts.c.id == change.alert.id
        if change.kind == "dropped":
            tx.execute(delete(alerts).where(mine))
        elif not change.first:
            tx.execute(update(alerts).where(mine).values(asdict(change.alert)))


def announced(tx: Connection) -> dict[Subject, datetime]:
    """Give the breakers said to be open, with the time they opened."""
    rows = tx.execute(select(open_breakers).limit(MAX_LIVING))
    return {(row.service, row.env, row.breaker): row.since for row in rows}


def remember(tx: Connection, announcements: Sequence[Announcement]) -> None:
    """Write what was announced."""
    table = open_breakers.c
    for announcement in announcements:
        service, env, breaker = announcement.reading.subject
        key = {"service": service, "env": env, "breaker": breaker}
        if announcement.kind == "opened":
            tx.execute(insert(open_breakers).values(**key, since=announcement.since))
        else:
            mine = (table.service == service, table.env == env, table.breaker == breaker)
            tx.execute(delete(open_breakers).where(*mine))


def forget_resolved(tx: Connection, before: datetime) -> int:
    """Delete alerts resolved before *before*; give their number."""
    return tx.execute(
        delete(alerts).where(alerts.c.state == "resolved", alerts.c.resolved_at < before)
    ).rowcount


def _alerts(tx: Connection, query: Select[tuple[object, ...]]) -> list[Alert]:
    return [_alert(row) for row in _rows(tx, query)]


def _rows(tx: Connection, query: Select[tuple[object, ...]]) -> Sequence[Row[tuple[object, ...]]]:
    return tx.execute(query).all()


def _alert(row: Row[tuple[object, ...]]) -> Alert:
    return Alert(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
