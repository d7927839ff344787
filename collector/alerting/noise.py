"""
The noise report: which rules fired most without anybody taking it, from the history of alerts. Inside a caller's transaction.

An alert counts as acknowledged when an incident it belongs to was. One that ended within five minutes counts as short:
many short ones say that the rule's ``for`` is too short, many unacknowledged long ones that nobody needs the rule.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Row, case, func, select, type_coerce

from collector.alerting.timestamps import rfc3339
from collector.state.tables import alerts, incident_alerts, incidents

SHORT = timedelta(minutes=5)
# Below this share a word of advice would be about chance.
MANY, FEW = 0.5, 3


def noisiest(tx: Connection, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
    """
    Give rules by how often they fired without acknowledgement.

    Args:
        tx: A read transaction.
        since: Alerts that fired from then on …
        until: … and before then.
        limit: Most rules.
    """
    taken = select(incident_alerts.c.alert_id).join(incidents).where(incidents.c.acknowledged_at.is_not(None))
    acknowledged = func.sum(case((alerts.c.id.in_(taken), 1), else_=0))
    lasted_us = type_coerce(alerts.c.resolved_at, Integer) - type_coerce(alerts.c.fired_at, Integer)
    short = func.sum(case((lasted_us < SHORT // timedelta(microseconds=1), 1), else_=0))
    fired = func.count()
    query = (
        select(
            alerts.c.rule_id,
            func.max(alerts.c.rule).label("rule"),
            fired.label("fired"),
            acknowledged.label("acknowledged"),
            short.label("short"),
            func.sum(case((alerts.c.state == "firing", 1), else_=0)).label("firing"),
            func.count(alerts.c.fingerprint.distinct()).label("subjects"),
            func.avg(lasted_us).label("lasted_us"),
            func.max(alerts.c.fired_at).label("last_fired_at"),
        )
        .where(alerts.c.fired_at >= since, alerts.c.fired_at < until)
        .group_by(alerts.c.rule_id)
        .order_by((fired - acknowledged).desc(), fired.desc(), alerts.c.rule_id)
        .limit(limit)
    )
    return [_noise(row) for row in tx.execute(query)]


def _noise(row: Row[Any]) -> dict[str, Any]:
    unacknowledged = int(row.fired) - int(row.acknowledged)
    return {
        "rule": row.rule,
        "rule_id": row.rule_id,
        "fired": int(row.fired),
        "acknowledged": int(row.acknowledged),
        "unacknowledged": unacknowledged,
        "short": int(row.short),
        "firing": int(row.firing),
        "subjects": int(row.subjects),
        "mean_duration_s": None if row.lasted_us is None else round(float(row.lasted_us) / 1e6, 3),
        "last_fired_at": rfc3339(row.last_fired_at),
        "advice": _advice(int(row.fired), unacknowledged, int(row.short)),
    }


def _advice(fired: int, unacknowledged: int, short: int) -> str:
    if fired < FEW or unacknowledged / fired < MANY:
        return ""
    if short / fired >= MANY:
        return f"{short} of {fired} ended within 5 minutes: give it a longer `for`"
    return f"nobody took {unacknowledged} of {fired}: lower its severity, route it to a channel nobody sleeps beside, or delete it"
