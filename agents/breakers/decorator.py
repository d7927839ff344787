"""
A small circuit breaker as a decorator, for services that have no library; it reports its transitions.

    breaker = Breaker("payment", service="checkout")

    @breaker
    def charge(order): ...          # or async def

After ``failure_threshold`` failures in a row it opens and calls raise ``NotPermittedError``; after ``recovery_s`` one trial
call is let through (half-open): it closes the breaker or opens it again.
"""

import functools
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from agents.breakers.transition import Emit, Transition, safely, to_stdout, transition
from agents.breakers.window import Window

P = ParamSpec("P")
R = TypeVar("R")


class NotPermittedError(Exception):
    """The breaker is open: the call was not made."""


class Breaker:
    """
    One breaker around any number of functions; threads and tasks may share it.

    Args:
        name: The breaker's name, best that of its target.
        service: ``service.name`` of this process.
        failure_threshold: Failures in a row that open it.
        recovery_s: Seconds until a trial call.
        failures: Which exceptions count as failures; others count as success.
        emit: Where a transition goes; default one line on standard output.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        name: str,
        *,
        service: str,
        failure_threshold: int = 5,
        recovery_s: float = 30.0,
        failures: type[Exception] | tuple[type[Exception], ...] = Exception,
        emit: Emit = to_stdout,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.state = "closed"
        self._service = service
        self._failure_threshold = failure_threshold
        self._recovery_s = recovery_s
        self._failures = failures
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._window = Window()
        self._in_a_row = 0
        self._opened_at = 0.0
        self._trial = False

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        """Guard *func*, a function or a coroutine function."""
        if inspect.iscoroutinefunction(func):
            return cast("Callable[P, R]", self._guard_coroutine(func))

        @functools.wraps(func)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            self._enter()
            try:
                result = func(*args, **kwargs)
            except BaseException as error:
                self._leave(error)
                raise
            self._leave(None)
            return result

        return guarded

    def _guard_coroutine(
        self, func: Callable[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        @functools.wraps(func)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            self._enter()
            try:
                result = await func(*args, **kwargs)
            except BaseException as error:
                self._leave(error)
                raise
            self._leave(None)
            return result

        return guarded

    def _enter(self) -> None:
        """Let a call through or raise ``NotPermittedError``."""
        with self._lock:
            waited = self.state == "open" and self._clock() - self._opened_at >= self._recovery_s
            happened = self._move("half_open", "the recovery time has passed") if waited else None
            permitted = self.state == "closed" or (self.state == "half_open" and not self._trial)
            self._trial = self.state == "half_open"
        self._tell(happened)
        if not permitted:
            self._window.not_permitted()
            raise NotPermittedError(f"breaker {self.name!r} is {self.state}: the call was not made")

    def _leave(self, error: BaseException | None) -> None:
        """Note how a call ended and move when that decides it."""
        if error is not None and isinstance(error, self._failures):
            self._window.failure(error)
            happened = self._after_failure(f"{type(error).__name__}: {error}"[:200])
        else:
            self._window.success()
            happened = self._after_success()
        self._tell(happened)

    def _after_failure(self, reason: str) -> Transition | None:
        with self._lock:
            self._in_a_row += 1
            tripped = self.state == "closed" and self._in_a_row >= self._failure_threshold
            if not tripped and self.state != "half_open":
                return None
            self._opened_at = self._clock()
            return self._move("open", reason)

    def _after_success(self) -> Transition | None:
        with self._lock:
            self._in_a_row = 0
            return self._move("closed", "the trial call succeeded") if self.state == "half_open" else None

    def _move(self, after: str, reason: str) -> Transition:
        before, self.state = self.state, after
        self._in_a_row = 0
        self._trial = False
        seen = self._window.turn()
        return transition(
            service=self._service,
            breaker=self.name,
            before=before,
            after=after,
            reason=reason,
            failure_rate=seen.failure_rate,
            calls=seen.calls,
            not_permitted=seen.not_permitted,
        )

    def _tell(self, happened: Transition | None) -> None:
        if happened is not None:
            safely(self._emit, happened)
