r"""
The state machine of alerts: (rules, living alerts, breakers now, time) → changes. Pure.

An alert is about one breaker of one service and environment under one rule, all instances
together. The instances first become one *standing*:

=========  ===================================================  =============================
standing   when                                                 what it does
=========  ===================================================  =============================
open       an instance is open or forced_open                   starts pending; pending fires
                                                                when ``for_s`` is over
unclear    none is open, some are half_open or unknown (stale)  starts nothing, ends nothing
closed     all are closed, disabled or metrics_only             ends pending and firing
(absent)   the breaker is not among the answers                 as unclear: no data resolves nothing
=========  ===================================================  =============================

::

    inactive --open--> pending --open ≥ for_s--> firing --closed--> resolved
                          \--closed--> inactive

The clock of ``open for 15s`` starts when the breaker says it opened, not when we looked, and a
half-open trial that fails does not restart it: the service had no dependency all that time.
Source: design.md §7 and §10; Prometheus rules/alerting.go for the four states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from collector.alerting.inputs import BreakerNow
from collector.alerting.rules import Rule
from collector.alerting.templates import number, render
from collector.alerting.timestamps import rfc3339

OPEN = frozenset({"open", "forced_open"})
CLOSED = frozenset({"closed", "disabled", "metrics_only"})

Standing = Literal["open", "unclear", "closed"]
Subject = tuple[str, str, str]  # service, env, breaker


@dataclass(frozen=True)
class Alert:
    """One episode of one rule on one subject; *id* is new for each episode."""

    id: str
    rule_id: str
    rule: str
    fingerprint: str
    state: Literal["pending", "firing", "resolved"]
    pending_since: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    value: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    instances: Sequence[Mapping[str, str]]
    reason: str
    trace_id: str
    missing_since: datetime | None = None
    """Since when nobody knows whether it is over."""
    kept_since: datetime | None = None
    """Since when it fires on after its condition has ended."""

    @property
    def matchable(self) -> dict[str, str]:
        """Its labels, with the rule's name as ``alertname``: what silences, routes and inhibitions match."""
        return {"alertname": self.rule, **self.labels}


@dataclass(frozen=True)
class Change:
    """*alert* as it is from now on; ``dropped`` = pending that ended without firing; *first* of its episode or not."""

    kind: Literal["pending", "firing", "resolved", "dropped"]
    alert: Alert
    first: bool = False


@dataclass(frozen=True)
class Reading:
    """All instances of one breaker (*group*) at one time; *opened* is the instance open for longest, if any."""

    subject: Subject
    standing: Standing
    opened: BreakerNow | None
    group: Sequence[BreakerNow]

    @property
    def target(self) -> str:
        """What it protects against, "" if none of its instances says."""
        return next((each.target for each in self.group if each.target), "")

    @property
    def instances(self) -> list[Mapping[str, str]]:
        """Each instance with its state, by name: written for what is told only, for a round reads thousands."""
        return [
            {"instance": each.instance, "state": each.state, "since": rfc3339(each.since)}
            for each in sorted(self.group, key=lambda each: each.instance)
        ]


def evaluate(
    rules: Iterable[Rule], living: Iterable[Alert], breakers: Sequence[BreakerNow], now: datetime
) -> Iterator[Change]:
    """
    Take one step.

    Args:
        rules: All current rules.
        living: Every pending and firing alert; one whose rule is gone ends here.
        breakers: Current state per breaker and instance; empty = no data = no change.
        now: Aware.

    Yields:
        One change per alert that changes.
    """
    left = {(alert.rule_id, alert.fingerprint): alert for alert in living}
    known = set()
    for rule in rules:
        known.add(rule.id)
        for reading in read_subjects(_matching(rule, breakers)):
            change = _step(rule, left.get((rule.id, fingerprint(reading.subject))), reading, now)
            if change:
                yield change
    for alert in left.values():
        if alert.rule_id not in known:
            yield _end(alert, replace(alert, reason="the rule was removed"), now)


