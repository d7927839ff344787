"""Settings of alerting: frozen, checked on construction, secrets out of every repr."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.guard import parse_allow
from collector.alerting.heartbeat_settings import HeartbeatSettings
from collector.alerting.incidents.step import IncidentSettings
from collector.alerting.inhibition import InhibitRule
from collector.alerting.receivers import ALERT_TYPES, EVENT_TYPES, Receiver, check_body
from collector.alerting.routing.route import Tree
from collector.errors import Malformed

__all__ = ["ALERT_TYPES", "EVENT_TYPES", "AlertingSettings", "Receiver"]


@dataclass(frozen=True)
class AlertingSettings:
    """
    Everything alerting is told.

    Raises:
        Malformed: A field is wrong; the message names it and quotes the value.
    """

    rule_files: tuple[str, ...] = ()
    """Paths or globs of rule files."""
    default_rules: bool = False
    """Whether our own rules are there beside them."""
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
    routes: Tree = field(default_factory=Tree)
    """Who is told of which alerts, grouped how; without routes every receiver that asks, at once."""
    inhibit: tuple[InhibitRule, ...] = ()
    """Which alerts nobody is told of while which others fire."""
    topology_inhibition: bool = False
    """Whether nobody is told of callers' alerts that a failing dependency's alert explains."""
    incidents: IncidentSettings = field(default_factory=IncidentSettings)
    """When incidents begin."""
    flap_damping: bool = False
    """Whether an alert that comes and goes is told once."""
    heartbeat: HeartbeatSettings | None = None
    """The dead-man's; None = none."""
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
        for receiver in self.receivers:
            check_body(receiver)
        names = [receiver.name for receiver in self.receivers]
        for name in names:
            if names.count(name) > 1:
                raise _bad("receivers", name, "each receiver needs a name of its own")


def _bad(setting: str, value: object, advice: str) -> Malformed:
    return Malformed("bad_setting", f"{setting} = {value!r}: {advice}", setting)
