"""
Changes as webhook bodies: ``{"type", "timestamp", "data"}``, written once, sent as they are.

``webhook-id`` is made from what happened, not from when it was sent: the same episode and type
give the same id, whoever computes it and however often.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from collector.alerting.announce import Announcement
from collector.alerting.evaluate import Alert, Change, Subject, fingerprint, sentence
from collector.alerting.incidents.incident import Entry, Incident, told
from collector.alerting.timestamps import rfc3339

# Of one group in one body: more than people read, less than receivers refuse.
ALERTS_SHOWN = 50


@dataclass(frozen=True)
class Event:
    """
    One thing to tell.

    Attributes:
        webhook_id: ``msg_`` and 32 hex digits.
        subject: Events of one subject reach a receiver in order.
        type: ``alert.firing``, …
        payload: The body, JSON text.
        receivers: Names of those it goes to; None = every one that asked for the type.
    """

    webhook_id: str
    subject: str
    type: str
    payload: str
    receivers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class GroupTold:
    """
    A group of alerts that is told together.

    Attributes:
        key: Of the group; *number* counts what was told of it.
        receivers: None = every one that asks for the type.
        firing: New ones first; *ended*: those that were told as firing and are resolved. Not both are empty.
        incident: Its id, None if there is none.
    """

    key: str
    labels: Mapping[str, str]
    receivers: tuple[str, ...] | None
    number: int
    firing: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    incident: str | None


def alert_event(change: Change, now: datetime, public_url: str) -> Event:
    """Give the event of a change whose kind is firing or resolved."""
    alert = change.alert
    return _event(
        event_type=f"alert.{change.kind}",
        identity=f"{alert.id}\0{change.kind}",
        subject=f"{alert.rule_id}/{alert.fingerprint}",
        now=now,
        data=alert_data(alert, public_url),
    )


def group_event(told: GroupTold, now: datetime, public_url: str) -> Event:
    """Give the event of a group: resolved when nothing in it fires any more. Its data is the first alert's, with all of them."""
    alerts = (*told.firing, *told.ended)
    ids = "\0".join(sorted(f"{alert.id}/{alert.state}" for alert in alerts))
    shown = [
        {**alert_data(alert, public_url), "fingerprint": alert.fingerprint} for alert in alerts[:ALERTS_SHOWN]
    ]
    group = {
        "key": told.key,
        "labels": dict(told.labels),
        "receiver": ",".join(told.receivers) if told.receivers else "",
    }
    return _event(
        event_type="alert.firing" if told.firing else "alert.resolved",
        identity=f"{told.key}\0{told.number}\0{ids}",
        subject=f"group/{told.key}",
        now=now,
        data={
            **shown[0],
            "group": group,
            "alerts": shown,
            "truncated": len(alerts) - len(shown),
            "incident": told.incident
            and {"id": told.incident, "url": incident_url(told.incident, public_url)},
        },
        receivers=told.receivers,
    )


def alert_data(alert: Alert, public_url: str) -> dict[str, Any]:
    """Give what a receiver is told of one alert."""
    return {
        "rule": alert.rule,
        "state": alert.state,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "message": sentence(alert),
        "since": rfc3339(alert.pending_since),
        "fired_at": alert.fired_at and rfc3339(alert.fired_at),
        "resolved_at": alert.resolved_at and rfc3339(alert.resolved_at),
        "value": alert.value,
        "url": alert_url(alert, public_url),
        "reason": alert.reason,
        "trace_id": alert.trace_id,
        "instances": list(alert.instances),
    }


def incident_event(
    incident: Incident, entry: Entry, number: int, firing: int, now: datetime, public_url: str
) -> Event:
    """Give the event of what happened to an incident, its *number*-th entry; *firing* counts its alerts that fire."""
    kind = {"opened": "opened", "resolved": "resolved"}.get(entry.kind, "updated")
    return _event(
        event_type=f"incident.{kind}",
        identity=f"incident/{incident.id}\0{number}\0{entry.kind}",
        subject=f"incident/{incident.id}",
        now=now,
        data=told(incident, entry, firing, incident_url(incident.id, public_url)),
    )


def incident_url(incident_id: str, public_url: str) -> str:
    """Give the page of an incident."""
    return f"{public_url.rstrip('/')}/incidents/{quote(incident_id, safe='')}"


def breaker_event(announcement: Announcement, public_url: str) -> Event:
    """Give the event of a breaker that opened or closed."""
    reading = announcement.reading
    service, env, breaker = reading.subject
    opened = reading.opened
    return _event(
        event_type=f"breaker.{announcement.kind}",
        identity=f"{'/'.join(map(quote, reading.subject))}\0{announcement.kind}\0{announcement.at.isoformat()}",
        subject=f"breaker/{fingerprint(reading.subject)}",
        now=announcement.at,
        data={
            "service": service,
            "env": env,
            "breaker": breaker,
            "target": reading.target,
            "state": opened.state if opened else "closed",
            "since": rfc3339(announcement.since),
            "value": max(0.0, (announcement.at - announcement.since).total_seconds()),
            "reason": opened.reason if opened else "",
            "trace_id": opened.trace_id if opened else "",
            "url": breaker_url(reading.subject, public_url),
            "instances": list(reading.instances),
        },
    )


def alert_url(alert: Alert, public_url: str) -> str:
    """Give the page of the alert's breaker, else of its service, else of all alerts."""
    labels = alert.labels
    if "breaker" not in labels:
        service = labels.get("service") or labels.get("service_name") or ""
        page = f"services/{quote(service, safe='')}" if service else "alerts"
        return f"{public_url.rstrip('/')}/{page}{_of_env(labels.get('env', ''))}"
    return breaker_url(
        (labels.get("service", ""), labels.get("env", ""), labels.get("breaker", "")), public_url
    )


def breaker_url(subject: Subject, public_url: str) -> str:
    """Give the page of a breaker under *public_url*, with its environment chosen."""
    service, env, breaker = subject
    path = f"breakers/{quote(service, safe='')}/{quote(breaker, safe='')}"
    return f"{public_url.rstrip('/')}/{path}{_of_env(env)}"


def _of_env(env: str) -> str:
    return f"?{urlencode({'env': env})}" if env else ""


def _event(
    event_type: str,
    identity: str,
    subject: str,
    now: datetime,
    data: dict[str, Any],
    receivers: tuple[str, ...] | None = None,
) -> Event:
    body = {"type": event_type, "timestamp": rfc3339(now), "data": data}
    return Event(
        webhook_id=f"msg_{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        subject=subject,
        type=event_type,
        payload=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        receivers=receivers,
    )
