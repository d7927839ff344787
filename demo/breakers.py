"""pybreaker around calls to neighbours; each transition becomes one JSON line of the service's log."""

from __future__ import annotations

from typing import Any

import pybreaker
import structlog

from agents.breakers.pybreaker import TransitionListener
from agents.breakers.transition import Emit, Transition, transition
from demo.settings import ServiceSettings

FAIL_MAX = 5  # consecutive failures; about two seconds of the default load once payment is broken
RESET_TIMEOUT_S = 10  # a healed dependency is back within this time, and one trial call


def breaker_for(
    target: str, settings: ServiceSettings, log: structlog.stdlib.BoundLogger
) -> pybreaker.CircuitBreaker:
    """
    Guard calls to *target* with a breaker of that name.

    A new process begins closed, whatever the one before it was, and says so: the board knows every breaker from the
    start, and none stays open there because its process died.
    """
    service, instance = settings.spec.name, settings.instance
    listener = TransitionListener(service, target, transition_line(log), instance)
    listeners: list[Any] = [listener]  # pybreaker asks for a subclass where it only calls four methods
    breaker = pybreaker.CircuitBreaker(
        name=target,
        fail_max=FAIL_MAX,
        reset_timeout=RESET_TIMEOUT_S,
        listeners=listeners,
        throw_new_error_on_trip=False,
    )
    begun = transition(
        service=service,
        breaker=target,
        instance=instance,
        before="closed",
        after="closed",
        reason="the process started",
    )
    log.info(begun["event"], **_fields(begun))
    return breaker


def transition_line(log: structlog.stdlib.BoundLogger) -> Emit:
    """Return the listener's way into the log: the transition's own keys, one line."""

    def emit(happened: Transition) -> None:
        # Calls that were in flight when the breaker opened open it again as they fail: no transition.
        if happened["from"] != happened["to"]:
            log.warning(happened["event"], **_fields(happened))

    return emit


def _fields(happened: Transition) -> dict[str, Any]:
    """Leave out what structlog adds itself, and what is not known."""
    return {
        name: value
        for name, value in happened.items()
        if name not in {"event", "level"} and value is not None
    }
