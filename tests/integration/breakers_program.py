"""A service with a breaker of every library that can be installed here: each opens, probes and closes once. Its log lines go to standard output."""

import asyncio
import time

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
WAIT_S = 0.1
REFUSED = (pybreaker.CircuitBreakerError, CircuitBreakerError, OpenedState, NotPermittedError)


def down():
    """A dependency that is down."""
    raise ConnectionError("payment is down")


def life(failing, working, wait_s=2 * WAIT_S):
    """Two failures open it, one call is refused, after its time-out one succeeds."""
    for call in (failing, failing, working):
        try:
            call()
        except (ConnectionError, *REFUSED):
            continue
    time.sleep(wait_s)
    working()


def of_pybreaker():
    """Guard with pybreaker."""
    listener = TransitionListener(SERVICE, target="payment", instance="1")
    breaker = pybreaker.CircuitBreaker(
        2, WAIT_S, listeners=[listener], name="pybreaker", throw_new_error_on_trip=False
    )
    life(lambda: breaker.call(down), lambda: breaker.call(int))


def of_circuitbreaker():
    """Guard with circuitbreaker, whose clock has whole seconds."""
    breaker = circuitbreakers.watch(
        CircuitBreaker(2, 1, ConnectionError, "circuitbreaker"), SERVICE, "payment", instance="1"
    )
    life(breaker(down), breaker(lambda: 0), wait_s=1.1)


def of_purgatory():
    """Guard with purgatory's synchronous factory."""
    factory = SyncCircuitBreakerFactory(2, WAIT_S)
    factory.add_listener(purgatories.TransitionListener(SERVICE, {"purgatory": "payment"}, instance="1"))
    guard = factory("purgatory")
    life(guard(down), guard(int))


def of_purgatory_async():
    """Guard with purgatory's asynchronous factory."""
    factory = AsyncCircuitBreakerFactory(2, WAIT_S)
    factory.add_listener(
        purgatories.TransitionListener(SERVICE, {"purgatory-async": "payment"}, instance="1")
    )

    async def guarded(function):
        async with await factory.get_breaker("purgatory-async"):
            function()

    life(lambda: asyncio.run(guarded(down)), lambda: asyncio.run(guarded(int)))


def of_the_decorator():
    """Guard with our own."""
    breaker = Breaker("decorator", service=SERVICE, failure_threshold=2, recovery_s=WAIT_S)
    life(breaker(down), breaker(lambda: 0))


def of_tenacity():
    """Retry until it gives up."""
    tells = RetryListener(SERVICE, "payment", "tenacity", instance="1")
    try:
        retry(stop=stop_after_attempt(3), after=tells.after, retry_error_callback=tells.gave_up)(down)()
    except RetryError:
        return


if __name__ == "__main__":
    for each in (
        of_pybreaker,
        of_circuitbreaker,
        of_purgatory,
        of_purgatory_async,
        of_the_decorator,
        of_tenacity,
    ):
        each()
