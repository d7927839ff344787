"""
The canonical payload as people's tools need it: a title, a state, and the alerts in it. Pure.

Every renderer but the webhook's own works on a :class:`Notice`, so that what an event *is* is
decided once. A payload of one alert, of a group (``data.alerts``), of a breaker, an incident, a
heartbeat or a test all become a notice with at least one :class:`OneAlert`; what is not an
alert gets labels of its own, the same when it begins and when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from collector.alerting.receivers.message import Message

Status = Literal["firing", "resolved"]
# What an event that is no alert is called in a world of alerts.
NAMES = {
    "breaker": "FuseboardBreaker",
    "incident": "FuseboardIncident",
    "heartbeat": "Watchdog",
    "test": "FuseboardTest",
}
ENDED = ("resolved", "closed")
# Unknown names, and none, are errors: a person named the rule, somebody should look.
SEVERITIES = {
    "page": "critical", "critical": "critical", "emergency": "critical", "fatal": "critical", "p1": "critical",
    "error": "error", "high": "error", "p2": "error", "warning": "warning", "warn": "warning", "ticket": "warning",
    "p3": "warning", "info": "info", "none": "info", "low": "info", "notice": "info", "p4": "info", "p5": "info",
}  # fmt: skip


@dataclass(frozen=True)
class OneAlert:
    """One alert; times as in the payload, *ended_at* "" while it fires."""

    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: str
    ended_at: str
    message: str
    url: str
    fingerprint: str

    @property
    def name(self) -> str:
        """``alertname``."""
        return self.labels["alertname"]


@dataclass(frozen=True)
class Notice:
    """
    One event.

    Attributes:
        type: ``alert.firing``, …
        key: The same for everything that is told about one thing, however often.
        at: When it happened, RFC 3339.
        status: ``firing`` while anything in it does.
        acknowledged: Somebody has taken it.
        alerts: At least one.
        truncated: Alerts left out.
        group_key: Of the group it tells of, "" = of none.
        group_labels: What the alerts have in common by routing; of a single alert all its labels.
        title: One line.
        url: The page that shows it.
        incident_url: The incident's page, "" = none.
    """

    type: str
    key: str
    at: str
    status: Status
    acknowledged: bool
    alerts: tuple[OneAlert, ...]
    truncated: int
    group_key: str
    group_labels: Mapping[str, str]
    title: str
    url: str
    incident_url: str

    @property
    def severity(self) -> str:
        """critical, error, warning or info: the gravest of the alerts that fire, else of all."""
        found = [a for a in self.alerts if a.status == "firing"] or list(self.alerts)
        order = ("critical", "error", "warning", "info")
        return min((severity_of(alert.labels) for alert in found), key=order.index)

    @property
    def mark(self) -> str:
        """The state as a word, as people read it first."""
        if self.type in ("test", "heartbeat"):
            return self.type.upper()
        if self.acknowledged and self.status == "firing":
            return "ACKNOWLEDGED"
        firing = sum(alert.status == "firing" for alert in self.alerts)
        count = f":{firing}" if firing > 1 else ""
        return f"{self.status.upper()}{count}"

    def common(self, of: Literal["labels", "annotations"]) -> dict[str, str]:
        """Give what all alerts agree on."""
        first, *rest = (dict(getattr(alert, of)) for alert in self.alerts)
        return {name: value for name, value in first.items() if all(one.get(name) == value for one in rest)}


def severity_of(labels: Mapping[str, str]) -> str:
    """Map the label ``severity`` to critical, error, warning or info; ``error`` if it is none of the known ones."""
    return SEVERITIES.get(labels.get("severity", "").lower(), "error")


def read_notice(message: Message) -> Notice:
    """Read a canonical payload."""
    event = json.loads(message.payload)
    data, kind = event["data"], event["type"]
    alerts = tuple(_alerts(kind, data, event["timestamp"], message.subject))
    group = data.get("group") or {}
    incident = data.get("incident")
    word = str(data.get("state") or data.get("status") or "")
    return Notice(
        type=kind,
        key=str(group.get("key") or message.subject),
        at=event["timestamp"],
        status=_status(kind, alerts),
        acknowledged=word == "acknowledged" or bool(data.get("acknowledged_at")),
        alerts=alerts,
        truncated=int(data.get("truncated") or 0),
        group_key=str(group.get("key") or ""),
        group_labels=_texts(group["labels"]) if group.get("labels") is not None else dict(alerts[0].labels),
        title=_title(data, alerts),
        url=str(data.get("url") or message.public_url),
        incident_url=str(incident.get("url") or "") if isinstance(incident, dict) else "",
    )


def clip(text: str, most: int) -> str:
    """Give *text* within *most* characters; what is left out shows as an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def fingerprint(labels: Mapping[str, str]) -> str:
    """
    Give the 16 hex digits Prometheus and Alertmanager know a label set by.

    Source: prometheus/common, model.LabelSet.Fingerprint: FNV-1a, 64 bit, over sorted names and values each ended by 0xff.
    """
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in f"{name}".encode() + b"\xff" + f"{labels[name]}".encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _alerts(kind: str, data: Mapping[str, Any], at: str, subject: str) -> Iterable[OneAlert]:
    told = data.get("alerts")
    if isinstance(told, list) and told:
        return (_alert(one, str(one.get("rule") or data.get("rule") or "")) for one in told)
    if kind.startswith("alert."):
        return (_alert(data, str(data.get("rule") or "")),)
    return (_not_an_alert(kind, data, at, subject),)


