"""``kind = "webhook"``: the event as it is, or through a template, signed as Standard Webhooks asks."""

from __future__ import annotations

import base64

from collector.alerting.receivers.body import render_body
from collector.alerting.receivers.message import Message, Post
from collector.alerting.receivers.receiver import Receiver
from collector.alerting.signature import sign


def render(message: Message, receiver: Receiver) -> Post:
    """
    Give the signed request.

    Raises:
        Malformed: The template of the body fails on this event (``bad_template``).
    """
    body = render_body(message, receiver) if receiver.body else message.payload.encode()
    return Post(receiver.url, request_headers(message, receiver, body), body)


def request_headers(message: Message, receiver: Receiver, body: bytes) -> dict[str, str]:
    """Give headers of the settings, credentials, content type, and the id with the signature of *body*."""
    headers = {**receiver.headers, "Content-Type": receiver.content_type, "webhook-id": message.webhook_id}
    if receiver.token:
        headers["Authorization"] = f"Bearer {receiver.token}"
    if receiver.username:
        pair = f"{receiver.username}:{receiver.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if receiver.secret:
        headers |= sign(receiver.secret, message.webhook_id, message.at, body)
    return headers
