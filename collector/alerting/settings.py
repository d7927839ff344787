"""Settings of alerting: frozen, checked on construction, secrets out of every repr."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.guard import check_url, parse_allow
from collector.alerting.webhooks import decode_secret
from collector.errors import Malformed

EVENT_TYPES = ("alert.firing", "alert.resolved", "breaker.opened", "breaker.closed")
ALERT_TYPES = ("alert.firing", "alert.resolved")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Receiver:
    """
    One place events are sent to.

    Raises:
        Malformed: A field is wrong; the message names it and quotes the value (not the secret).
    """

    name: str
    """Letters, digits, ``_ . -``; unique; the key of everything remembered about it."""
    url: str
    """http or https, without user and password."""
    secret: str = field(repr=False)
    """``whsec_`` and 24 to 64 random bytes in base64; signs every delivery."""
    kind: Literal["webhook"] = "webhook"
    """The form of the body: Standard Webhooks."""
    types: tuple[str, ...] = ALERT_TYPES
    """Which events it gets, of :data:`EVENT_TYPES`."""
    allow_private: bool = False
    """Whether its address may be loopback or private (never link-local or a metadata service)."""
    timeout_s: float = 10.0
    """The whole attempt: connect, send, answer."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise _bad("name", self.name, "use letters, digits, '_', '.', '-', at most 64")
        check_url(self.url)
        decode_secret(self.secret)
        if self.kind != "webhook":
            raise _bad("kind", self.kind, "known: webhook")
        for event_type in self.types:
            if event_type not in EVENT_TYPES:
                raise _bad("types", event_type, f"known: {', '.join(EVENT_TYPES)}")
        if not self.types:
            raise _bad("types", self.types, "name at least one, or leave it out")
        if not 0 < self.timeout_s <= 60:
            raise _bad("timeout_s", self.timeout_s, "give seconds, more than 0, at most 60")


@dataclass(frozen=True)
class AlertingSettings:
    """
    Everything alerting is told.

    Raises:
        Malformed: A field is wrong; the message names it and quotes the value.
    """

    rule_files: tuple[str, ...] = ()
    """Paths or globs of rule files."""
    receivers: tuple[Receiver, ...] = ()
    """Where events go; each gets what its ``types`` say."""
    interval_s: float = 1.0
    """Seconds between evaluations."""
    public_url: str = "http://127.0.0.1:4318"
    """Where people open the dashboards; the base of links in alerts."""
    egress_allow: tuple[str, ...] = ()
    """Hosts (``hooks.example.com``, ``*.example.com``) and networks (``10.1.0.0/16``) webhooks may
    go to. Empty: any public address."""
    groups: GroupSettings = field(default_factory=GroupSettings)
    """How groups of rules that ask are evaluated."""
    history_days: int = 90
    """How long resolved alerts and finished deliveries are kept."""

    def __post_init__(self) -> None:
        if not 0 < self.interval_s <= 300:
            raise _bad("interval_s", self.interval_s, "give seconds, more than 0, at most 300")
        if not self.public_url.startswith(("http://", "https://")):
            raise _bad("public_url", self.public_url, "start it with http:// or https://")
        if self.history_days < 4:
            raise _bad("history_days", self.history_days, "at least 4: deliveries are retried for 3")
        parse_allow(self.egress_allow)
        names = [receiver.name for receiver in self.receivers]
        for name in names:
            if names.count(name) > 1:
                raise _bad("receivers", name, "each receiver needs a name of its own")


def _bad(setting: str, value: object, advice: str) -> Malformed:
    return Malformed("bad_setting", f"{setting} = {value!r}: {advice}", setting)