def _alert(one: Mapping[str, Any], rule: str) -> OneAlert:
    labels = _texts(one.get("labels"))
    labels = labels if "alertname" in labels else {"alertname": rule or "alert", **labels}
    resolved = one.get("state") == "resolved"
    return OneAlert(
        status="resolved" if resolved else "firing",
        labels=labels,
        annotations=_texts(one.get("annotations")),
        started_at=str(one.get("fired_at") or one.get("since") or ""),
        ended_at=str(one.get("resolved_at") or "") if resolved else "",
        message=str(one.get("message") or ""),
        url=str(one.get("url") or ""),
        fingerprint=fingerprint(labels),
    )


def _not_an_alert(kind: str, data: Mapping[str, Any], at: str, subject: str) -> OneAlert:
    family, _, step = kind.partition(".")
    known = {name: data.get(name) for name in ("service", "env", "breaker", "target", "severity")}
    labels = {"alertname": NAMES.get(family, kind), **_texts({n: v for n, v in known.items() if v})}
    if family in ("incident", "heartbeat", "test"):
        labels[family] = str(data.get("id") or data.get("receiver") or subject)
    labels.setdefault("severity", "info" if family in ("heartbeat", "test") else "")
    labels = {name: value for name, value in labels.items() if value}
    ended = step in ENDED
    return OneAlert(
        status="resolved" if ended else "firing",
        labels=labels,
        annotations={"summary": _sentence(kind, data)},
        started_at=str(data.get("since") or data.get("opened_at") or at),
        ended_at=at if ended else "",
        message=_sentence(kind, data),
        url=str(data.get("url") or ""),
        # An incident that grows graver is the same one.
        fingerprint=fingerprint({name: value for name, value in labels.items() if name != "severity"}),
    )


def _sentence(kind: str, data: Mapping[str, Any]) -> str:
    said = data.get("message") or data.get("title") or data.get("summary")
    if said:
        return str(said)
    if kind.startswith("breaker."):
        target = f" towards {data['target']}" if data.get("target") else ""
        reason = f": {data['reason']}" if data.get("reason") else ""
        return f"{data.get('service')}'s breaker {data.get('breaker')}{target} has {kind.partition('.')[2]}{reason}"
    return kind


def _title(data: Mapping[str, Any], alerts: tuple[OneAlert, ...]) -> str:
    if len(alerts) == 1 or data.get("title"):
        first = alerts[0]
        text = str(data.get("title") or first.message or first.name)
    else:
        text = ", ".join(dict.fromkeys(alert.name for alert in alerts))
    return " ".join(text.split())


def _status(kind: str, alerts: tuple[OneAlert, ...]) -> Status:
    if kind == "incident.resolved" or all(alert.status == "resolved" for alert in alerts):
        return "resolved"
    return "firing"


def _texts(values: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
