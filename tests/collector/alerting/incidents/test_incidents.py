"""Pages open incidents, what has one root is one of them, and everything that happened can be read afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.hands import Hands
from collector.alerting.matching import parse_matchers
from collector.alerting.settings import EVENT_TYPES
from collector.alerting.silences import store as silence_store
from collector.alerting.silences.silence import Silence
from collector.errors import Conflict, Malformed, NotFound
from tests.collector.alerting.conftest import Breaker
from tests.collector.alerting.world import World

ROUTE = {
    "receiver": "pager",
    "group_by": ["..."],
    "group_wait": 0,
    "group_interval": 0,
    "repeat_interval": "10m",
}


@pytest.fixture
def world(state):
    """A planner without routes whose receivers want everything."""
    return World(state, types=EVENT_TYPES)


@pytest.fixture
def incidents(world):
    """Read the incidents."""
    return Answers(world.state, "https://fuse.example")


@pytest.fixture
def hands(world):
    """Do things by hand."""
    return Hands(world.state, world.settings.receivers, "https://fuse.example", lambda: world.now)


def told(world):
    """Give the types of incident events that the pager was told, in order."""
    rows = [row for row in world.rows() if row.receiver == "pager"]
    return [row.type.removeprefix("incident.") for row in rows if row.type.startswith("incident.")]


def kinds(incident):
    """Give the time line's kinds."""
    return [entry["kind"] for entry in incident["timeline"]]


def test_a_page_opens_an_incident_and_its_end_resolves_it(world, incidents):
    """With entries for both, and events to whoever asks."""
    cart = world.fire(service="cart")
    world.round()
    (row,) = incidents.page((), 10)
    assert (row["state"], row["service"], row["title"]) == ("open", "cart", "cart is in trouble in demo")
    assert (row["alerts_firing"], row["alerts_count"]) == (1, 1)
    world.resolve(cart)
    world.round()

    whole = incidents.one(row["id"])
    assert whole["state"] == "resolved"
    assert kinds(whole) == ["opened", "alert_joined", "alert_resolved", "resolved"]
    assert told(world) == ["opened", "resolved"]
    data = json.loads(world.rows()[-1].payload)["data"]
    assert (data["id"], data["state"], data["url"]) == (
        row["id"],
        "resolved",
        f"https://fuse.example/incidents/{row['id']}",
    )


def test_a_ticket_joins_and_opens_nothing(world, incidents):
    """Before the page it waits; with the page it belongs to the same incident."""
    world.fire("Slow", "ticket", service="cart")
    world.round()
    assert incidents.page((), 10) == []
    world.fire(service="cart")
    world.round()
    world.forward(2)

    (row,) = incidents.page((), 10)
    assert row["alerts_count"] == 2


def test_a_page_soon_after_opens_it_again_and_later_another(world, incidents):
    """Within half an hour it is the same incident."""
    for pause in (60, 1000, 2000):
        cart = world.fire(service="cart")
        world.round()
        world.now += timedelta(seconds=5)
        world.resolve(cart)
        world.round()
        world.now += timedelta(seconds=pause)
    world.fire(service="cart")
    world.round()

    found = incidents.page((), 10)
    assert [row["state"] for row in found] == ["open", "resolved"]
    assert found[1]["alerts_count"] == 3
    assert told(world) == ["opened", "resolved", "updated", "resolved", "updated", "resolved", "opened"]


def test_callers_join_the_incident_of_their_dependency_with_the_evidence(world, incidents):
    """Checkout's alert is payment's incident, because of checkout's open breaker."""
    world.planner.breakers = [replace(Breaker(), service="checkout", target="payment")]
    world.fire(service="payment")
    world.fire(service="checkout")
    world.round()

    (row,) = incidents.page((), 10)
    whole = incidents.one(row["id"])
    assert whole["service"] == "payment"
    evidence = {alert["labels"]["service"]: alert["evidence"] for alert in whole["alerts"]}
    assert evidence["payment"] == []
    assert evidence["checkout"][0]["message"] == "checkout's breaker 'payment' on payment is open"


