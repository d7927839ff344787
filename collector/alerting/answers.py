"""What ``/api/v1/alerts``, ``/rules`` and ``/deliveries`` answer: plain dicts in the API's shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from collector.alerting import history
from collector.alerting.evaluate import Alert, sentence
from collector.alerting.events import alert_url
from collector.alerting.outbox import PENDING
from collector.alerting.rules import Rule
from collector.alerting.timestamps import rfc3339
from collector.state.tables import outbox

# An alert that resolved while the engineer was reading stays on the page for a day.
RESOLVED_SHOWN = timedelta(days=1)


def alerts(tx: Connection, now: datetime, public_url: str, limit: int) -> list[dict[str, Any]]:
    """Give firing, pending and lately resolved alerts; *value* of a living one is as of *now*, in seconds."""
    found = history.newest(tx, now - RESOLVED_SHOWN, limit)
    return [_alert(alert, now, public_url) for alert in found]


def rules(tx: Connection, known: Sequence[Rule]) -> list[dict[str, Any]]:
    """Give every rule with the worst state any of its alerts is in."""
    states = history.states(tx)
    return [
        {
            "name": rule.name,
            "kind": rule.kind,
            "expr": rule.expr,
            "for_s": rule.for_s,
            "severity": rule.severity,
            "state": _worst(states.get(rule.id, ())),
            "group": rule.group,
            "id": rule.id,
            "labels": dict(rule.labels),
            "annotations": dict(rule.annotations),
        }
        for rule in known
    ]


def pending_by_receiver(tx: Connection) -> dict[str, int]:
    """Count deliveries on their way."""
    query = (
        select(outbox.c.receiver, func.count()).where(outbox.c.status == PENDING).group_by(outbox.c.receiver)
    )
    return {name: int(count) for name, count in tx.execute(query)}


def _alert(alert: Alert, now: datetime, public_url: str) -> dict[str, Any]:
    value = alert.value
    if alert.state != "resolved":
        value = max(value, (now - alert.pending_since).total_seconds())
    return {
        "id": alert.id,
        "rule": alert.rule,
        "rule_id": alert.rule_id,
        "state": alert.state,
        "labels": dict(alert.labels),
        "since": rfc3339(alert.pending_since),
        "fired_at": alert.fired_at and rfc3339(alert.fired_at),
        "resolved_at": alert.resolved_at and rfc3339(alert.resolved_at),
        "value": value,
        "message": sentence(replace(alert, value=value)),
        "url": alert_url(alert, public_url),
        "annotations": dict(alert.annotations),
        "reason": alert.reason,
        "trace_id": alert.trace_id,
        "instances": list(alert.instances),
    }


def _worst(states: Iterable[str]) -> str:
    present = set(states)
    return next((state for state in ("firing", "pending") if state in present), "inactive")
