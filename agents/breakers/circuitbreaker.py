"""
Transitions of the library circuitbreaker, which has no listeners: the breaker itself is made to tell.

    breaker = watch(CircuitBreaker(failure_threshold=5, name="payment"), service="checkout")

    @breaker
    def charge(order): ...          # or async def, or a generator

The library derives half-open from the clock and never says so; here the trial call that follows says it. Refused calls are counted where the
function is decorated after `watch`; a breaker of ``CircuitBreakerMonitor`` that was decorated before tells its transitions all the same.
"""

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from agents.breakers.transition import Emit, safely, to_stdout, transition
from agents.breakers.window import Window

B = TypeVar("B")

_REASONS = {"half_open": "the recovery timeout has passed", "closed": "the trial call succeeded"}


def watch(
    breaker: B, service: str, target: str | None = None, emit: Emit = to_stdout, instance: str | None = None
) -> B:
    """
    Make *breaker* write one line per transition from now on.

    Args:
        breaker: A ``circuitbreaker.CircuitBreaker`` or a subclass of it.
        service: ``service.name`` of this process.
        target: What the breaker guards; default its name.
        emit: Where a transition goes; default one line on standard output.
        instance: Which process of the service; default the host's name.

    Returns:
        The same object.
    """
    teller = _Teller(service, target, emit, instance)
    breaker.__class__ = _telling(type(breaker), teller)
    return breaker


class _Teller:
    """What one breaker was last known to be, and what it has seen since."""

    def __init__(self, service: str, target: str | None, emit: Emit, instance: str | None) -> None:
        self.state = "closed"
        self.window = Window()
        self._service = service
        self._target = target
        self._emit = emit
        self._instance = instance

    def moved(self, breaker: Any, after: str) -> None:
        """Write the transition to *after*, if it is one."""
        before, self.state = self.state, after
        if before == after:
            return
        seen = self.window.turn()
        happened = transition(
            service=self._service,
            breaker=breaker.name or self._target or "unnamed",
            target=self._target,
            instance=self._instance,
            before=before,
            after=after,
            reason=seen.last_error if after == "open" else _REASONS[after],
            failure_rate=seen.failure_rate,
            calls=seen.calls,
            not_permitted=seen.not_permitted,
        )
        safely(self._emit, happened)

    def outcome(self, breaker: Any, kind: Any, error: Any) -> None:
        """Note how a call ended, as the breaker judges it."""
        if kind is not None and breaker.is_failure(kind, error):
            self.window.failure(error)
        else:
            self.window.success()


def _telling(kind: type, teller: _Teller) -> type:
    """Derive from *kind* a class whose one instance tells *teller*."""

    class Telling(kind):  # type: ignore[misc]
        """A breaker that tells of its transitions."""

        def __enter__(self) -> Any:
            if teller.state == "open" and self.state == "half_open":
                teller.moved(self, "half_open")
            return super().__enter__()

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> Any:
            teller.outcome(self, kind, error)
            ended = super().__exit__(kind, error, trace)
            teller.moved(self, "open" if self.opened else "closed" if self.closed else teller.state)
            return ended

        def reset(self) -> None:
            super().reset()
            teller.moved(self, "closed")

        def decorate(self, function: Any) -> Any:
            return _counting(self, super().decorate(function), teller)

    Telling.__name__, Telling.__qualname__ = kind.__name__, kind.__qualname__
    return Telling


def _counting(breaker: Any, guarded: Callable[..., Any], teller: _Teller) -> Callable[..., Any]:
    """Count the calls that *breaker* refuses; those with a fallback are refused, too."""

    def note() -> None:
        if breaker.opened:
            teller.window.not_permitted()

    if inspect.iscoroutinefunction(guarded):

        @functools.wraps(guarded)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            note()
            return await guarded(*args, **kwargs)

        return awaited

    @functools.wraps(guarded)
    def called(*args: Any, **kwargs: Any) -> Any:
        note()
        return guarded(*args, **kwargs)

    return called
