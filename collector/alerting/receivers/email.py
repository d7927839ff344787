"""
``kind = "email"``: one mail, as text and as HTML.

``Message-ID`` is the webhook-id, so a mail sent twice is one mail to whoever counts; ``References`` and
``In-Reply-To`` name a root made from what it is about, so firing and resolved stand in one thread.
Source: RFC 5322 §3.6.4, RFC 3834 (Auto-Submitted).
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from urllib.parse import urlsplit

from collector.alerting.receivers.message import Mail, Message
from collector.alerting.receivers.notice import Notice, OneAlert, clip, read_notice
from collector.alerting.receivers.receiver import Receiver, mailbox

SUBJECT, ALERTS, TEXT = 200, 100, 5000
# Python encodes an id it would have to fold; RFC 5322's own bound is 998.
POLICY = SMTP.clone(max_line_length=500)
COLOURS = {"critical": "#b3261e", "error": "#c4570a", "warning": "#a87900", "info": "#2f5fb3"}
RESOLVED = "#2e7d32"
DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def render(message: Message, receiver: Receiver) -> Mail:
    """Give the mail."""
    notice = read_notice(message)
    domain = _domain(message.public_url)
    root = f"<fuseboard-{hashlib.sha256(notice.key.encode()).hexdigest()[:32]}@{domain}>"
    mail = EmailMessage(POLICY)
    mail["Subject"] = clip(_one_line(f"[{notice.mark}] {notice.title}"), SUBJECT)
    mail["From"] = receiver.sender
    mail["To"] = ", ".join(receiver.to)
    mail["Date"] = datetime.fromisoformat(notice.at)
    mail["Message-ID"] = f"<{message.webhook_id}@{domain}>"
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Fuseboard-Type"] = notice.type
    mail.set_content(_text(notice))
    mail.add_alternative(_html(notice), subtype="html")
    return Mail(mailbox(receiver.sender), tuple(map(mailbox, receiver.to)), mail)


def _domain(public_url: str) -> str:
    host = urlsplit(public_url).hostname or ""
    return host if DOMAIN.fullmatch(host) and len(host) < 200 else "fuseboard.invalid"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _text(notice: Notice) -> str:
    parts = [f"[{notice.mark}] {notice.title}", *map(_alert_text, notice.alerts[:ALERTS])]
    if left := _left(notice):
        parts.append(f"… and {left} more")
    parts.append(
        "\n".join(filter(None, (notice.url, notice.incident_url and f"Incident: {notice.incident_url}")))
    )
    return "\n\n".join(parts) + "\n"


def _alert_text(alert: OneAlert) -> str:
    lines = [f"{alert.name}: {alert.status} since {alert.started_at}", f"  {clip(alert.message, TEXT)}"]
    lines += [
        f"  {name}: {clip(text, TEXT)}" for name, text in alert.annotations.items() if text != alert.message
    ]
    lines.append("  " + ", ".join(f"{name}={clip(text, TEXT)}" for name, text in alert.labels.items()))
    return "\n".join([*lines, f"  {alert.url}"] if alert.url else lines)


def _html(notice: Notice) -> str:
    colour = RESOLVED if notice.status == "resolved" else COLOURS[notice.severity]
    title = escape(f"[{notice.mark}] {notice.title}")
    left = f"<p>… and {_left(notice)} more</p>" if _left(notice) else ""
    incident = f" · {_link(notice.incident_url, 'Incident')}" if notice.incident_url else ""
    return (
        '<!doctype html><html><body style="font-family:sans-serif;color:#222;max-width:48rem">'
        f'<h1 style="font-size:1.2rem;border-left:.4rem solid {colour};padding-left:.6rem">{title}</h1>'
        + "".join(map(_alert_html, notice.alerts[:ALERTS]))
        + f"{left}<p>{_link(notice.url, 'Open in Fuseboard')}{incident}</p></body></html>\n"
    )


def _alert_html(alert: OneAlert) -> str:
    facts = {"state": alert.status, "since": alert.started_at, **alert.annotations, **alert.labels}
    rows = "".join(
        f'<tr><th align="left" style="padding-right:1rem">{escape(name)}</th><td>{escape(clip(text, TEXT))}</td></tr>'
        for name, text in facts.items()
        if text != alert.message
    )
    return f"<p><strong>{escape(clip(alert.message or alert.name, TEXT))}</strong></p><table>{rows}</table>"


def _link(url: str, text: str) -> str:
    """Give a link, but only to a web page."""
    return f'<a href="{escape(url)}">{text}</a>' if url.startswith(("https://", "http://")) else escape(text)


def _left(notice: Notice) -> int:
    return max(0, len(notice.alerts) - ALERTS) + notice.truncated
