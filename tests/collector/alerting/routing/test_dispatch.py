"""Groups tell once what is new, wait as long as their route says, repeat, and forget nothing over restarts."""

from __future__ import annotations

import json
import time

import pytest

from collector.alerting.matching import parse_matchers
from collector.alerting.silences import store as silence_store
from collector.alerting.silences.schedule import Schedule
from collector.alerting.silences.silence import Silence
from tests.collector.alerting.world import World

PAGER = {
    "receiver": "pager",
    "group_by": ["env"],
    "group_wait": "10s",
    "group_interval": "60s",
    "repeat_interval": "10m",
}


@pytest.fixture
def world(state):
    """A planner with one route to the pager."""
    return World(state, routes=[PAGER])


def test_alerts_of_one_group_are_told_together_after_its_wait(world):
    """Two services of one environment within ten seconds: one notification; another environment has its own."""
    world.fire(service="cart", env="demo")
    world.round()
    world.now = world.now.replace(second=4)
    world.fire(service="bank", env="demo")
    world.fire(service="bank", env="prod")
    assert world.round() == []

    assert world.forward(12) == [
        (10, "pager", "alert.firing", ["bank", "cart"], []),
        (14, "pager", "alert.firing", ["bank"], []),
    ]


def test_what_is_new_waits_for_the_interval_and_ends_are_told(world):
    """A change soon after a notification waits until 60 s are over; one that comes later is told at once."""
    cart = world.fire(service="cart", env="demo")
    assert world.round() == []
    assert [at for at, *_ in world.forward(15)] == [10]
    bank = world.fire(service="bank", env="demo")
    assert world.forward(60) == [(70, "pager", "alert.firing", ["bank", "cart"], [])]
    world.forward(85)
    world.resolve(cart)
    assert world.forward(2) == [(161, "pager", "alert.firing", ["bank"], ["cart"])]
    world.resolve(bank)

    assert world.forward(62) == [(221, "pager", "alert.resolved", [], ["bank"])]
    assert world.forward(700, step=10) == []


def test_what_still_fires_is_repeated_and_a_restart_changes_nothing(world):
    """The repeat clock stands in the state."""
    world.fire(service="cart", env="demo")
    world.round()
    world.forward(300, step=10)
    world.restart()
    world.forward(290, step=10)
    world.restart()

    assert world.forward(1230, step=10) == [
        (610, "pager", "alert.firing", ["cart"], []),
        (1210, "pager", "alert.firing", ["cart"], []),
        (1810, "pager", "alert.firing", ["cart"], []),
    ]
    ids = [row.webhook_id for row in world.rows()]
    assert len(set(ids)) == len(ids) == 4


def test_what_resolves_before_it_was_told_is_never_told(world):
    """Within the group's wait."""
    cart = world.fire(service="cart", env="demo")
    world.round()
    world.forward(5)
    world.resolve(cart)

    assert world.forward(60) == []


def test_what_no_route_takes_is_told_to_everybody_at_once(state):
    """Each alert alone, as without routes."""
    world = World(state, routes=[{**PAGER, "match": "team=payments"}])
    cart = world.fire(service="cart")
    world.fire(service="bank")
    found = world.round()

    assert sorted(found) == sorted(
        (receiver, "alert.firing", [service], [])
        for receiver in ("pager", "mail")
        for service in ("bank", "cart")
    )
    world.resolve(cart)
    assert world.round() == [(receiver, "alert.resolved", [], ["cart"]) for receiver in ("pager", "mail")]


def test_the_catalogue_says_who_is_on_call(state):
    """A service without a receiver of its own, or with one that is not configured, falls back to the parent's."""
    world = World(
        state,
        routes=[
            {
                "receiver": "pager",
                "group_by": ["service"],
                "group_wait": 0,
                "routes": [{"receiver": "catalogue"}],
            }
        ],
        on_call={"cart": "mail", "bank": "fax"},
    )
    for service in ("cart", "bank", "shop"):
        world.fire(service=service)

    assert sorted(world.round()) == [
        ("mail", "alert.firing", ["cart"], []),
        ("pager", "alert.firing", ["bank"], []),
        ("pager", "alert.firing", ["shop"], []),
    ]


