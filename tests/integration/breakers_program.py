"""
A service with a breaker of every library that can be installed here: each opens, probes and closes once. Its log lines go to standard output.

All wait for their time-outs together, which is as long as a machine may stand still between the failure that opens one and the call that it refuses.
"""

import asyncio
import time
from collections.abc import Iterator

import pybreaker
from circuitbreaker import CircuitBreaker, CircuitBreakerError
from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import RetryError, retry, stop_after_attempt

from agents.breakers import circuitbreaker as circuitbreakers
from agents.breakers import purgatory as purgatories
from agents.breakers.decorator import Breaker, NotPermittedError
from agents.breakers.pybreaker import TransitionListener
from agents.breakers.tenacity import RetryListener

SERVICE = "libraries"
WAIT_S = 5
REFUSED = (pybreaker.CircuitBreakerError, CircuitBreakerError, OpenedState, NotPermittedError)


def down():
    """A dependency that is down."""
    raise ConnectionError("payment is down")


def life(failing, working) -> Iterator[None]:
    """Two failures open it, one call is refused; after its time-out, for which the caller waits, one succeeds."""
    for call in (failing, failing, working):
        try:
            call()
        except (ConnectionError, *REFUSED):
            continue
    yield
    working()


def of_pybreaker():
    """Guard with pybreaker."""
    listener = TransitionListener(SERVICE, target="payment", instance="1")
    breaker = pybreaker.CircuitBreaker(
        2, WAIT_S, listeners=[listener], name="pybreaker", throw_new_error_on_trip=False
    )
    return life(lambda: breaker.call(down), lambda: breaker.call(int))


def of_circuitbreaker():
    """Guard with circuitbreaker, whose clock has whole seconds."""
    breaker = circuitbreakers.watch(
        CircuitBreaker(2, WAIT_S, ConnectionError, "circuitbreaker"), SERVICE, "payment", instance="1"
    )
    return life(breaker(down), breaker(lambda: 0))


def of_purgatory():
    """Guard with purgatory's synchronous factory."""
    factory = SyncCircuitBreakerFactory(2, WAIT_S)
    factory.add_listener(purgatories.TransitionListener(SERVICE, {"purgatory": "payment"}, instance="1"))
    guard = factory("purgatory")
    return life(guard(down), guard(int))


def of_purgatory_async():
    """Guard with purgatory's asynchronous factory."""
    factory = AsyncCircuitBreakerFactory(2, WAIT_S)
    factory.add_listener(
        purgatories.TransitionListener(SERVICE, {"purgatory-async": "payment"}, instance="1")
    )

    async def guarded(function):
        async with await factory.get_breaker("purgatory-async"):
            function()

    return life(lambda: asyncio.run(guarded(down)), lambda: asyncio.run(guarded(int)))


def of_the_decorator():
    """Guard with our own."""
    breaker = Breaker("decorator", service=SERVICE, failure_threshold=2, recovery_s=WAIT_S)
    return life(breaker(down), breaker(lambda: 0))


def of_tenacity():
    """Retry until it gives up."""
    tells = RetryListener(SERVICE, "payment", "tenacity", instance="1")
    try:
        retry(stop=stop_after_attempt(3), after=tells.after, retry_error_callback=tells.gave_up)(down)()
    except RetryError:
        return


if __name__ == "__main__":
    lives = [
        of() for of in (of_pybreaker, of_circuitbreaker, of_purgatory, of_purgatory_async, of_the_decorator)
    ]
    for each in lives:
        next(each)
    time.sleep(WAIT_S + 1)
    for each in lives:
        next(each, None)
    of_tenacity()
