"""
A listener for pybreaker that writes one line per transition.

    listener = TransitionListener(service="checkout", target="payment")
    breaker = pybreaker.CircuitBreaker(name="payment", listeners=[listener])

pybreaker calls listeners by name, so nothing of it is imported here. It has no event for a refused call, and the call that
trips the breaker raises ``CircuitBreakerError`` as well. So when a breaker first opens, the listener wraps its ``call`` (which
``calling()`` and the decorator use too) and counts that error as a refusal only when the guarded function was not run.
"""

from collections.abc import Callable
from typing import Any, Protocol

from agents.breakers.transition import Emit, safely, to_stdout, transition
from agents.breakers.window import Window

STATES = {"closed": "closed", "open": "open", "half-open": "half_open"}
REASONS = {"half_open": "the reset timeout has passed", "closed": "the trial call succeeded"}


class NamedState(Protocol):
    """The one attribute of pybreaker's states that is read here."""

    @property
    def name(self) -> str:
        """Say which state it is: closed, open, half-open."""


class TransitionListener:
    """
    Usable wherever pybreaker wants a ``CircuitBreakerListener``; one listener per breaker.

    Args:
        service: ``service.name`` of this process.
        target: What the breaker guards; default its name.
        emit: Where a transition goes; default one line on standard output.
        instance: Which process of the service; default the host's name.
    """

    def __init__(
        self, service: str, target: str | None = None, emit: Emit = to_stdout, instance: str | None = None
    ) -> None:
        self._service = service
        self._target = target
        self._emit = emit
        self._instance = instance
        self._window = Window()
        self._watched = False

    def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Nothing to note: the outcome is."""

    def success(self, _cb: Any) -> None:
        """Note a call that succeeded."""
        self._window.success()

    def failure(self, _cb: Any, exc: BaseException) -> None:
        """Note a call that failed."""
        self._window.failure(exc)

    def not_permitted(self) -> None:
        """Note a call that was refused, where it was not pybreaker that refused it."""
        self._window.not_permitted()

    def state_change(self, cb: Any, old_state: NamedState | None, new_state: NamedState) -> None:
        """Write the transition."""
        after = STATES.get(new_state.name, new_state.name)
        if not self._watched:
            self._watch(cb)
        seen = self._window.turn()
        happened = transition(
            service=self._service,
            breaker=cb.name or self._target or "unnamed",
            target=self._target,
            instance=self._instance,
            before=STATES.get(old_state.name, old_state.name) if old_state else "closed",
            after=after,
            reason=seen.last_error if after == "open" else REASONS.get(after),
            failure_rate=seen.failure_rate,
            calls=seen.calls,
            not_permitted=seen.not_permitted,
        )
        safely(self._emit, happened)

    def _watch(self, breaker: Any) -> None:
        """Count the calls that *breaker* refuses from now on."""
        self._watched = True
        guarded_call = breaker.call

        def call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            ran = False

            def noted(*given: Any, **named: Any) -> Any:
                nonlocal ran
                ran = True
                return func(*given, **named)

            try:
                return guarded_call(noted, *args, **kwargs)
            except Exception as error:
                if not ran and type(error).__name__ == "CircuitBreakerError":
                    self._window.not_permitted()
                raise

        breaker.call = call
