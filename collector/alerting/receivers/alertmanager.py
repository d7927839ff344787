"""
``kind = "alertmanager"``: Alertmanager's webhook body, version 4, for everything that already reads it.

A single alert is a group of one, grouped by all its labels, so its ``groupKey`` is its own. Times of
alerts that fire end in year 1, as Go writes a time that is not set. Beside the body the request carries
``webhook-id`` (and a signature, where there is a secret), which Alertmanager has not: repeats can be told.
Source: Prometheus documentation, "Alerting: configuration", webhook_config; alertmanager notify/webhook, template.Data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.notice import Notice, OneAlert, read_notice
from collector.alerting.receivers.receiver import Receiver
from collector.alerting.receivers.webhook import request_headers

NOT_SET = "0001-01-01T00:00:00Z"


def render(message: Message, receiver: Receiver) -> Post:
    """Give the request."""
    text = json.dumps(_body(read_notice(message), receiver, message.public_url), ensure_ascii=False)
    body = text.encode()
    return Post(receiver.url, request_headers(message, receiver, body), body)


def _body(notice: Notice, receiver: Receiver, public_url: str) -> dict[str, Any]:
    return {
        "receiver": receiver.name,
        "status": notice.status,
        "alerts": [_alert(alert, public_url) for alert in notice.alerts],
        "groupLabels": dict(sorted(notice.group_labels.items())),
        "commonLabels": dict(sorted(notice.common("labels").items())),
        "commonAnnotations": dict(sorted(notice.common("annotations").items())),
        "externalURL": public_url,
        "version": "4",
        "groupKey": _group_key(notice),
        "truncatedAlerts": notice.truncated,
    }


def _alert(alert: OneAlert, public_url: str) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": dict(sorted(alert.labels.items())),
        "annotations": dict(sorted(alert.annotations.items())),
        "startsAt": alert.started_at or NOT_SET,
        "endsAt": alert.ended_at or NOT_SET,
        "generatorURL": alert.url or public_url,
        "fingerprint": alert.fingerprint,
    }


def _group_key(notice: Notice) -> str:
    """Give ``{}:{name="value", …}``, as of the root route; of a group of ours ``{}/{<its key>}:{…}``, as of a route below."""
    route = f"{{}}/{{{notice.group_key}}}" if notice.group_key else "{}"
    return f"{route}:{_label_set(notice.group_labels)}"


def _label_set(labels: Mapping[str, str]) -> str:
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(labels.items()))
    return f"{{{', '.join(pairs)}}}"
