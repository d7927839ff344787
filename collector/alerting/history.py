"""Alert episodes and announced breakers in ``state/``; every function works inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, insert, or_, select, update

from collector.alerting.announce import Announcement
from collector.alerting.evaluate import Alert, Change, Subject
from collector.state.tables import alerts, open_breakers

# Far above what people can look at; a bound so that no answer grows without end.
MAX_LIVING = 100_000


LIVING = ("pending", "firing")
# Rules per statement: SQLite takes 32,766 values.
_AT_ONCE = 1000


def living(tx: Connection, rules: Sequence[str] | None = None) -> list[Alert]:
    """Give every pending and firing alert; of the rules with these ids alone where *rules* are given."""
    query = select(alerts).where(alerts.c.state.in_(LIVING)).order_by(alerts.c.id).limit(MAX_LIVING)
    if rules is None:
        return _alerts(tx, query)
    parts = (rules[start : start + _AT_ONCE] for start in range(0, len(rules), _AT_ONCE))
    return [alert for part in parts for alert in _alerts(tx, query.where(alerts.c.rule_id.in_(part)))]


def states(tx: Connection) -> dict[str, dict[str, int]]:
    """Count the living alerts of each rule by state."""
    query = select(alerts.c.rule_id, alerts.c.state, func.count()).where(alerts.c.state.in_(LIVING))
    counted: dict[str, dict[str, int]] = {}
    for rule, state, count in tx.execute(query.group_by(alerts.c.rule_id, alerts.c.state)):
        counted.setdefault(rule, {})[state] = int(count)
    return counted


def note(tx: Connection, noted: Sequence[Alert]) -> None:
    """Write what alerts remember beside their state."""
    if not noted:
        return
    rows = [{"mine": one.id, "missing": one.missing_since, "kept": one.kept_since} for one in noted]
    mine = update(alerts).where(alerts.c.id == bindparam("mine"))
    tx.execute(mine.values(missing_since=bindparam("missing"), kept_since=bindparam("kept")), rows)


def by_ids(tx: Connection, ids: Sequence[str]) -> list[Alert]:
    """Give those of the alerts *ids* that are still known, whatever their state."""
    found: list[Alert] = []
    for start in range(0, len(ids), 2000):
        found += _alerts(tx, select(alerts).where(alerts.c.id.in_(ids[start : start + 2000])))
    return found


@dataclass(frozen=True, slots=True)
class AlertsWanted:
    """
    Which alerts.

    Attributes:
        state: pending, firing or resolved; "" = living ones, and those lately resolved.
        since: Resolved ones: since then; ``None`` = lately.
        until: Resolved ones: before then.
        limit: Most.
        rule_id: Of this rule; "" = of any.
    """

    state: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 500
    rule_id: str = ""


def wanted(tx: Connection, asked: AlertsWanted, lately: datetime) -> list[Alert]:
    """Give what is *asked* for: firing, pending, resolved; newest first. Resolved since *lately* where nothing else is said."""
    known = select(alerts).where(alerts.c.rule_id == asked.rule_id) if asked.rule_id else select(alerts)
    resolved = [alerts.c.state == "resolved", alerts.c.resolved_at >= (asked.since or lately)]
    if asked.until is not None:
        resolved.append(alerts.c.resolved_at < asked.until)
    if asked.state == "resolved":
        query = known.where(*resolved).order_by(alerts.c.resolved_at.desc(), alerts.c.id)
        return _alerts(tx, query.limit(asked.limit))
    living = alerts.c.state.in_(LIVING) if not asked.state else alerts.c.state == asked.state
    query = known.where(living if asked.state else or_(living, and_(*resolved)))
    # firing < pending < resolved is also the order of the alphabet.
    order = (alerts.c.state, alerts.c.pending_since.desc(), alerts.c.id)
    return _alerts(tx, query.order_by(*order).limit(asked.limit))


def apply(tx: Connection, changes: Sequence[Change]) -> None:
    """Write *changes*: the first of an episode makes its row, ``dropped`` deletes it."""
    new = [_row(change.alert) for change in changes if change.first]
    if new:
        tx.execute(insert(alerts), new)
    ended = [{"mine": change.alert.id} for change in changes if change.kind == "dropped"]
    if ended:
        tx.execute(delete(alerts).where(alerts.c.id == bindparam("mine")), ended)
    changed = [
        _row(change.alert) | {"mine": change.alert.id}
        for change in changes
        if not change.first and change.kind != "dropped"
    ]
    if changed:
        tx.execute(update(alerts).where(alerts.c.id == bindparam("mine")), changed)


def _row(alert: Alert) -> dict[str, object]:
    """Give the columns of *alert*; `dataclasses.asdict` would copy every label."""
    return {each.name: getattr(alert, each.name) for each in fields(alert)}


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
