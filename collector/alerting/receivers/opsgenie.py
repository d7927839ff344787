"""
``kind = "opsgenie"``: the Alert API: create, acknowledge, close, all by ``alias``.

``url`` is where the API is: ``https://api.opsgenie.com``, of the EU ``https://api.eu.opsgenie.com``. Lengths are
Opsgenie's: message 130, alias 512, description 15,000, details 8,000, 20 tags of 50.
Source: Opsgenie documentation, "Alert API".
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.notice import Notice, clip, read_notice
from collector.alerting.receivers.pagerduty import dedup_key
from collector.alerting.receivers.receiver import Receiver

MESSAGE, DESCRIPTION, DETAILS, DETAIL, TAGS, TAG, NOTE = 130, 15_000, 8000, 500, 20, 50, 25_000
PRIORITIES = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}


def render(message: Message, receiver: Receiver) -> Post:
    """Give the request; the API key stands in its headers."""
    notice = read_notice(message)
    alias = dedup_key(notice)
    path, body = _asked(notice, alias)
    return Post(
        f"{receiver.url.rstrip('/')}/v2/alerts{path}",
        {"Content-Type": "application/json", "Authorization": f"GenieKey {receiver.api_key}"},
        json.dumps({**body, "source": "Fuseboard"}, ensure_ascii=False).encode(),
    )


def _asked(notice: Notice, alias: str) -> tuple[str, dict[str, Any]]:
    note = {"note": clip(f"{notice.mark}: {notice.title}", NOTE)}
    if notice.status == "resolved":
        return f"/{quote(alias)}/close?identifierType=alias", note
    if notice.acknowledged:
        return f"/{quote(alias)}/acknowledge?identifierType=alias", note
    return "", _created(notice, alias)


def _created(notice: Notice, alias: str) -> dict[str, Any]:
    labels = notice.common("labels")
    return {
        "message": clip(f"[{notice.mark}] {notice.title}", MESSAGE),
        "alias": alias,
        "description": clip(_description(notice), DESCRIPTION),
        "entity": clip(labels.get("service", ""), 512),
        "priority": PRIORITIES[notice.severity],
        "tags": [clip(f"{name}:{text}", TAG) for name, text in list(labels.items())[:TAGS]],
        "details": _details({**notice.common("annotations"), **labels, "url": notice.url}),
    }


def _description(notice: Notice) -> str:
    lines = [f"{alert.status}: {alert.message or alert.name}\n{alert.url}" for alert in notice.alerts]
    left = f"\n… and {notice.truncated} more" if notice.truncated else ""
    incident = f"\n{notice.incident_url}" if notice.incident_url else ""
    return "\n".join(lines) + left + incident


def _details(texts: dict[str, str]) -> dict[str, str]:
    """Take names and texts as long as all of them fit."""
    kept: dict[str, str] = {}
    room = DETAILS
    for name, text in texts.items():
        short = clip(text, DETAIL)
        room -= len(name) + len(short)
        if room < 0:
            break
        kept[name] = short
    return kept