def test_two_incidents_are_merged_when_one_explains_the_other(world, incidents):
    """Checkout paged first; then its breaker opened on payment, which pages too."""
    world.fire(service="checkout")
    world.round()
    world.now += timedelta(seconds=30)
    world.planner.breakers = [replace(Breaker(), service="checkout", target="payment")]
    world.fire(service="payment")
    world.round()
    world.forward(2)

    living = incidents.page(("open",), 10)
    assert [row["service"] for row in living] == ["checkout"]
    assert living[0]["alerts_count"] == 2


def test_two_that_stand_are_merged_into_the_roots(world, incidents):
    """Both paged before anything explained them."""
    world.fire(service="checkout")
    world.fire(service="payment")
    world.round()
    assert len(incidents.page((), 10)) == 2
    world.planner.breakers = [replace(Breaker(), service="checkout", target="payment")]
    world.forward(2)

    (living,) = incidents.page(("open",), 10)
    (gone,) = incidents.page(("merged",), 10)
    assert (living["service"], gone["service"], gone["merged_into"]) == ("payment", "checkout", living["id"])
    assert living["alerts_count"] == 2
    entry = next(each for each in incidents.one(living["id"])["timeline"] if each["kind"] == "merged")
    assert "checkout's breaker 'payment' on payment is open" in entry["text"]


def test_one_page_for_the_dependency_the_callers_are_shown_and_not_told(state):
    """With routes: payment is told, its callers are inhibited; when payment ends and checkout still fires, it is told."""
    world = World(state, routes=[ROUTE], more={"topology_inhibition": True})
    world.planner.breakers = [replace(Breaker(), service="checkout", target="payment")]
    payment = world.fire(service="payment")
    checkout = world.fire(service="checkout")
    assert [row[2] for row in world.round()] == [["payment"]]
    with state.read() as tx:
        assert world.planner.muted(tx, [payment, checkout], world.now).of(checkout).inhibited_by == (
            payment.id,
        )
    assert world.forward(5) == []
    world.resolve(payment)

    assert [row[3:] for row in world.forward(2)] == [([], ["payment"]), (["checkout"], [])]


def test_without_routes_callers_are_told_as_before(world):
    """Each alert at once, to all; only the incident knows that they are one story."""
    world.planner.breakers = [replace(Breaker(), service="checkout", target="payment")]
    world.fire(service="payment")
    world.fire(service="checkout")

    alerts = [row for row in world.round() if row[1] == "alert.firing"]
    assert [row[2] for row in alerts] == [["payment"]] * 2 + [["checkout"]] * 2


def test_a_silenced_page_opens_nothing_until_the_silence_ends(world, incidents):
    """Nobody asked for it to be seen."""
    with world.state.write() as tx:
        ends = world.now + timedelta(seconds=30)
        silence = Silence(
            "s", parse_matchers("service=cart"), world.now, ends, "a", "b", world.now, world.now
        )
        silence_store.write(tx, silence)
    world.fire(service="cart")
    world.round()
    assert incidents.page((), 10) == []
    world.forward(31)

    assert len(incidents.page((), 10)) == 1


def test_people_acknowledge_note_and_resolve(world, incidents, hands):
    """Each with its author, told as an update, and kept."""
    world.fire(service="cart")
    world.round()
    (row,) = incidents.page((), 10)
    hands.acknowledge(row["id"], "ada", "on it")
    hands.note(row["id"], "bob", "restarted cart-2")
    hands.resolve(row["id"], "ada")
    world.forward(3)

    whole = incidents.one(row["id"])
    assert whole["state"] == "resolved"
    said = [(each["kind"], each["by"], each["text"]) for each in whole["timeline"][2:]]
    assert said == [
        ("acknowledged", "ada", "on it"),
        ("note", "bob", "restarted cart-2"),
        ("resolved", "ada", ""),
    ]
    assert told(world) == ["opened", "updated", "updated", "resolved"]
    with pytest.raises(Conflict):
        hands.acknowledge(row["id"], "ada")
    hands.note(row["id"], "ada", "the disk was full")


