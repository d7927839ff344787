"""Alertmanager's webhook body, version 4."""

from __future__ import annotations

import pytest

from collector.alerting import Receiver
from collector.alerting.receivers import render
from collector.alerting.receivers.notice import fingerprint
from tests.collector.alerting.receivers.conftest import SECRET, alert, group, message, resolved

RECEIVER = Receiver("am", "https://hooks.example.com/am", kind="alertmanager")
LABELS = {
    "alertname": "BreakerOpen",
    "breaker": "payment",
    "env": "demo",
    "service": "checkout",
    "severity": "page",
    "target": "payment",
}


def test_one_alert_is_a_group_of_its_own(body):
    """Every field Alertmanager sends, of its type and form."""
    assert body(RECEIVER) == {
        "receiver": "am",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": LABELS,
                "annotations": {"summary": "checkout has lost payment for 15 s"},
                "startsAt": "2026-11-22T03:00:15.000000000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://fuse.example/breakers/checkout/payment?env=demo",
                "fingerprint": fingerprint(LABELS),
            }
        ],
        "groupLabels": LABELS,
        "commonLabels": LABELS,
        "commonAnnotations": {"summary": "checkout has lost payment for 15 s"},
        "externalURL": "https://fuse.example",
        "version": "4",
        "groupKey": '{}:{alertname="BreakerOpen", breaker="payment", env="demo", service="checkout",'
        ' severity="page", target="payment"}',
        "truncatedAlerts": 0,
    }


def test_a_resolved_alert_has_an_end_and_the_same_identity(body):
    """Receivers pair the two by fingerprint and group key."""
    before, after = body(RECEIVER), body(RECEIVER, resolved(), "alert.resolved")

    assert (after["status"], after["alerts"][0]["status"]) == ("resolved", "resolved")
    assert after["alerts"][0]["endsAt"] == "2026-11-22T03:05:00.000000000Z"
    assert after["alerts"][0]["fingerprint"] == before["alerts"][0]["fingerprint"]
    assert after["groupKey"] == before["groupKey"]


def test_a_group_says_what_its_alerts_share(body):
    """Common labels are those all agree on; one that fires makes the group fire; what was cut off is counted."""
    told = body(RECEIVER, group(resolved(), alert(labels={"breaker": "stock"}, annotations={}), truncated=3))

    assert told["status"] == "firing"
    assert [one["status"] for one in told["alerts"]] == ["resolved", "firing"]
    assert "breaker" not in told["commonLabels"]
    assert told["commonLabels"]["service"] == "checkout"
    assert told["commonAnnotations"] == {}
    assert told["groupLabels"] == {"service": "checkout"}
    assert told["groupKey"] == '{}/{0123abcd}:{service="checkout"}'
    assert told["truncatedAlerts"] == 3


def test_fingerprints_are_prometheus_own():
    """Of the empty set (FNV-1a's offset), and a label set whose fingerprint prometheus/common's tests state."""
    assert fingerprint({}) == "cbf29ce484222325"
    assert (
        int(fingerprint({"name": "garland, briggs", "fear": "love is not enough"}), 16) == 5799056148416392346
    )


@pytest.mark.parametrize(
    ("kind", "data", "name", "status"),
    [
        ("breaker.opened", {"service": "s", "breaker": "b", "since": "t"}, "FuseboardBreaker", "firing"),
        ("breaker.closed", {"service": "s", "breaker": "b", "since": "t"}, "FuseboardBreaker", "resolved"),
        ("incident.opened", {"id": "inc_1", "title": "lost"}, "FuseboardIncident", "firing"),
        ("incident.resolved", {"id": "inc_1", "title": "lost"}, "FuseboardIncident", "resolved"),
        ("heartbeat", {"message": "alive"}, "Watchdog", "firing"),
        ("test", {"message": "hello"}, "FuseboardTest", "firing"),
    ],
)
def test_what_is_no_alert_has_labels_of_its_own(body, kind, data, name, status):
    """The same labels when it begins and when it ends: a receiver that knows alerts only can pair them."""
    told = body(RECEIVER, data, kind)

    assert (told["status"], told["alerts"][0]["labels"]["alertname"]) == (status, name)
    assert told["alerts"][0]["startsAt"]


def test_with_a_secret_it_is_signed_too():
    """The id stands there always, the signature where there is a secret."""
    plain = render(message(), RECEIVER).headers
    signed = render(message(), Receiver("am", RECEIVER.url, SECRET, kind="alertmanager", token="t")).headers

    assert (plain["webhook-id"], "webhook-signature" in plain) == ("msg_1", False)
    assert signed["webhook-signature"].startswith("v1,")
    assert signed["Authorization"] == "Bearer t"
