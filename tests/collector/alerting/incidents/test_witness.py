"""What the store knows of an incident is copied, bounded, and outlives it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collector.alerting.incidents import store as incident_store
from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.investigator import Investigator
from collector.alerting.incidents.witness import LOGS_MOST, Witness
from collector.errors import StoreUnavailable
from collector.read.sql import Reader
from tests.collector.alerting.world import World
from tests.collector.read.real_store import NOW_NS, Counting, Filler, log, span, store, transition

__all__ = ["store"]

ERROR = {"service": "payment", "severity": "error", "severity_number": 17}
NOW = datetime.fromtimestamp(NOW_NS / 1e9, UTC)


@pytest.fixture
def fill(store):
    """Insert rows for one test."""
    filler = Filler(store)
    yield filler
    filler.empty()


@pytest.fixture
def world(state):
    """Planning at the rows' now."""
    return World(state, now=NOW)


def investigator(world, ask):
    """Give an investigator that always holds the lease."""
    return Investigator(world.state, Witness(ask), world.planner, lambda *_: True)


def opened(world, service="payment", env="demo"):
    """Let it page; give its incident's id."""
    world.fire(service=service, env=env)
    world.round()
    return Answers(world.state, "").page((), 1)[0]["id"]


def test_log_records_and_transitions_are_pinned(store, fill, world):
    """The first error records of the services concerned, and the transitions, in the time line."""
    words = "is gone " + "x" * 2000
    records = [
        log(number - 120, f"card terminal {number} {words}", line=number, **ERROR) for number in range(40)
    ]
    fill("logs", records)
    fill("breaker_transitions", [transition(-100, "checkout", "payment", "closed>open")])
    fill("spans", [span(-90, "payment", "POST /pay", status="error", span_id="p" * 16)])
    one = opened(world)
    assert investigator(world, lambda: Reader(store)).look(NOW) == 1

    whole = Answers(world.state, "").one(one)
    assert len(whole["logs"]) == LOGS_MOST
    assert whole["logs"][0]["body"].startswith("card terminal 0 is gone")
    assert len(whole["logs"][0]["body"]) == 1000
    assert "transition" in [entry["kind"] for entry in whole["timeline"]]
    assert [trace["root_service"] for trace in whole["traces"]] == ["payment"]
    assert whole["impact"]["share"] == 1
    assert whole["causes"] is not None
    assert whole["pinned_at"]


def test_verdicts_know_the_catalogues_objectives(store, fill, world):
    """What the board says of a service that burns its budget is what an incident keeps."""
    spans = [span(second, "payment", "POST /pay", status="ok" if place % 40 else "error")
             for place, second in enumerate(range(-3590, -5, 10))]  # fmt: skip
    fill("spans", spans)
    one = opened(world)

    def verdict(witness):
        Investigator(world.state, witness, world.planner, lambda *_: True).look(NOW)
        with world.state.read() as tx:
            return incident_store.find(tx, one).pinned["health"]["payment"]

    assert verdict(Witness(lambda: Reader(store))) == "healthy"
    assert verdict(Witness(lambda: Reader(store), lambda: {"payment": "99.9 %"})) == "degraded"


def test_what_is_pinned_stays_when_the_telemetry_is_gone(store, fill, world):
    """And an engine that is away changes nothing."""
    fill("logs", [log(-60, "gone", **ERROR)])
    one = opened(world)
    looking = investigator(world, lambda: Reader(store))
    looking.look(NOW)
    fill.empty()
    looking.look(NOW + timedelta(seconds=15))
    assert [record["body"] for record in Answers(world.state, "").one(one)["logs"]] == ["gone"]

    def away():
        raise StoreUnavailable("away")

    assert investigator(world, away).look(NOW + timedelta(seconds=30)) == 0
    assert [record["body"] for record in Answers(world.state, "").one(one)["logs"]] == ["gone"]


def test_what_several_incidents_ask_alike_is_read_once(store, fill, world):
    """Whose causes, and who is ill: a storm of incidents costs the engine little more than one."""
    fill("spans", [span(-90, "payment", "POST /pay", status="error"), span(-80, "stock", "GET /items")])
    counting = Counting(store)
    looking = investigator(world, lambda: Reader(counting))

    def looked(service):
        opened(world, service)
        counting.asked.clear()
        pinned = looking.look(NOW)
        return pinned, sum("suspicious" in sql or "severe" in sql for sql in counting.asked)

    (one, asked), (two, asked_again) = looked("payment"), looked("stock")

    assert (one, two) == (1, 2)
    assert asked_again == asked > 0


def test_while_nothing_fires_nobody_is_asked(world):
    """A quiet collector costs the engine nothing."""

    def never():
        raise AssertionError

    assert investigator(world, never).look(NOW) == 0


def test_without_the_lease_nothing_is_written(store, fill, world):
    """Another collector pins."""
    del fill
    one = opened(world)
    looking = Investigator(world.state, Witness(lambda: Reader(store)), world.planner, lambda *_: False)

    assert looking.look(NOW) == 0
    with world.state.read() as tx:
        assert incident_store.find(tx, one).pinned_at is None
    assert replace(looking, leads=lambda *_: True).look(NOW) == 1


def test_while_the_same_fires_and_no_incident_lives_it_is_looked_at_once_a_minute(store, fill, world):
    """Of tickets; when something else fires, what gathers in the journal is loaded first and the next look comes at once."""
    del fill
    loaded, asked = [], []

    def ask():
        asked.append(1)
        return Reader(store)

    looking = Investigator(
        world.state, Witness(ask), world.planner, lambda *_: True, lambda: loaded.append(1)
    )
    world.fire(service="checkout", severity="ticket")
    world.round()
    counts = []
    for seconds in (0, 15, 45, 60):
        looking.look(NOW + timedelta(seconds=seconds))
        counts.append(len(asked))
    world.fire(service="cart", severity="ticket")
    world.round()
    looking.look(NOW + timedelta(seconds=75))

    assert counts == [1, 1, 1, 2]
    assert (len(asked), len(loaded)) == (3, 2)
