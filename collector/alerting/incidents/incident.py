"""An incident as a value, and what receivers are told of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from collector.alerting.evaluate import Alert
from collector.alerting.timestamps import rfc3339

IncidentState = Literal["open", "acknowledged", "resolved", "merged"]
EntryKind = Literal[
    "opened",
    "alert_joined",
    "alert_resolved",
    "acknowledged",
    "note",
    "merged",
    "resolved",
    "reopened",
    "health",
]
LIVING = ("open", "acknowledged")
TEXT_CHARS = 10_000
AUTHOR_CHARS = 200

Key = tuple[str, str]  # root, env


@dataclass(frozen=True)
class Incident:
    """
    One incident.

    Attributes:
        service: The root: a service, a dependency, or ``rule:<name>`` for alerts that speak of none.
        pinned: What explains it, copied: ``{cause, impact, logs, traces, transitions, deploys, health}``; empty at first.
    """

    id: str
    service: str
    env: str
    title: str
    severity: str
    state: IncidentState
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    merged_into: str | None = None
    pinned: Mapping[str, Any] = field(default_factory=dict)
    pinned_at: datetime | None = None

    @property
    def key(self) -> Key:
        """Its root."""
        return self.service, self.env


@dataclass(frozen=True)
class Entry:
    """One thing that happened to an incident; *author* "" = by itself."""

    at: datetime
    kind: EntryKind
    text: str
    author: str = ""


def opened_by(alert: Alert, key: Key, now: datetime) -> Incident:
    """Give the incident that *alert* opens; the same alert gives the same id."""
    service, env = key
    return Incident(
        id=hashlib.sha256(f"incident/{alert.id}".encode()).hexdigest()[:12],
        service=service,
        env=env,
        title=_title(alert, service, env),
        severity=alert.labels.get("severity", ""),
        state="open",
        opened_at=now,
        updated_at=now,
    )


def told(incident: Incident, entry: Entry, firing: int, url: str) -> dict[str, Any]:
    """Give what receivers are told: the incident, and what happened to it last."""
    cause = (incident.pinned.get("causes") or [None])[0]
    labels = {"service": incident.service, "env": incident.env, "severity": incident.severity}
    return {
        "id": incident.id,
        "title": incident.title,
        "state": incident.state,
        "severity": incident.severity,
        "service": incident.service,
        "env": incident.env,
        "labels": {name: value for name, value in labels.items() if value},
        "message": f"{incident.title}: {entry.text}" if entry.text else incident.title,
        "opened_at": rfc3339(incident.opened_at),
        "acknowledged_at": incident.acknowledged_at and rfc3339(incident.acknowledged_at),
        "resolved_at": incident.resolved_at and rfc3339(incident.resolved_at),
        "since": rfc3339(incident.opened_at),
        "alerts_firing": firing,
        "cause": cause,
        "change": {"kind": entry.kind, "by": entry.author, "text": entry.text, "at": rfc3339(entry.at)},
        "url": url,
        "incident": {"id": incident.id, "url": url},
    }


def _title(alert: Alert, service: str, env: str) -> str:
    if service.startswith("rule:"):
        return f"{alert.rule} fires"
    return f"{service} is in trouble" + (f" in {env}" if env else "")
