"""Calls minute by minute on the real engine: what the screen keeps back has nothing abnormal, and nothing else is lost."""

import random

import pytest

from collector.health import signs
from collector.health.causes import screen
from collector.query.window import SECOND_NS, Window
from collector.read.call_minutes import edges, waited
from collector.read.minutes import Minutes
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Filler, store

__all__ = ["store"]

END_S = NOW_NS // SECOND_NS // 60 * 60
MINUTES = 60
WINDOW = Window((END_S - MINUTES * 60) * SECOND_NS, END_S * SECOND_NS, END_S * SECOND_NS)
JUDGED = Window((END_S - 20 * 60) * SECOND_NS, END_S * SECOND_NS, END_S * SECOND_NS)
BOUNDS = (END_S - 20 * 60, END_S)


def drawn(rng):
    """Minutes of one edge: busy or sparse, steady or not, perhaps with trouble somewhere."""
    minutes = Minutes()
    busy, ms, unrest, failing = (
        rng.choice((2, 7, 9, 60)),
        rng.uniform(1, 200),
        rng.uniform(0, 0.6),
        rng.choice((0, 0.01, 0.05)),
    )
    trouble = range(*sorted(rng.sample(range(MINUTES + 1), 2))) if rng.random() < 0.5 else range(0)
    slower, worse = rng.choice((1, 1.4, 1.6, 4)), rng.choice((0, 0.04, 0.3))
    for nth in range(rng.choice((0, 0, 40, 55)), MINUTES):
        if rng.random() < rng.choice((0, 0.3)):
            continue
        at, calls = END_S - (MINUTES - nth) * 60, max(round(busy * rng.uniform(0.5, 1.5)), 1)
        odd = nth in trouble
        minutes.calls[at] = calls
        minutes.failed[at] = sum(rng.random() < failing + worse * odd for _ in range(calls))
        minutes.spent_ms[at] = (
            round(calls * ms * (1 + unrest * rng.random()) * (slower if odd else 1) * 1e6) / 1e6
        )
    return minutes


def row(caller, callee, at, minutes, **fields):
    """A row of `edge_minutes`."""
    return {"minute": at, "env": "demo", "caller": caller, "callee": callee, "protocol": "http", "kind": "client", "route": "/", "retention_days": 3000,
            "calls": minutes.calls[at], "errors": minutes.failed[at], "duration_ns_sum": round(minutes.spent_ms[at] * 1e6), **fields}  # fmt: skip


@pytest.fixture
def system(store):
    """Two hundred edges as `make` draws them; read."""

    def made(seed):
        rng = random.Random(seed)
        known = {("shop", f"callee-{number}", "demo"): drawn(rng) for number in range(200)}
        known = {key: minutes for key, minutes in known.items() if minutes.calls}
        Filler(store)(
            "edge_minutes", [row(*key[:2], at, its) for key, its in known.items() for at in its.calls]
        )
        return known, Reader(store)

    yield made
    for table in ("edge_minutes", "paired_minutes", "peer_names"):
        store.command(f"TRUNCATE TABLE {table}")


def abnormal(minutes):
    """Whether the rules of causes find anything."""
    return bool(
        signs.errors(minutes.calls, minutes.failed, BOUNDS)
        or signs.slow(minutes.calls, minutes.spent_ms, BOUNDS)
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_the_screen_keeps_back_is_not_abnormal(system, seed):
    """It may let somebody pass who is well, never keep back who is not; and it does keep some back."""
    known, reader = system(seed)

    found = edges(reader, WINDOW, "", screen(JUDGED))

    assert {key: its.calls for key, its in found.items()} == {key: its.calls for key, its in known.items()}
    kept_back = [key for key, its in found.items() if not its.spent_ms]
    assert not [key for key in kept_back if abnormal(known[key])]
    assert len(kept_back) > len(known) / 5
    for key, its in found.items():
        if its.spent_ms:
            assert (its.failed, its.spent_ms) == (known[key].failed, pytest.approx(known[key].spent_ms))


def test_without_a_screen_everything_is_told(system):
    """And what a caller waits for is the sum of it."""
    known, reader = system(1)

    found = edges(reader, WINDOW, "")
    together = waited(reader, WINDOW, "")["shop", "demo"]

    assert {key: its.failed for key, its in found.items()} == {key: its.failed for key, its in known.items()}
    at = END_S - 60
    assert together.failed[at] == sum(its.failed.get(at, 0) for its in known.values())
    assert together.spent_ms[at] == pytest.approx(sum(its.spent_ms.get(at, 0) for its in known.values()))


@pytest.mark.usefixtures("system")
def test_hosts_of_one_service_are_one_edge_and_queues_are_not_waited_for(store):
    """Paired spans tell that two addresses are the same service; their minutes are added up."""
    its, at = Minutes(calls={END_S - 60: 10}, failed={END_S - 60: 1}, spent_ms={END_S - 60: 50.0}), END_S - 60
    fill = Filler(store)
    fill(
        "edge_minutes",
        [
            row("shop", "10.0.0.1", at, its),
            row("shop", "10.0.0.2", at, its),
            row("shop", "mails", at, its, protocol="rabbitmq", kind="producer"),
        ],
    )
    day = {
        "env": "demo",
        "caller": "shop",
        "callee": "payment",
        "day": "2026-11-18",
        "retention_days": 3000,
        "calls": 1,
        "last_at": "2026-11-18 11:00:00",
    }
    fill("peer_names", [{**day, "peer": "10.0.0.1"}, {**day, "peer": "10.0.0.2"}])
    reader = Reader(store)

    found = edges(reader, WINDOW, "demo")

    assert found.keys() == {("shop", "payment", "demo"), ("shop", "mails", "demo")}
    assert found["shop", "payment", "demo"].calls == {at: 20}
    assert found["shop", "mails", "demo"].queued
    assert waited(reader, WINDOW, "demo")["shop", "demo"].spent_ms == {at: 100.0}
    assert edges(reader, WINDOW, "other") == {}
