"""Groups and incidents as the planner makes them, in every receiver's form."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from collector.alerting import Receiver
from collector.alerting.evaluate import Alert
from collector.alerting.events import GroupTold, group_event
from collector.alerting.receivers import KINDS, Message, render
from tests.collector.alerting.receivers.conftest import AT
from tests.collector.alerting.receivers.test_receiver import fields_of

URL = "https://fuse.example"


def alert(number, *, over=False):
    """Give an alert as the evaluator makes it."""
    return Alert(
        id=f"a{number}",
        rule_id="r",
        rule="Down",
        fingerprint=f"f{number}",
        state="resolved" if over else "firing",
        pending_since=AT,
        fired_at=AT,
        resolved_at=AT + timedelta(minutes=5) if over else None,
        value=1.0,
        labels={"alertname": "Down", "service": "cart", "instance": str(number), "severity": "warning"},
        annotations={"summary": f"cart {number} is down"},
        instances=(),
        reason="",
        trace_id="",
    )


def told(firing, ended):
    """Give the message of a group with so many alerts."""
    alerts = [alert(n) for n in range(firing)]
    gone = [alert(100 + n, over=True) for n in range(ended)]
    group = GroupTold("k3y", {"service": "cart"}, ("r",), 1, tuple(alerts), tuple(gone), "inc1")
    event = group_event(group, AT, URL)
    return Message(event.webhook_id, event.subject, event.payload, AT, URL)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("firing", "ended"), [(1, 0), (3, 2), (0, 4), (300, 0)])
def test_every_kind_tells_of_every_group(kind, firing, ended):
    """One alert, several, only ends, more than anybody shows."""
    assert render(told(firing, ended), Receiver(name="r", kind=kind, **fields_of(kind)))


def test_a_group_in_alertmanagers_words():
    """Its labels, its key, its alerts by Prometheus' fingerprints, and how many were left out."""
    am = Receiver(name="r", kind="alertmanager", **fields_of("alertmanager"))
    few, many, over = (json.loads(render(told(*counts), am).body) for counts in ((2, 1), (300, 0), (0, 2)))

    assert few["groupLabels"] == {"service": "cart"}
    assert few["commonLabels"] == {"alertname": "Down", "service": "cart", "severity": "warning"}
    assert few["groupKey"] == over["groupKey"] == '{}/{k3y}:{service="cart"}'
    assert [one["status"] for one in few["alerts"]] == ["firing", "firing", "resolved"]
    assert len({one["fingerprint"] for one in few["alerts"]}) == 3
    assert len(many["alerts"]) + many["truncatedAlerts"] == 300
    assert (few["status"], over["status"]) == ("firing", "resolved")


def test_a_group_is_one_thing_to_a_pager():
    """What joins and leaves updates it, its end closes it; the incident is linked."""
    duty = Receiver(name="r", kind="pagerduty", **fields_of("pagerduty"))
    begun, grown, over = (json.loads(render(told(*counts), duty).body) for counts in ((1, 0), (3, 1), (0, 3)))

    assert begun["dedup_key"] == grown["dedup_key"] == over["dedup_key"]
    assert (begun["event_action"], grown["event_action"], over["event_action"]) == (
        "trigger",
        "trigger",
        "resolve",
    )
    assert grown["payload"]["summary"] == "[FIRING:3] Down"
    assert {link["href"] for link in grown["links"]} >= {"https://fuse.example/incidents/inc1"}
