"""Slack, Teams, PagerDuty, Opsgenie: their forms and limits, and that nothing a service wrote acts in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerting import Receiver
from collector.alerting.receivers import render
from tests.collector.alerting.receivers.conftest import alert, group, message, resolved

SLACK = Receiver("chat", "https://hooks.slack.example/services/T/B/x", kind="slack")
TEAMS = Receiver("teams", "https://prod.logic.example/workflows/x?sig=y", kind="msteams")
DUTY = Receiver("duty", kind="pagerduty", routing_key="R" * 32)
GENIE = Receiver("genie", kind="opsgenie", api_key="K" * 36)
HOSTILE = "<!channel> & [click](https://evil.example) *now* <https://evil.example|here>"


def texts(value):
    """Give every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in texts(one)]


def test_slack_says_what_where_and_since(body):
    """A header with the state, the alert with its labels, a link; a fallback text for notifications."""
    told = body(SLACK)

    assert told["text"] == "[FIRING] checkout has lost payment for 15 s"
    assert told["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": "[FIRING] checkout has lost payment for 15 s",
        "emoji": False,
    }
    section, context = told["attachments"][0]["blocks"]
    assert section["text"]["text"].splitlines() == [
        "*BreakerOpen* firing: checkout has lost payment for 15 s",
        "`severity=page` `service=checkout` `env=demo` `breaker=payment` `target=payment`",
    ]
    assert context["elements"][0]["text"] == (
        "<https://fuse.example/breakers/checkout/payment?env=demo|Open in Fuseboard>"
    )


def test_slack_acts_on_nothing_a_service_wrote(body):
    """No mention, no link but ours: & < > are escaped wherever mrkdwn is read."""
    told = body(
        SLACK, group(alert(message=HOSTILE, annotations={"x<y": HOSTILE}, labels={"team": HOSTILE}), alert())
    )

    read = [block["text"]["text"] for block in told["attachments"][0]["blocks"] if block["type"] == "section"]
    assert "<!" not in "".join([*read, told["text"]])
    assert "<https://evil" not in "".join(read)
    assert "&lt;!channel&gt; &amp;" in read[0]


def test_slack_keeps_its_limits(body):
    """Ten alerts are told and the rest counted; nothing is longer than Slack takes, no escape is cut in half."""
    told = body(SLACK, group(*[alert(message="&" * 5000) for _ in range(40)], truncated=2, title="T" * 400))
    sections = [b["text"]["text"] for b in told["attachments"][0]["blocks"] if b["type"] == "section"]

    assert len(told["blocks"][0]["text"]["text"]) == 150
    assert max(map(len, sections)) <= 3000
    assert sections[-1] == "… and 32 more"
    assert sections[0].endswith("&amp;…")


def test_teams_gets_an_adaptive_card(body):
    """The envelope a workflow's "post card" step reads, a title in the colour of the state, facts, a button."""
    told = body(TEAMS, resolved(), "alert.resolved")
    (attachment,) = told["attachments"]
    card = attachment["content"]

    assert told["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"] == r"\[RESOLVED\] checkout has lost payment for 15 s"
    assert card["body"][0]["color"] == "good"
    assert {"title": "service", "value": "checkout"} in card["body"][2]["facts"]
    assert card["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Open in Fuseboard",
            "url": "https://fuse.example/breakers/checkout/payment?env=demo",
        }
    ]


def test_teams_acts_on_nothing_a_service_wrote(body):
    """Markdown of a service is text, and an address that is no web page is no button."""
    told = body(TEAMS, alert(message=HOSTILE, url="javascript:alert(1)"))
    card = told["attachments"][0]["content"]

    assert "[click](" not in "".join(texts(card["body"]))
    assert card["actions"] == []


def test_teams_stays_under_its_size():
    """Forty long alerts: as many as fit in 28 KB, the others counted."""
    made = [
        alert(message="é" * 3000, annotations={f"a{n}": "x" * 3000 for n in range(20)}) for _ in range(40)
    ]
    told = message(group(*made))

    sent = render(told, TEAMS).body
    assert len(sent) < 28_000
    assert "more" in json.loads(sent)["attachments"][0]["content"]["body"][-1]["text"]


