"""The plain decorator: a small breaker that tells."""

import asyncio
import threading

import pytest

from agents.breakers.decorator import Breaker, NotPermittedError


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self):
        """Give the time."""
        return self.now


@pytest.fixture
def parts():
    """A breaker that opens at the second failure and tries again after 10 s, its clock, and what it told."""
    told = []
    clock = Clock()
    breaker = Breaker(
        "payment",
        service="checkout",
        failure_threshold=2,
        recovery_s=10,
        failures=ConnectionError,
        emit=told.append,
        clock=clock,
    )
    return breaker, clock, told


def guarded(breaker):
    """A function that raises what it is given."""

    @breaker
    def call(error=None):
        """Call the dependency."""
        if error is not None:
            raise error
        return "done"

    return call


def states(told):
    """The transitions as pairs."""
    return [(happened["from"], happened["to"]) for happened in told]


def test_it_opens_refuses_tries_and_closes(parts):
    """The whole life, with the numbers of each transition."""
    breaker, clock, told = parts
    call = guarded(breaker)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            call(ConnectionError("down"))
    for _ in range(3):
        with pytest.raises(NotPermittedError, match="'payment' is open"):
            call()
    clock.now = 10
    assert call() == "done"

    assert states(told) == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert (told[0]["failure_rate"], told[0]["calls"], told[0]["reason"]) == (1.0, 2, "ConnectionError: down")
    assert told[1]["not_permitted"] == 3
    assert call.__doc__ == "Call the dependency."


def test_a_failed_trial_opens_it_again(parts):
    """Half-open is one call's chance."""
    breaker, clock, told = parts
    call = guarded(breaker)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            call(ConnectionError())
    clock.now = 10
    with pytest.raises(ConnectionError):
        call(ConnectionError())
    with pytest.raises(NotPermittedError):
        call()

    assert states(told)[-2:] == [("open", "half_open"), ("half_open", "open")]


def test_other_exceptions_are_no_failures(parts):
    """A caller's mistake says nothing about the dependency."""
    breaker, _, told = parts
    call = guarded(breaker)
    for _ in range(5):
        with pytest.raises(ValueError, match="mistake"):
            call(ValueError("mistake"))

    assert told == []


def test_only_one_trial_at_a_time(parts):
    """While the trial call runs, others are refused."""
    breaker, clock, _ = parts
    entered, leave = threading.Event(), threading.Event()

    @breaker
    def slow():
        entered.set()
        leave.wait(10)

    for _ in range(2):
        with pytest.raises(ConnectionError):
            guarded(breaker)(ConnectionError())
    clock.now = 10
    trial = threading.Thread(target=slow)
    trial.start()
    entered.wait(10)

    with pytest.raises(NotPermittedError):
        guarded(breaker)()
    leave.set()
    trial.join()

    assert breaker.state == "closed"


def test_coroutines_are_guarded(parts):
    """An async function stays one, and its failures count."""
    breaker, _, told = parts

    @breaker
    async def call():
        await asyncio.sleep(0)
        raise ConnectionError("down")

    for _ in range(2):
        with pytest.raises(ConnectionError):
            asyncio.run(call())
    with pytest.raises(NotPermittedError):
        asyncio.run(call())

    assert states(told) == [("closed", "open")]