def test_acknowledged_alerts_are_not_repeated(state):
    """Ten minutes after the page somebody works on it; new alerts are told all the same."""
    world = World(state, routes=[ROUTE])
    world.fire(service="cart")
    assert len(world.round()) == 1
    answers = Answers(state, "")
    hands = Hands(state, world.settings.receivers, "", lambda: world.now)
    hands.acknowledge(answers.page((), 1)[0]["id"], "ada")
    assert world.forward(900, step=10) == []
    world.fire("Slow", service="cart")

    assert len(world.round()) == 1


def test_people_merge_what_they_know_to_be_one(world, incidents, hands):
    """New alerts of the merged one's root join the one that goes on."""
    world.fire(service="cart")
    world.fire(service="bank")
    world.round()
    ids = {row["service"]: row["id"] for row in incidents.page((), 10)}
    hands.merge(ids["cart"], ids["bank"], "ada", "one deploy")
    world.fire("Slow", service="cart")
    world.round()

    (row,) = incidents.page((), 10)
    assert (row["id"], row["alerts_count"]) == (ids["bank"], 3)
    with pytest.raises(Conflict, match=f"merged into {ids['bank']}"):
        hands.acknowledge(ids["cart"], "ada")


def test_what_makes_no_sense_is_refused(world, incidents, hands):
    """Nobody, nothing, nowhere, itself."""
    world.fire(service="cart")
    world.round()
    one = incidents.page((), 10)[0]["id"]
    for ask, code in (
        (lambda: hands.acknowledge(one, " "), "bad_incident"),
        (lambda: hands.acknowledge(one, "x" * 300), "bad_incident"),
        (lambda: hands.note(one, "ada", " "), "bad_incident"),
        (lambda: hands.note(one, "ada", "x" * 20_000), "bad_incident"),
        (lambda: hands.merge(one, one, "ada"), "bad_incident"),
        (lambda: incidents.page(("broken",), 10), "bad_incident"),
    ):
        with pytest.raises(Malformed) as caught:
            ask()
        assert caught.value.code == code
    for lost in (
        lambda: hands.resolve("x", "ada"),
        lambda: hands.merge(one, "x", "ada"),
        lambda: incidents.one("x"),
    ):
        with pytest.raises(NotFound):
            lost()
    assert kinds(incidents.one(one)) == ["opened", "alert_joined"]


def test_an_alert_that_flaps_keeps_its_incident_open(state):
    """Until it has been quiet."""
    world = World(state, routes=[ROUTE], more={"flap_damping": True}, types=EVENT_TYPES)
    for _ in range(5):
        cart = world.fire(service="cart")
        world.forward(20, step=5)
        world.resolve(cart)
        world.forward(20, step=5)
    answers = Answers(state, "")
    assert answers.page((), 10)[0]["state"] == "open"
    world.forward(700, step=5)

    (row,) = answers.page((), 10)
    assert row["state"] == "resolved"


def test_the_export_is_markdown_in_which_words_stay_words(world, incidents, hands):
    """Headings, facts, time line; pipes, stars and HTML of services and people are escaped."""
    world.fire(service="cart")
    world.round()
    (row,) = incidents.page((), 10)
    hands.note(row["id"], "ada", "# not a heading | <script>alert(1)</script>\n**bold**")
    text = incidents.export(row["id"])

    assert text.startswith("# cart is in trouble in demo\n")
    assert "## Time line (UTC)" in text
    assert "| Opened | 2026-11-22 03:00:00 |" in text
    assert r"\# not a heading \| \<script\>alert(1)\</script\> \*\*bold\*\*" in text
    assert "## Actions" in text


def test_a_storm_is_one_incident_per_rule(world, incidents):
    """Alerts about no service are; and of services that page in one round those beyond a hundred."""
    for number in range(300):
        world.fire("DiskFull", instance=f"node-{number}")
    for number in range(150):
        world.fire(service=f"s{number}")
    world.round()

    found = {row["service"]: row for row in incidents.page((), 1000)}
    assert len(found) == 101
    assert (found["rule:DiskFull"]["alerts_count"], found["rule:DiskFull"]["title"]) == (
        300,
        "DiskFull fires",
    )
    assert found["rule:Errors"]["alerts_count"] == 51