def read_subjects(breakers: Iterable[BreakerNow]) -> Iterator[Reading]:
    """Put the instances of each breaker together."""
    groups: dict[Subject, list[BreakerNow]] = {}
    for breaker in breakers:
        groups.setdefault((breaker.service, breaker.env, breaker.breaker), []).append(breaker)
    for subject, group in sorted(groups.items()):
        opened = min((b for b in group if b.state in OPEN), key=lambda b: b.since, default=None)
        yield Reading(
            subject=subject,
            standing=_standing(group),
            opened=opened,
            group=group,
        )


def fingerprint(subject: Subject) -> str:
    """Give the stable name of a subject: 16 hex digits over service, env and breaker."""
    return hashlib.sha256("\0".join(subject).encode()).hexdigest()[:16]


def _matching(rule: Rule, breakers: Iterable[BreakerNow]) -> Iterator[BreakerNow]:
    if not rule.matchers:
        yield from breakers
        return
    for breaker in breakers:
        labels = {
            "service": breaker.service,
            "env": breaker.env,
            "breaker": breaker.breaker,
            "target": breaker.target,
            "instance": breaker.instance,
        }
        if all(matcher.matches(labels) for matcher in rule.matchers):
            yield breaker


def _standing(group: Sequence[BreakerNow]) -> Standing:
    if any(breaker.state in OPEN for breaker in group):
        return "open"
    return "closed" if all(breaker.state in CLOSED for breaker in group) else "unclear"


def _step(rule: Rule, alert: Alert | None, reading: Reading, now: datetime) -> Change | None:
    if reading.standing == "closed" and alert:
        return _end(alert, _seen(rule, alert, reading, now), now)
    if reading.opened is None:
        return None
    if alert is None:
        return _begin(rule, reading, reading.opened, now)
    if alert.state == "pending" and _seconds(alert.pending_since, now) >= rule.for_s:
        return Change("firing", replace(_seen(rule, alert, reading, now), state="firing", fired_at=now))
    return None


def _begin(rule: Rule, reading: Reading, opened: BreakerNow, now: datetime) -> Change:
    since = min(opened.since, now)  # a clock ahead of ours must not delay the page
    firing = _seconds(since, now) >= rule.for_s
    mark = fingerprint(reading.subject)
    alert = Alert(
        id=hashlib.sha256(f"{rule.id}\0{mark}\0{now.isoformat()}".encode()).hexdigest()[:24],
        rule_id=rule.id,
        rule=rule.name,
        fingerprint=mark,
        state="firing" if firing else "pending",
        pending_since=since,
        fired_at=now if firing else None,
        resolved_at=None,
        value=0.0,
        labels={},
        annotations={},
        instances=(),
        reason=opened.reason,
        trace_id=opened.trace_id,
    )
    return Change("firing" if firing else "pending", _seen(rule, alert, reading, now), first=True)


def _end(alert: Alert, seen: Alert, now: datetime) -> Change:
    if alert.state == "pending":
        return Change("dropped", alert)
    value = _seconds(alert.pending_since, now)
    return Change("resolved", replace(seen, state="resolved", resolved_at=now, value=value))


def _seen(rule: Rule, alert: Alert, reading: Reading, now: datetime) -> Alert:
    """Give *alert* with labels, annotations, value and instances of this moment."""
    service, env, breaker = reading.subject
    subject = {"service": service, "env": env, "breaker": breaker, "target": reading.target}
    value = _seconds(alert.pending_since, now)
    labels = {name: render(text, subject, value) for name, text in rule.labels.items()} | subject
    return replace(
        alert,
        rule=rule.name,
        value=value,
        labels=labels,
        annotations={name: render(text, labels, value) for name, text in rule.annotations.items()},
        instances=reading.instances,
        reason=reading.opened.reason if reading.opened else alert.reason,
        trace_id=(reading.opened.trace_id if reading.opened else "") or alert.trace_id,
    )


def sentence(alert: Alert) -> str:
    """Say in one line what the alert says: its summary or description, else our own words."""
    written = alert.annotations.get("summary") or alert.annotations.get("description")
    if written:
        return written
    labels = alert.labels
    if "breaker" not in labels:
        named = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
        return f"{alert.rule} ({named}): {number(alert.value)}"
    what = f"breaker {labels.get('breaker', '')!r} of {labels.get('service', '')} ({labels.get('env', '')})"
    if alert.state == "resolved":
        return f"{what} has closed after {number(alert.value)} s"
    return f"{what} has been open for {number(alert.value)} s"


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())