@pytest.mark.parametrize(
    ("severity", "level", "priority"),
    [
        ("page", "critical", "P1"),
        ("CRITICAL", "critical", "P1"),
        ("error", "error", "P2"),
        ("warning", "warning", "P3"),
        ("ticket", "warning", "P3"),
        ("info", "info", "P5"),
        ("whatever", "error", "P2"),
        ("", "error", "P2"),
    ],
)
def test_severities_are_mapped(body, severity, level, priority):
    """PagerDuty knows four, Opsgenie five; a word nobody knows is an error, not a silence."""
    data = alert(labels={"severity": severity})

    assert body(DUTY, data)["payload"]["severity"] == level
    assert body(GENIE, data)["priority"] == priority


def test_a_group_is_as_grave_as_its_gravest_firing_alert(body):
    """A resolved page beside a firing warning is a warning."""
    data = group(resolved(), alert(labels={"severity": "warning"}), alert(labels={"severity": "info"}))

    assert body(DUTY, data)["payload"]["severity"] == "warning"


def test_pagerduty_pairs_trigger_acknowledge_and_resolve(body):
    """One dedup_key for all of them, another for another subject; only a trigger carries a payload."""
    trigger = body(DUTY)
    acknowledged = body(DUTY, {"id": "i", "state": "acknowledged", "title": "t"}, "incident.updated")
    ended = body(DUTY, resolved(), "alert.resolved")

    assert (trigger["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert acknowledged["event_action"] == "acknowledge"
    assert trigger["dedup_key"] == ended["dedup_key"] != body(DUTY, subject="other")["dedup_key"]
    assert (trigger["routing_key"], "payload" in ended) == ("R" * 32, False)
    assert trigger["payload"]["summary"] == "[FIRING] checkout has lost payment for 15 s"
    assert trigger["payload"]["source"] == "checkout"
    assert trigger["payload"]["timestamp"] == "2026-11-22T03:00:15.000000000Z"
    assert trigger["payload"]["custom_details"]["alerts"][0]["breaker"] == "payment"
    assert trigger["links"][0]["href"] == "https://fuse.example/breakers/checkout/payment?env=demo"


def test_a_groups_key_does_not_depend_on_its_alerts(body):
    """An alert that joins or leaves updates the same incident there."""
    one, two = body(DUTY, group(alert())), body(DUTY, group(resolved(), alert(), truncated=1), subject="else")

    assert one["dedup_key"] == two["dedup_key"]


def test_opsgenie_creates_acknowledges_and_closes_by_alias():
    """The alias is the alert's own; the key stands in the header."""
    created = render(message(), GENIE)
    closed = render(message(resolved(), "alert.resolved"), GENIE)
    taken = render(message({"id": "i", "status": "acknowledged"}, "incident.updated"), GENIE)
    alias = json.loads(created.body)["alias"]

    assert created.url == "https://api.opsgenie.com/v2/alerts"
    assert created.headers["Authorization"] == "GenieKey " + "K" * 36
    assert closed.url == f"https://api.opsgenie.com/v2/alerts/{alias}/close?identifierType=alias"
    assert taken.url.endswith("/acknowledge?identifierType=alias")
    told = json.loads(created.body)
    assert told["message"] == "[FIRING] checkout has lost payment for 15 s"
    assert told["tags"][:2] == ["alertname:BreakerOpen", "severity:page"]
    assert told["details"]["service"] == "checkout"


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=3000),
    st.dictionaries(st.text(min_size=1, max_size=200), st.text(max_size=2000), max_size=30),
    st.integers(1, 60),
    st.sampled_from(["firing", "resolved"]),
)
def test_no_text_breaks_a_limit(text, labels, count, state):
    """Whatever services and rules write, every kind makes JSON within its receiver's bounds."""
    data = group(*[alert(message=text, labels=labels, annotations=labels, state=state)] * count, title=text)
    told = message(data)
    slack, teams, duty, genie = (render(told, receiver) for receiver in (SLACK, TEAMS, DUTY, GENIE))

    assert len(json.loads(slack.body)["attachments"][0]["blocks"]) <= 50
    assert len(teams.body) < 28_000
    assert len(duty.body) < 512 * 1024
    if state == "firing":
        made = json.loads(genie.body)
        assert len(made["message"]) <= 130
        assert len(made["description"]) <= 15_000
        assert all(len(tag) <= 50 for tag in made["tags"])
        assert len(json.loads(duty.body)["payload"]["summary"]) <= 1024
