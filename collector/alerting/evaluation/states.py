r"""
The state machine of label sets: (rule, its living alerts, findings, what is over, time) -> what changes. Pure.

::

    inactive --found--> pending --found, for over--> firing --over, keep_firing_for over--> resolved
                            \--over--> inactive          \--found: keeps firing, its clock begins anew--/

*found* = its labels are among the answers. *over* = they are not, and the data says that the condition has ended. Neither = nobody knows: nothing ends,
nothing begins, no clock is set back. An alert that stays like that for ``silence_s`` ends with that as its reason.
Source: Prometheus rules/alerting.go; docs/adr/0042.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.alerting.evaluate import Alert, Change
from collector.alerting.evaluation.labelling import Finding
from collector.alerting.rules.rule import Rule


@dataclass(frozen=True)
class Step:
    """
    What one evaluation of a rule brought.

    Attributes:
        changes: Told to people.
        notes: Alerts that remember something new which nobody is told.
        values: Of living alerts, by id.
    """

    changes: Sequence[Change] = ()
    notes: Sequence[Alert] = ()
    values: Mapping[str, float] = field(default_factory=dict)


def step(
    rule: Rule,
    living: Mapping[str, Alert],
    found: Mapping[str, Finding],
    over: Collection[str],
    at: datetime,
    silence_s: float,
    annotate: Callable[[Finding], Mapping[str, str]],
) -> Step:
    """
    Take one step.

    Args:
        rule: Evaluated.
        living: Its pending and firing alerts by fingerprint.
        found: By fingerprint.
        over: Fingerprints of living alerts that are not found and are over.
        at: The time it was evaluated for.
        silence_s: Seconds without an answer after which an alert ends; 0 = never.
        annotate: Fills the rule's annotations, for those that change.
    """
    changes = list(_of_found(rule, living, found, at, annotate))
    notes: list[Alert] = []
    for mark, alert in living.items():
        if mark not in found:
            ended = _missing(rule, alert, at, silence_s, over=mark in over)
            if isinstance(ended, Change):
                changes.append(ended)
            elif ended is not alert:
                notes.append(ended)
        elif alert.missing_since or alert.kept_since:
            notes.append(replace(alert, missing_since=None, kept_since=None))
    fired = {change.alert.id for change in changes}
    values = {alert.id: found[mark].sample.value for mark, alert in living.items() if mark in found}
    return Step(changes, [note for note in notes if note.id not in fired], values)


def _of_found(
    rule: Rule,
    living: Mapping[str, Alert],
    found: Mapping[str, Finding],
    at: datetime,
    annotate: Callable[[Finding], Mapping[str, str]],
) -> Iterator[Change]:
    for mark, finding in found.items():
        alert = living.get(mark)
        if alert is None:
            yield _begin(rule, finding, at, annotate(finding))
        elif alert.state == "pending" and _seconds(alert.pending_since, at) >= rule.for_s:
            seen = replace(alert, value=finding.sample.value, annotations=annotate(finding))
            yield Change(
                "firing", replace(seen, state="firing", fired_at=at, missing_since=None, kept_since=None)
            )


def _begin(rule: Rule, finding: Finding, at: datetime, annotations: Mapping[str, str]) -> Change:
    firing = rule.for_s <= 0
    alert = Alert(
        id=hashlib.sha256(f"{rule.id}\0{finding.fingerprint}\0{at.isoformat()}".encode()).hexdigest()[:24],
        rule_id=rule.id,
        rule=rule.name,
        fingerprint=finding.fingerprint,
        state="firing" if firing else "pending",
        pending_since=at,
        fired_at=at if firing else None,
        resolved_at=None,
        value=finding.sample.value,
        labels=finding.labels,
        annotations=annotations,
        instances=(),
        reason="",
        trace_id="",
    )
    return Change("firing" if firing else "pending", alert, first=True)


def _missing(rule: Rule, alert: Alert, at: datetime, silence_s: float, *, over: bool) -> Change | Alert:
    """Say what becomes of an alert that is not found."""
    since = alert.missing_since or at
    if not over:
        if silence_s and _seconds(since, at) >= silence_s:
            return _ended(alert, at, f"nothing was heard of it for {_seconds(since, at):.0f} s")
        return alert if alert.missing_since else replace(alert, missing_since=at)
    if alert.state == "pending":
        return Change("dropped", alert)
    kept = alert.kept_since or at
    if _seconds(kept, at) < rule.keep_firing_for_s:
        return alert if alert.kept_since else replace(alert, kept_since=at, missing_since=None)
    return _ended(alert, at, "")


def _ended(alert: Alert, at: datetime, reason: str) -> Change:
    if alert.state == "pending":
        return Change("dropped", alert)
    return Change("resolved", replace(alert, state="resolved", resolved_at=at, reason=reason))


def removed(alerts: Sequence[Alert], at: datetime) -> Iterator[Change]:
    """End the alerts of rules that are no more."""
    return (_ended(alert, at, "the rule was removed") for alert in alerts)


def _seconds(start: datetime, end: datetime) -> float:
    return max(timedelta(), end - start).total_seconds()
