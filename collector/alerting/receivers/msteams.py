"""
``kind = "msteams"``: an Adaptive Card for a Teams workflow ("When a Teams webhook request is received").

Text blocks read a little Markdown; its characters are escaped, so that what a service wrote neither
links nor shouts. A message must stay under 28 KB: alerts are left out until it does, and counted.
Source: Microsoft documentation, "Create incoming webhooks with Workflows", "Adaptive Cards schema" 1.4.
"""

from __future__ import annotations

import json
import re
from typing import Any

from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.notice import Notice, OneAlert, clip, read_notice
from collector.alerting.receivers.receiver import Receiver

MOST_BYTES = 25_000
TITLE, TEXT, ALERTS = 500, 2000, 10
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")
COLOURS = {"critical": "attention", "error": "attention", "warning": "warning", "info": "accent"}


def render(message: Message, receiver: Receiver) -> Post:
    """Give the request."""
    notice = read_notice(message)
    shown = min(len(notice.alerts), ALERTS)
    body = _encoded(notice, shown)
    while len(body) > MOST_BYTES and shown > 0:
        shown -= 1
        body = _encoded(notice, shown)
    return Post(receiver.url, {"Content-Type": "application/json"}, body)


def escape(text: str) -> str:
    """Take from *text* what Markdown would act on."""
    return MARKDOWN.sub(r"\\\1", text)


def _encoded(notice: Notice, shown: int) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": clip(f"[{notice.mark}] {notice.title}", TITLE),
        "body": _elements(notice, shown),
        "actions": _actions(notice),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()


def _elements(notice: Notice, shown: int) -> list[dict[str, Any]]:
    colour = "good" if notice.status == "resolved" else COLOURS[notice.severity]
    title = _block(f"[{notice.mark}] {notice.title}", TITLE, size="large", weight="bolder", color=colour)
    elements = [title]
    for alert in notice.alerts[:shown]:
        elements += _alert(alert)
    left = len(notice.alerts) - shown + notice.truncated
    return [*elements, _block(f"… and {left} more", TITLE)] if left else elements


def _alert(alert: OneAlert) -> list[dict[str, Any]]:
    facts = [("state", alert.status), *alert.annotations.items(), *alert.labels.items()]
    shown = [
        {"title": clip(escape(name), 200), "value": escape(clip(text, TITLE))}
        for name, text in facts
        if text != alert.message
    ]
    return [_block(alert.message or alert.name, TEXT), {"type": "FactSet", "facts": shown[:30]}]


def _block(text: str, most: int, **style: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": escape(clip(text, most)), "wrap": True, **style}


def _actions(notice: Notice) -> list[dict[str, str]]:
    links = [("Open in Fuseboard", notice.url), ("Incident", notice.incident_url)]
    return [
        {"type": "Action.OpenUrl", "title": title, "url": url}
        for title, url in links
        if url.startswith(("https://", "http://"))
    ]
