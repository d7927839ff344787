"""
Receivers: a committed event as the request one kind of receiver understands.

In: a :class:`Message` (the canonical payload of the outbox) and the :class:`Receiver` it goes to. Out: a
:class:`Post` or a :class:`Mail`. Pure: rendered anew at every attempt from what is stored, so a changed
setting reaches what still waits.

::

    receiver.py      the settings of one receiver: what each kind needs and takes
    message.py       Message, Post, Mail
    notice.py        a payload as title, state and alerts; what every kind below works on
    webhook.py       the payload itself, signed;  body.py: through a template
    alertmanager.py slack.py msteams.py pagerduty.py opsgenie.py email.py
    secrets.py       secrets from a file or the environment

A kind is one module with one function ``render(message, receiver)`` and a row in ``KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from collector.alerting.receivers import alertmanager, email, msteams, opsgenie, pagerduty, slack, webhook
from collector.alerting.receivers.body import check_body
from collector.alerting.receivers.message import Mail, Message, Post, Request
from collector.alerting.receivers.receiver import ALERT_TYPES, EVENT_TYPES, KINDS, Receiver

__all__ = [
    "ALERT_TYPES",
    "EVENT_TYPES",
    "KINDS",
    "Mail",
    "Message",
    "Post",
    "Receiver",
    "Request",
    "check_body",
    "render",
]

_RENDERERS: Mapping[str, Callable[[Message, Receiver], Request]] = MappingProxyType(
    {
        "webhook": webhook.render,
        "alertmanager": alertmanager.render,
        "slack": slack.render,
        "msteams": msteams.render,
        "pagerduty": pagerduty.render,
        "opsgenie": opsgenie.render,
        "email": email.render,
    }
)


def render(message: Message, receiver: Receiver) -> Request:
    """
    Give the request that tells *receiver* of *message*.

    Raises:
        Malformed: The receiver's template fails on this event (``bad_template``).
    """
    return _RENDERERS[receiver.kind](message, receiver)
