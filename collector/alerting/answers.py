"""What ``/api/v1/alerts``, ``/rules`` and ``/deliveries`` answer: plain dicts in the API's shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from collector.alerting import history
from collector.alerting.evaluate import Alert, sentence
from collector.alerting.evaluation import progress
from collector.alerting.evaluation.progress import Evaluated
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.events import alert_url
from collector.alerting.history import AlertsWanted
from collector.alerting.outbox import PENDING
from collector.alerting.rules import Rule
from collector.alerting.rules.book import Rules
from collector.alerting.timestamps import rfc3339
from collector.state.tables import outbox

# An alert that resolved while the engineer was reading stays on the page for a day.
RESOLVED_SHOWN = timedelta(days=1)


Values = Mapping[str, float]


def alerts(
    tx: Connection, wanted: AlertsWanted, now: datetime, public_url: str, rules: Rules, values: Values
) -> list[dict[str, Any]]:
    """
    Give the alerts that are wanted: firing, pending, resolved; the newest first.

    Args:
        tx: A read transaction.
        wanted: Which.
        now: What a breaker's seconds are counted to.
        public_url: Of the pages.
        rules: In force.
        values: Of living alerts, by id, as their rules found them last.
    """
    ticked = {rule.id for rule in rules.ticked}
    found = history.wanted(tx, wanted, now - RESOLVED_SHOWN)
    return [_alert(alert, _value(alert, now, ticked, values), public_url) for alert in found]


def rules(
    tx: Connection, known: Rules, settings: GroupSettings, took: Values, here: Mapping[str, Evaluated]
) -> list[dict[str, Any]]:
    """Give every rule with the worst state any of its alerts is in, and how its last evaluation went: as written down, or *here* since."""
    states = history.states(tx)
    last = progress.last(tx)
    last |= {group: one for group, one in here.items() if group not in last or last[group].at < one.at}
    return [
        {
            "name": rule.name,
            "kind": rule.kind,
            "expr": rule.expr,
            "for_s": rule.for_s,
            "keep_firing_for_s": rule.keep_firing_for_s,
            "severity": rule.severity,
            "state": _worst(states.get(rule.id, ())),
            "alerts": states.get(rule.id, {}),
            "group": rule.group,
            "file": rule.file,
            "line": rule.line,
            "id": rule.id,
            "labels": dict(rule.labels),
            "annotations": dict(rule.annotations),
            "interval_s": group.interval_s or settings.interval_s,
            "limit": group.limit,
            **_evaluated(rule, last.get(group.id), took),
        }
        for group in known.groups
        for rule in group.rules
    ]


def _evaluated(rule: Rule, last: Evaluated | None, took: Values) -> dict[str, Any]:
    """Say how the last evaluation went; a breaker's state is looked at all the time."""
    if rule.asking is None:
        return {"health": "ok", "last_error": "", "last_evaluation": None, "evaluation_s": 0.0}
    if last is None:
        return {"health": "unknown", "last_error": "", "last_evaluation": None, "evaluation_s": 0.0}
    problem = last.problems.get(rule.id, "")
    return {
        "health": "err" if problem else "ok",
        "last_error": problem,
        "last_evaluation": rfc3339(last.at),
        "evaluation_s": round(took.get(rule.id, 0.0), 6),
    }


def _value(alert: Alert, now: datetime, ticked: Collection[str], values: Values) -> float:
    if alert.state == "resolved":
        return alert.value
    if alert.rule_id in ticked:
        return max(alert.value, (now - alert.pending_since).total_seconds())
    return values.get(alert.id, alert.value)


def pending_by_receiver(tx: Connection) -> dict[str, int]:
    """Count deliveries on their way."""
    query = (
        select(outbox.c.receiver, func.count()).where(outbox.c.status == PENDING).group_by(outbox.c.receiver)
    )
    return {name: int(count) for name, count in tx.execute(query)}


def _alert(alert: Alert, value: float, public_url: str) -> dict[str, Any]:
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
