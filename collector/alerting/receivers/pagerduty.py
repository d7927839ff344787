"""
``kind = "pagerduty"``: Events API v2: trigger, acknowledge, resolve under one ``dedup_key``.

The key is made from what the event is about, never from a time: repeats update the same alert there and
the end closes it. Lengths are PagerDuty's: summary 1,024, key 255, an event 512 KB.
Source: PagerDuty documentation, "Events API v2", "PD-CEF".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.notice import Notice, OneAlert, clip, read_notice
from collector.alerting.receivers.receiver import Receiver

SUMMARY, ALERTS, DETAIL, NAME = 1024, 50, 1000, 200
MOST_BYTES = 500_000


def render(message: Message, receiver: Receiver) -> Post:
    """Give the request; the routing key stands in its body."""
    notice = read_notice(message)
    event: dict[str, Any] = {
        "routing_key": receiver.routing_key,
        "event_action": _action(notice),
        "dedup_key": dedup_key(notice),
    }
    shown = ALERTS
    body = _encoded(event, notice, message.public_url, shown)
    while len(body) > MOST_BYTES and shown > 1:
        shown //= 2
        body = _encoded(event, notice, message.public_url, shown)
    return Post(receiver.url, {"Content-Type": "application/json"}, body)


def _encoded(event: dict[str, Any], notice: Notice, public_url: str, shown: int) -> bytes:
    more = _trigger(notice, public_url, shown) if event["event_action"] == "trigger" else {}
    return json.dumps({**event, **more}, ensure_ascii=False).encode()


def dedup_key(notice: Notice) -> str:
    """Give what PagerDuty and Opsgenie know the alert by; 42 characters."""
    return f"fuseboard-{hashlib.sha256(notice.key.encode()).hexdigest()[:32]}"


def _details(notice: Notice, shown: int) -> dict[str, Any]:
    alerts = [_alert(alert) for alert in notice.alerts[:shown]]
    left = len(notice.alerts) - len(alerts) + notice.truncated
    return {"event": notice.type, "at": notice.at, "alerts": alerts, "alerts_left_out": left}


def _action(notice: Notice) -> str:
    if notice.status == "resolved":
        return "resolve"
    return "acknowledge" if notice.acknowledged else "trigger"


def _trigger(notice: Notice, public_url: str, shown: int) -> dict[str, Any]:
    labels = notice.common("labels")
    links = [{"href": notice.url, "text": "Open in Fuseboard"}]
    if notice.incident_url:
        links.append({"href": notice.incident_url, "text": "Incident"})
    return {
        "payload": {
            "summary": clip(f"[{notice.mark}] {notice.title}", SUMMARY),
            "source": clip(labels.get("service") or notice.alerts[0].name, DETAIL),
            "severity": notice.severity,
            "timestamp": notice.alerts[0].started_at or notice.at,
            "component": clip(
                labels.get("breaker") or labels.get("target") or labels.get("service") or "", DETAIL
            ),
            "group": clip(labels.get("env", ""), DETAIL),
            "class": clip(labels.get("alertname", notice.type), DETAIL),
            "custom_details": _details(notice, shown),
        },
        "client": "Fuseboard",
        "client_url": public_url,
        "links": links,
    }


def _alert(alert: OneAlert) -> dict[str, Any]:
    texts = {**alert.labels, **alert.annotations}
    return {
        "status": alert.status,
        "message": clip(alert.message, DETAIL),
        "since": alert.started_at,
        "url": alert.url,
        **{clip(name, NAME): clip(text, DETAIL) for name, text in list(texts.items())[:60]},
    }