def test_in_a_muted_window_a_route_waits(state):
    """Nothing from 03:00 to 03:05; what still fires, and what ended, is told then."""
    quiet = {"start": "03:01", "end": "03:05"}
    world = World(state, routes=[{**PAGER, "group_by": ["service"], "mute": [quiet]}])
    cart = world.fire(service="cart")
    world.round()
    assert [at for at, *_ in world.forward(30)] == [10]
    world.forward(40)
    world.fire(service="bank")
    world.resolve(cart)

    assert sorted(world.forward(240)) == [
        (300, "pager", "alert.firing", ["bank"], []),
        (300, "pager", "alert.resolved", [], ["cart"]),
    ]


def silence(world, text, seconds):
    """Silence from now on."""
    from datetime import timedelta

    with world.state.write() as tx:
        ends = world.now + timedelta(seconds=seconds)
        silence_store.write(
            tx, Silence("s", parse_matchers(text), world.now, ends, "ada", "why", world.now, world.now)
        )


def test_a_silenced_alert_joins_its_group_when_the_silence_ends(world):
    """The others of the group are told without it."""
    silence(world, "service=cart", 100)
    world.fire(service="cart", env="demo")
    world.fire(service="bank", env="demo")
    world.round()

    assert world.forward(110) == [
        (10, "pager", "alert.firing", ["bank"], []),
        (100, "pager", "alert.firing", ["bank", "cart"], []),
    ]


def test_a_silence_stops_repeats_until_it_ends(world):
    """Within a minute after its end the repeat is told."""
    world.fire(service="cart", env="demo")
    world.round()
    world.forward(20)
    silence(world, "service=cart", 900)
    told = world.forward(1000)

    assert len(told) == 1
    assert 920 <= told[0][0] <= 980


def test_a_source_inhibits_its_targets_while_it_fires(state):
    """Not itself, and not where the equal labels differ; when the source ends the target is told."""
    rule = {
        "source": "severity=page",
        "target": 'severity=~"ticket|page"',
        "equal": ["env"],
    }
    world = World(state, routes=[{**PAGER, "group_by": ["..."], "group_wait": 0}], inhibit=[rule])
    cart = world.fire(service="cart", env="demo")
    world.fire(service="bank", env="demo", severity="ticket")
    world.fire(service="shop", env="prod", severity="ticket")
    first = world.round()
    world.resolve(cart)
    second = world.forward(62)

    assert sorted(row[2] for row in first) == [["cart"], ["shop"]]
    assert sorted(row[3:] for row in second) == [([], ["cart"]), (["bank"], [])]


def test_without_routes_inhibition_holds_too(state):
    """And nothing else changes: each alert at once, to all."""
    world = World(state, inhibit=[{"source": "severity=page", "target": "severity=ticket"}])
    cart = world.fire(service="cart")
    world.fire(service="bank", severity="ticket")
    assert [row[2] for row in world.round()] == [["cart"], ["cart"]]
    world.resolve(cart)

    assert [row[1:] for row in world.round()] == [
        *[("alert.resolved", [], ["cart"])] * 2,
        *[("alert.firing", ["bank"], [])] * 2,
    ]


def test_new_routes_tell_nobody_again_and_everybody_the_end(state):
    """From none to one receiver, to another, to none: who knows is not told again, who does not is."""
    world = World(state)
    cart = world.fire(service="cart", env="demo")
    assert len(world.round()) == 2
    world.restart(routes=[PAGER])
    assert world.forward(60) == []
    world.restart(routes=[{**PAGER, "receiver": "mail"}])
    assert [row[1:4] for row in world.forward(60)] == [("mail", "alert.firing", ["cart"])]
    bank = world.fire(service="bank", env="demo")
    world.restart(routes=[{**PAGER, "receiver": "mail", "group_by": ["service"]}])
    assert [row[1:4] for row in world.forward(60)] == [("mail", "alert.firing", ["bank"])]
    world.restart(routes=[])
    assert world.forward(5) == []
    world.resolve(cart)
    world.resolve(bank)

    assert sorted(world.round()) == sorted(
        (receiver, "alert.resolved", [], [service])
        for receiver in ("pager", "mail")
        for service in ("bank", "cart")
    )


