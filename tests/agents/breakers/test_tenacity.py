"""Callbacks for tenacity, with the real library."""

import asyncio
import re

import pytest
from tenacity import RetryError, retry, stop_after_attempt

from agents.breakers.tenacity import RetryListener


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self):
        """Give the time."""
        return self.now


@pytest.fixture
def parts():
    """A listener, its clock, and what it told."""
    told, clock = [], Clock()
    return RetryListener("checkout", "payment", emit=told.append, instance="c1", clock=clock), clock, told


def retried(tells, **more):
    """A function that fails as often as it is told to, tried three times."""

    @retry(stop=stop_after_attempt(3), after=tells.after, retry_error_callback=tells.gave_up, **more)
    def call(failures):
        if failures:
            failures.pop()
            raise ConnectionError("payment is down")
        return "done"

    return call


def test_a_call_that_succeeds_at_last_tells_that_there_are_retries(parts):
    """Once, in the state of what watches and refuses nothing."""
    tells, _, told = parts
    call = retried(tells)

    assert call([1]) == "done"
    assert call([1, 1]) == "done"
    (only,) = told
    assert (only["breaker"], only["target"], only["from"], only["to"]) == (
        "retry:payment",
        "payment",
        "",
        "metrics_only",
    )


def test_a_call_that_gives_up_says_after_how_many_attempts(parts):
    """And raises what tenacity would raise; more of them within ten seconds are counted in the next line."""
    tells, clock, told = parts
    call = retried(tells)
    for _ in range(3):
        with pytest.raises(RetryError):
            call([1] * 5)
    clock.now = 10
    with pytest.raises(RetryError):
        call([1] * 5)

    reasons = [each["reason"] for each in told[1:]]
    assert re.match(
        r"1 gave up, the last after 3 attempts in \d+\.\d s: ConnectionError: payment is down", reasons[0]
    )
    assert reasons[1].startswith("3 gave up")
    assert [each["calls"] for each in told] == [1, 2, 9]


def test_reraise_is_respected_and_coroutines_are_too(parts):
    """The exception of the function where the policy says so, in a coroutine as well."""
    tells, _, told = parts

    @retry(stop=stop_after_attempt(2), reraise=True, after=tells.after, retry_error_callback=tells.gave_up)
    async def call():
        raise ConnectionError("down")

    with pytest.raises(ConnectionError, match="down"):
        asyncio.run(call())

    assert [each["to"] for each in told] == ["metrics_only", "metrics_only"]
