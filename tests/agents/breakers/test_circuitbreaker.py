"""What makes the library circuitbreaker tell, with the real library."""

import asyncio

import pytest
from circuitbreaker import CircuitBreaker, CircuitBreakerError

from agents.breakers.circuitbreaker import watch


def let_recover(breaker):
    """Let the recovery time pass: the library reads the clock in whole seconds."""
    breaker._opened -= 60


@pytest.fixture
def parts():
    """A breaker that opens at the third failure, and what it told."""
    told = []
    breaker = CircuitBreaker(failure_threshold=3, expected_exception=ConnectionError, name="payment")
    return watch(breaker, service="checkout", emit=told.append, instance="c1"), told


def states(told):
    """The transitions as pairs."""
    return [(each["from"], each["to"]) for each in told]


def test_its_whole_life_is_told(parts):
    """closed, open, half open, closed, with the calls each decision rests on, the refused ones and the reason."""
    breaker, told = parts

    @breaker
    def call(error=None):
        """Call the dependency."""
        if error:
            raise error
        return "done"

    call()
    for _ in range(3):
        with pytest.raises(ConnectionError):
            call(ConnectionError("down"))
    for _ in range(2):
        with pytest.raises(CircuitBreakerError):
            call()
    let_recover(breaker)
    assert call() == "done"

    assert states(told) == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    opened, trial, _ = told
    assert (opened["breaker"], opened["target"], opened["instance"]) == ("payment", "payment", "c1")
    assert (opened["calls"], opened["failure_rate"]) == (4, 0.75)
    assert opened["reason"] == "ConnectionError: down"
    assert trial["not_permitted"] == 2
    assert call.__doc__ == "Call the dependency."


def test_a_failed_trial_opens_it_again(parts):
    """The library stays in its state and begins the time anew; it was half open all the same."""
    breaker, told = parts

    @breaker
    def call():
        raise ConnectionError

    for _ in range(3):
        with pytest.raises(ConnectionError):
            call()
    let_recover(breaker)
    with pytest.raises(ConnectionError):
        call()
    with pytest.raises(CircuitBreakerError):
        call()

    assert states(told) == [("closed", "open"), ("open", "half_open"), ("half_open", "open")]


def test_coroutines_and_other_exceptions(parts):
    """A coroutine function stays one; what the breaker does not count as a failure is none."""
    breaker, told = parts

    @breaker
    async def call(error):
        await asyncio.sleep(0)
        raise error

    for _ in range(5):
        with pytest.raises(ValueError, match="mistake"):
            asyncio.run(call(ValueError("mistake")))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            asyncio.run(call(ConnectionError()))
    with pytest.raises(CircuitBreakerError):
        asyncio.run(call(ConnectionError()))

    assert states(told) == [("closed", "open")]
    assert told[0]["failure_rate"] == pytest.approx(3 / 8)


def test_a_reset_by_hand_is_told(parts):
    """Who closes it from outside closes it on the board, too."""
    breaker, told = parts
    for _ in range(3):
        with pytest.raises(ConnectionError), breaker:
            raise ConnectionError
    breaker.reset()

    assert states(told) == [("closed", "open"), ("open", "closed")]