def test_an_end_that_was_waiting_is_told_by_the_new_routes(world):
    """It was resolved, the interval was not over, and then the routes changed."""
    cart = world.fire(service="cart", env="demo")
    world.round()
    world.forward(15)
    world.resolve(cart)
    assert world.round() == []
    world.restart(routes=[{**PAGER, "group_by": ["service"]}])

    assert world.forward(70) == [(70, "pager", "alert.resolved", [], ["cart"])]


def test_the_body_has_the_group_and_a_bounded_number_of_alerts(world):
    """Fields of the first alert, the group's labels, fifty alerts, and how many more."""
    for number in range(70):
        world.fire(service=f"s{number:02}", env="demo")
    world.round()
    world.forward(10)
    data = json.loads(world.rows()[0].payload)["data"]

    assert (data["rule"], data["labels"]["service"]) == ("Errors", "s00")
    assert data["group"]["labels"] == {"env": "demo"}
    assert data["group"]["receiver"] == "pager"
    assert (len(data["alerts"]), data["truncated"]) == (50, 20)
    assert set(data["alerts"][0]) >= {
        "state",
        "labels",
        "annotations",
        "since",
        "fired_at",
        "fingerprint",
        "url",
    }


def test_an_alert_that_flaps_is_told_once_and_ends_when_it_is_quiet(state):
    """The third firing within ten minutes says so; then nothing until ten quiet minutes are over."""
    world = World(
        state,
        routes=[{**PAGER, "group_wait": 0, "group_interval": 0, "repeat_interval": "4h"}],
        more={"flap_damping": True},
    )
    told = []
    for _ in range(6):
        cart = world.fire(service="cart", env="demo")
        told += world.forward(30, step=5)
        world.resolve(cart)
        told += world.forward(30, step=5)
    kinds = [kind for _, _, kind, *_ in told]
    assert kinds == ["alert.firing", "alert.resolved"] * 2 + ["alert.firing"]
    assert "flapping" in json.loads(world.rows()[-1].payload)["data"]["annotations"]

    quiet = world.forward(900, step=5)
    assert [each[2] for each in quiet] == ["alert.resolved"]
    assert 590 <= quiet[0][0] - 335 <= 605


def test_ten_thousand_alerts_are_planned_within_two_seconds(state):
    """All new, one group each, with silences and an inhibition to ask; and the rounds after cost little."""
    world = World(
        state,
        routes=[
            {"receiver": "mail", "match": 'severity="ticket"'},
            {
                "receiver": "pager",
                "group_by": ["..."],
                "group_wait": 0,
                "match": 'service=~"s.*"',
                "continue": True,
            },
            {"receiver": "mail", "group_by": ["env"], "group_wait": 0},
        ],
        inhibit=[{"source": "severity=disaster", "target": "severity=page", "equal": ["env"]}],
        more={"flap_damping": True},
    )
    for number in range(20):
        with state.write() as tx:
            window = Schedule(start="02:00", end="04:00", timezone="Europe/Berlin")
            matchers = parse_matchers(f'service=~"s1{number}", env="prod"')
            silence_store.write(
                tx, Silence(str(number), matchers, world.now, None, "a", "b", world.now, world.now, window)
            )
    for number in range(10_000):
        world.fire(service=f"s{number}", env="demo")
    changes, world.changes = world.changes, []
    from collector.alerting import history
    from collector.alerting.plan import after

    with state.write() as tx:
        history.apply(tx, changes)
        began = time.thread_time()
        events = world.planner.plan(tx, changes, after([], changes), world.now)
        first_s = time.thread_time() - began
        living = history.living(tx)
        began = time.thread_time()
        nothing = world.planner.plan(tx, [], living, world.now)
        second_s = time.thread_time() - began

    assert sum(event.type == "alert.firing" for event in events) == 10_001
    assert nothing == []
    # CPU seconds of this thread, whatever others of the process do; on an idle machine half of what is promised, beside seven busy neighbours twice as much.
    assert first_s < 4
    assert second_s < 1
