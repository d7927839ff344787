"""pybreaker around calls to neighbours; each transition becomes one JSON line of the service's log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pybreaker
import structlog
from agents.breakers.pybreaker import TransitionListener

from demo.settings import ServiceSettings

FAIL_MAX = 5  # consecutive failures; about two seconds of the default load once payment is broken
RESET_TIMEOUT_S = 10  # a healed dependency is back within this time, and one trial call


def breaker_for(
    target: str, settings: ServiceSettings, log: structlog.stdlib.BoundLogger
) -> pybreaker.CircuitBreaker:
    """Guard calls to *target* with a breaker of that name and say in the log that it exists, closed."""
    emit = transition_line(log)
    listener = TransitionListener(service=settings.spec.name, target=target, emit=emit)
    return pybreaker.CircuitBreaker(
        name=target,
        fail_max=FAIL_MAX,
        reset_timeout=RESET_TIMEOUT_S,
        listeners=[listener],
        throw_new_error_on_trip=False,
    )


def transition_line(log: structlog.stdlib.BoundLogger) -> Callable[[dict[str, Any]], None]:
    """Return the listener's way into the log: the transition's own keys, one line."""

    def emit(transition: dict[str, Any]) -> None:
        fields = dict(transition)
        log.warning(fields.pop("event", "circuit_breaker.transition"), **fields)

    return emit
