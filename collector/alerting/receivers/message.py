"""What a renderer is given and what it gives back: pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage


@dataclass(frozen=True)
class Message:
    """
    One event on its way to one receiver.

    Attributes:
        webhook_id: What happened; the same on every attempt.
        subject: Events of one subject belong together, firing and resolved of one alert.
        payload: The canonical body, JSON text ``{"type", "timestamp", "data"}``.
        at: When this attempt is made.
        public_url: Where people open the dashboards.
    """

    webhook_id: str
    subject: str
    payload: str
    at: datetime
    public_url: str


@dataclass(frozen=True)
class Post:
    """One HTTP request; *headers* may hold secrets."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Mail:
    """One mail, from *sender* to the addresses *to*."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage = field(repr=False)


Request = Post | Mail
