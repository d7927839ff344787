"""Alerts set by hand, a planner over a real state, and what receivers would get: without rules, engine or sockets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from collector.alerting import history, outbox
from collector.alerting.evaluate import Alert, Change
from collector.alerting.plan import Planner, after
from collector.alerting.routing.tree import build_inhibitions, build_tree
from collector.alerting.settings import ALERT_TYPES, AlertingSettings, Receiver
from collector.state import State, tables
from tests.collector.alerting.conftest import SECRET, START

RECEIVERS = ("pager", "mail")


@dataclass
class World:
    """
    One collector's alerting, as far as planning goes.

    ``fire`` and ``resolve`` say what the next ``round`` finds; ``told`` is what is in the outbox.
    """

    state: State
    routes: list[dict] = field(default_factory=list)
    inhibit: list[dict] = field(default_factory=list)
    on_call: dict[str, str] = field(default_factory=dict)
    more: dict = field(default_factory=dict)
    types: tuple[str, ...] = ALERT_TYPES
    now: datetime = START
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self):
        self.restart()

    def restart(self, **changes):
        """Begin anew over the same state, perhaps with other settings."""
        for name, value in changes.items():
            setattr(self, name, value)
        receivers = tuple(
            Receiver(
                name=name, url="http://127.0.0.1:9/", secret=SECRET, types=self.types, allow_private=True
            )
            for name in RECEIVERS
        )
        self.settings = AlertingSettings(
            receivers=receivers,
            routes=build_tree(self.routes, RECEIVERS),
            inhibit=build_inhibitions(self.inhibit),
            public_url="https://fuse.example",
            **self.more,
        )
        self.planner = Planner(self.settings, lambda: self.on_call)

    def fire(self, rule="Errors", severity="page", **labels):
        """Let an alert begin to fire in the next round."""
        alert = an_alert(rule, severity, self.now, **labels)
        self.changes.append(Change("firing", alert, first=True))
        return alert

    def resolve(self, alert):
        """Let it be resolved in the next round."""
        ended = replace(alert, state="resolved", resolved_at=self.now)
        self.changes.append(Change("resolved", ended))

    def round(self):
        """Take one step; give what it put into the outbox, as (receiver, type, rules that fire, rules that ended)."""
        changes, self.changes = self.changes, []
        before = self.count()
        with self.state.write() as tx:
            living = history.living(tx)
            history.apply(tx, changes)
            events = self.planner.plan(tx, changes, after(living, changes), self.now)
            outbox.enqueue(tx, events, self.settings.receivers, self.now)
        return [summary(row) for row in self.rows()[before:]]

    def forward(self, seconds, step=1.0):
        """Run rounds for *seconds*; give what they told, with the second it was told at."""
        told = []
        for _ in range(int(seconds / step)):
            self.now += timedelta(seconds=step)
            told += [(int((self.now - START).total_seconds()), *each) for each in self.round()]
        return told

    def rows(self):
        """Give the outbox."""
        with self.state.read() as tx:
            return tx.execute(select(tables.outbox).order_by(tables.outbox.c.id)).all()

    def count(self):
        """Count the outbox."""
        return len(self.rows())


def an_alert(rule, severity="page", at=START, fired_s=0.0, **labels):
    """Give a firing alert; labels without env are of demo."""
    at = at + timedelta(seconds=fired_s)
    labels = {"alertname": rule, "severity": severity, "env": "demo", **labels}
    mark = hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
    return Alert(
        id=hashlib.sha256(f"{mark}{at}".encode()).hexdigest()[:24],
        rule_id=hashlib.sha256(rule.encode()).hexdigest()[:16],
        rule=rule,
        fingerprint=mark,
        state="firing",
        pending_since=at,
        fired_at=at,
        resolved_at=None,
        value=1.0,
        labels=labels,
        annotations={},
        instances=(),
        reason="",
        trace_id="",
    )


def summary(row):
    """Give who is told what."""
    data = json.loads(row.payload)["data"]
    alerts = data.get("alerts", [data])
    firing = sorted(name(each) for each in alerts if each.get("state") == "firing")
    ended = sorted(name(each) for each in alerts if each.get("state") == "resolved")
    return row.receiver, row.type, firing, ended


def name(alert):
    """Give an alert's service, or its rule."""
    labels = alert.get("labels", {})
    return labels.get("service") or alert.get("rule", "")
