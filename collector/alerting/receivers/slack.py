"""
``kind = "slack"``: blocks for an incoming webhook.

Slack knows three characters of control, ``& < >``; escaped, nothing a service wrote mentions
``@channel`` or forges a link. Lengths are Slack's: a header 150, a section 3,000 characters, 50 blocks.
Source: Slack documentation, "Formatting text for app surfaces", "Block Kit: reference".
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.notice import Notice, OneAlert, clip, read_notice
from collector.alerting.receivers.receiver import Receiver

HEADER, SECTION = 150, 3000
# Beyond this nobody reads on in a chat; the link leads to the rest.
ALERTS = 10
COLOURS = {"critical": "#b3261e", "error": "#c4570a", "warning": "#a87900", "info": "#2f5fb3"}
RESOLVED = "#2e7d32"
HALF_ENTITY = re.compile(r"&[a-z]{0,4}$")
URL_SAFE = ":/?#[]@!$&'()*+,;=%~"


def render(message: Message, receiver: Receiver) -> Post:
    """Give the request."""
    body = json.dumps(_body(read_notice(message)), ensure_ascii=False).encode()
    return Post(receiver.url, {"Content-Type": "application/json"}, body)


def escape(text: str) -> str:
    """Take from *text* what Slack would act on."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _body(notice: Notice) -> dict[str, Any]:
    title = f"[{notice.mark}] {notice.title}"
    colour = RESOLVED if notice.status == "resolved" else COLOURS[notice.severity]
    return {
        "text": escape(clip(title, SECTION // 2)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": clip(title, HEADER), "emoji": False}}
        ],
        "attachments": [{"color": colour, "blocks": _blocks(notice)}],
    }


def _blocks(notice: Notice) -> list[dict[str, Any]]:
    blocks = [_section(_told(alert, alone=len(notice.alerts) == 1)) for alert in notice.alerts[:ALERTS]]
    left = len(notice.alerts) - ALERTS + notice.truncated
    if left > 0:
        blocks.append(_section(f"… and {left} more"))
    links = [_link(notice.url, "Open in Fuseboard")]
    if notice.incident_url:
        links.append(_link(notice.incident_url, "Incident"))
    return [
        *blocks,
        {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(" · ".join(links), SECTION)}]},
    ]


def _told(alert: OneAlert, *, alone: bool) -> str:
    lines = [f"*{escape(alert.name)}* {alert.status}: {escape(alert.message)}"]
    lines += [
        f"{escape(name)}: {escape(text)}" for name, text in alert.annotations.items() if text != alert.message
    ]
    labels = " ".join(
        f"`{escape(name)}={escape(text)}`" for name, text in alert.labels.items() if name != "alertname"
    )
    link = "" if alone or not alert.url else f" {_link(alert.url, 'open')}"
    return "\n".join([*lines, f"{labels}{link}"])


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _clipped(text)}}


def _clipped(text: str) -> str:
    """Clip without leaving half an ``&amp;`` at the end."""
    if len(text) <= SECTION:
        return text
    cut = text[: SECTION - 1]
    return f"{HALF_ENTITY.sub('', cut)}…"


def _link(url: str, text: str) -> str:
    """Give a link; in its address what Slack would end it at is %-encoded."""
    return f"<{escape(quote(url, safe=URL_SAFE))}|{escape(text)}>"
