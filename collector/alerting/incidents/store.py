"""Incidents in ``state/``; every function works inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from collector.alerting.incidents.incident import LIVING, Entry, Incident
from collector.state.tables import alerts, incident_alerts, incident_entries, incidents

# Of one incident's entries, the newest; and of its alerts.
ENTRIES_MOST = 1000
ALERTS_MOST = 1000

Joining = Sequence[tuple[str, Sequence[Mapping[str, Any]]]]  # alert, evidence


def living(tx: Connection) -> list[Incident]:
    """Give those that are open or acknowledged, oldest first."""
    query = (
        select(incidents).where(incidents.c.state.in_(LIVING)).order_by(incidents.c.opened_at, incidents.c.id)
    )
    return [_incident(row) for row in tx.execute(query)]


def resolved_since(tx: Connection, since: datetime) -> list[Incident]:
    """Give those that were resolved after *since*, the latest last."""
    query = select(incidents).where(incidents.c.state == "resolved", incidents.c.resolved_at >= since)
    return [_incident(row) for row in tx.execute(query.order_by(incidents.c.resolved_at))]


def page(tx: Connection, states: Sequence[str], limit: int) -> list[Incident]:
    """Give the newest in *states*."""
    query = select(incidents).where(incidents.c.state.in_(states)).order_by(incidents.c.opened_at.desc())
    return [_incident(row) for row in tx.execute(query.limit(limit))]


def find(tx: Connection, incident_id: str) -> Incident | None:
    """Give one by its id."""
    row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    return _incident(row) if row is not None else None


def merged_keys(tx: Connection, living_ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """Give the roots of incidents that were merged into one of *living_ids* -> that one."""
    query = select(incidents.c.service, incidents.c.env, incidents.c.merged_into).where(
        incidents.c.state == "merged", incidents.c.merged_into.in_(living_ids[:2000])
    )
    return {(row.service, row.env): row.merged_into for row in tx.execute(query)}


def of_firing(tx: Connection) -> dict[str, str]:
    """Give alert -> incident of every firing alert that belongs to one that was not merged away; the newest of several."""
    query = (
        select(incident_alerts.c.alert_id, incident_alerts.c.incident_id)
        .join(alerts, alerts.c.id == incident_alerts.c.alert_id)
        .join(incidents, incidents.c.id == incident_alerts.c.incident_id)
        .where(alerts.c.state == "firing", incidents.c.state != "merged")
        .order_by(incidents.c.opened_at)
    )
    return {row.alert_id: row.incident_id for row in tx.execute(query)}


def of_alerts(tx: Connection, alert_ids: Sequence[str]) -> dict[str, list[str]]:
    """Give alert -> living incidents that it belongs to."""
    found: dict[str, list[str]] = {}
    for start in range(0, len(alert_ids), 2000):
        query = (
            select(incident_alerts.c.alert_id, incident_alerts.c.incident_id)
            .join(incidents, incidents.c.id == incident_alerts.c.incident_id)
            .where(incidents.c.state.in_(LIVING))
            .where(incident_alerts.c.alert_id.in_(alert_ids[start : start + 2000]))
        )
        for row in tx.execute(query):
            found.setdefault(row.alert_id, []).append(row.incident_id)
    return found


def members(
    tx: Connection, incident_id: str, limit: int | None = None
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Give (alert, evidence) in the order they joined, at most *limit*."""
    query = (
        select(incident_alerts.c.alert_id, incident_alerts.c.evidence)
        .where(incident_alerts.c.incident_id == incident_id)
        .order_by(incident_alerts.c.added_at, incident_alerts.c.alert_id)
        .limit(limit)
    )
    return [(row.alert_id, row.evidence) for row in tx.execute(query)]


def counts(tx: Connection, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Give incident -> (alerts that fire, alerts)."""
    query = (
        select(
            incident_alerts.c.incident_id,
            func.count(alerts.c.id).filter(alerts.c.state == "firing"),
            func.count(),
        )
        .outerjoin(alerts, alerts.c.id == incident_alerts.c.alert_id)
        .where(incident_alerts.c.incident_id.in_(ids))
        .group_by(incident_alerts.c.incident_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in tx.execute(query)}


def entries(tx: Connection, incident_id: str) -> list[Entry]:
    """Give the newest entries, oldest first."""
    query = (
        select(incident_entries)
        .where(incident_entries.c.incident_id == incident_id)
        .order_by(incident_entries.c.number.desc())
        .limit(ENTRIES_MOST)
    )
    rows = tx.execute(query).all()
    return [Entry(row.at, row.kind, row.text, row.author) for row in reversed(rows)]


def create(
    tx: Connection,
    new: Sequence[Incident],
    joined: Mapping[str, Joining],
    happened: Mapping[str, Sequence[Entry]],
) -> None:
    """Write *new* incidents with their alerts and entries, in three statements however many they are."""
    if not new:
        return
    tx.execute(insert(incidents), [dict(vars(incident)) for incident in new])
    rows = [
        _alert_row(incident.id, one, evidence, incident.opened_at)
        for incident in new
        for one, evidence in dict(joined.get(incident.id, ())).items()
    ]
    if rows:
        tx.execute(insert(incident_alerts), rows)
    entries_ = [
        _entry_row(incident.id, number, entry)
        for incident in new
        for number, entry in enumerate(happened.get(incident.id, ()), start=1)
    ]
    if entries_:
        tx.execute(insert(incident_entries), entries_)


def change(tx: Connection, incident: Incident) -> None:
    """Write *incident* in its place."""
    tx.execute(update(incidents).where(incidents.c.id == incident.id).values(dict(vars(incident))))


def join(tx: Connection, incident_id: str, joining: Joining, now: datetime) -> None:
    """Let alerts (with the evidence why) belong to an incident; those that do already stay as they are."""
    wanted = dict(joining)
    known: set[str] = set()
    ids = list(wanted)
    for start in range(0, len(ids), 2000):
        mine = (
            incident_alerts.c.incident_id == incident_id,
            incident_alerts.c.alert_id.in_(ids[start : start + 2000]),
        )
        known.update(tx.execute(select(incident_alerts.c.alert_id).where(*mine)).scalars())
    rows = [_alert_row(incident_id, one, why, now) for one, why in wanted.items() if one not in known]
    if rows:
        tx.execute(insert(incident_alerts), rows)


def note(tx: Connection, incident_id: str, happened: Sequence[Entry]) -> int:
    """Write entries; give the number of the last."""
    query = select(func.coalesce(func.max(incident_entries.c.number), 0))
    last = int(tx.execute(query.where(incident_entries.c.incident_id == incident_id)).scalar_one())
    rows = [_entry_row(incident_id, number, entry) for number, entry in enumerate(happened, start=last + 1)]
    if rows:
        tx.execute(insert(incident_entries), rows)
    return last + len(rows)


def forget(tx: Connection, before: datetime) -> int:
    """Delete incidents that ended before *before*; give their number."""
    over = (incidents.c.state.in_(("resolved", "merged")), incidents.c.updated_at < before)
    return tx.execute(delete(incidents).where(*over)).rowcount


def _alert_row(
    incident_id: str, alert_id: str, evidence: Sequence[Mapping[str, Any]], at: datetime
) -> dict[str, Any]:
    return {"incident_id": incident_id, "alert_id": alert_id, "added_at": at, "evidence": list(evidence)}


def _entry_row(incident_id: str, number: int, entry: Entry) -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "number": number,
        "at": entry.at,
        "kind": entry.kind,
        "author": entry.author,
        "text": entry.text,
    }


def _incident(row: Row[Any]) -> Incident:
    return Incident(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
