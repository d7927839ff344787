"""
A webhook's body from a template of the settings: Jinja in its sandbox.

A template sees ``type``, ``timestamp`` and ``data`` of the event, and what every receiver can say
of it: ``title``, ``status``, ``severity``, ``alerts``, ``url``, ``webhook_id``, ``receiver``. What is absent is empty.
It is tried when the settings are read, on a sample full of quotes and line ends: a template for JSON
that forgets ``tojson`` fails there and not at night.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import NoReturn

from jinja2 import ChainableUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from collector.alerting.receivers.message import Message
from collector.alerting.receivers.notice import read_notice
from collector.alerting.receivers.receiver import Receiver
from collector.errors import Malformed

# A receiver that wants more than this wants something else.
MOST_BYTES = 1 << 20
_HARD = 'says "no" \\ and {ends}\nhere: <é>'
_LABELS = {"alertname": "Sample", "service": "checkout", "env": "demo", "severity": "page", "team": _HARD}
_ALERT: dict[str, object] = {
    "rule": "Sample", "state": "firing", "labels": _LABELS, "annotations": {"summary": _HARD}, "message": _HARD,
    "since": "2026-11-22T03:00:00.000000000Z", "fired_at": "2026-11-22T03:00:15.000000000Z", "resolved_at": None,
    "value": 15.0, "url": "https://fuse.example/breakers/checkout/payment", "reason": _HARD,
    "trace_id": "", "instances": [], "fingerprint": "0123456789abcdef",
}  # fmt: skip
SAMPLE = Message(
    webhook_id="msg_sample",
    subject="sample",
    payload=json.dumps({"type": "alert.firing", "timestamp": _ALERT["fired_at"], "data": _ALERT}),
    at=datetime(2026, 11, 22, 3, 0, 15, tzinfo=UTC),
    public_url="https://fuse.example",
)


def check_body(receiver: Receiver) -> None:
    """
    Try the template on a sample.

    Raises:
        Malformed: It does not parse, fails, or makes no JSON where JSON is promised (``bad_template``).
    """
    if receiver.body:
        render_body(SAMPLE, receiver)


def render_body(message: Message, receiver: Receiver) -> bytes:
    """
    Fill the receiver's template with *message*.

    Raises:
        Malformed: It fails, makes no JSON where JSON is promised, or more than 1 MiB (``bad_template``).
    """
    notice = read_notice(message)
    try:
        text = _compiled(receiver.body).render(
            **json.loads(message.payload),
            title=notice.title,
            status=notice.status,
            severity=notice.severity,
            alerts=[asdict(alert) for alert in notice.alerts],
            url=notice.url,
            webhook_id=message.webhook_id,
            receiver=receiver.name,
        )
    except TemplateSyntaxError as error:
        raise _failed(receiver, f"line {error.lineno}: {error.message}") from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _failed(receiver, f"{type(error).__name__}: {error}") from error
    return _checked(text, receiver)


def _checked(text: str, receiver: Receiver) -> bytes:
    body = text.encode()
    if len(body) > MOST_BYTES:
        raise _failed(receiver, f"it makes {len(body)} bytes, more than {MOST_BYTES}")
    if receiver.content_type.partition(";")[0].strip().endswith("json"):
        try:
            json.loads(body)
        except ValueError as error:
            raise _failed(receiver, f"it makes no JSON ({error}); write {{{{ value | tojson }}}}") from error
    return body


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's, where a way out is an error and not an empty text."""

    def unsafe_undefined(self, obj: object, attribute: str) -> NoReturn:
        raise SecurityError(f"no template may read {attribute!r} of a {type(obj).__name__}")


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    return _Sandbox(
        undefined=ChainableUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    ).from_string(template)


def _failed(receiver: Receiver, why: str) -> Malformed:
    return Malformed("bad_template", f"body of receiver {receiver.name!r}: {why}", "body")
