"""The listener for purgatory, with the real library: both of its factories."""

import asyncio

import pytest
from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from agents.breakers.purgatory import TransitionListener

TTL_S = 60.0


class Clock:
    """Stands where the library's clock is; moved by hand."""

    now = 1000.0

    def time(self):
        """Give the seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The library's clock."""
    made = Clock()
    monkeypatch.setattr("purgatory.domain.model.time", made)
    return made


def fail():
    """A dependency that is down."""
    raise ConnectionError("payment is down")


def test_the_synchronous_factory_tells(clock):
    """closed, open, half open, closed; refused calls are counted where the caller notes them."""
    told = []
    listener = TransitionListener("checkout", targets={"pay": "payment"}, emit=told.append, instance="c1")
    factory = SyncCircuitBreakerFactory(default_threshold=3, default_ttl=TTL_S)
    factory.add_listener(listener)
    guarded = factory("pay")
    for _ in range(3):
        with pytest.raises(ConnectionError):
            guarded(fail)()
    for _ in range(2):
        with pytest.raises(OpenedState):
            guarded(int)()
        listener.not_permitted("pay")
    clock.now += 2 * TTL_S
    guarded(int)()

    assert [(each["from"], each["to"]) for each in told] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    opened, trial, _ = told
    assert (opened["service"], opened["breaker"], opened["target"], opened["instance"]) == (
        "checkout",
        "pay",
        "payment",
        "c1",
    )
    assert (opened["calls"], opened["reason"]) == (3, "3 failures in a row")
    assert trial["not_permitted"] == 2


def test_the_asynchronous_factory_tells(clock):
    """The same events; a failed trial opens it again."""
    told = []

    async def story():
        factory = AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=TTL_S)
        factory.add_listener(TransitionListener("checkout", emit=told.append))
        for wait_s in (0, 0, 2 * TTL_S):
            clock.now += wait_s
            with pytest.raises(ConnectionError):
                async with await factory.get_breaker("payment"):
                    fail()

    asyncio.run(story())

    assert [(each["from"], each["to"]) for each in told] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
    ]
    assert told[-1]["reason"] == "the trial call failed"


def test_breakers_of_one_factory_are_apart():
    """One listener, each breaker with its own state and numbers."""
    told = []
    factory = SyncCircuitBreakerFactory(default_threshold=1)
    factory.add_listener(TransitionListener("checkout", emit=told.append))
    for name in ("payment", "stock"):
        with pytest.raises(ConnectionError):
            factory(name)(fail)()

    assert [(each["breaker"], each["from"], each["to"], each["calls"]) for each in told] == [
        ("payment", "closed", "open", 1),
        ("stock", "closed", "open", 1),
    ]
