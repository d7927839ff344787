"""
Retries of tenacity as a breaker that only watches: it gives up one call, it never refuses the next.

    tells = RetryListener(service="checkout", target="payment")

    @retry(stop=stop_after_attempt(4), wait=wait_exponential(), after=tells.after, retry_error_callback=tells.gave_up)
    def charge(order): ...

tenacity calls these with its ``RetryCallState``, so nothing of it is imported here. The first failed attempt writes that there is such a thing,
in the state ``metrics_only``: on the board it is seen, and on the map its edge stays unprotected, because nothing ends the calls to a callee that is
down. A call that gave up is one more line with what tenacity's statistics know: its attempts and how long they took; ``calls`` are the failed
attempts of all calls since the line before. At most one in ``every_s`` seconds is written; it tells how many gave up since.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from agents.breakers.transition import Emit, safely, to_stdout, transition
from agents.breakers.window import Window

STATE = "metrics_only"


class RetryListener:
    """
    Two callbacks for one retried callee; threads and tasks may share it.

    Args:
        service: ``service.name`` of this process.
        target: Whom the retried function calls.
        name: Of the policy; default ``retry:<target>``.
        emit: Where a line goes; default standard output.
        instance: Which process of the service; default the host's name.
        every_s: Least time between two lines about calls that gave up.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        service: str,
        target: str,
        name: str | None = None,
        emit: Emit = to_stdout,
        instance: str | None = None,
        every_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._target = target
        self._name = name or f"retry:{target}"
        self._emit = emit
        self._instance = instance
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._window = Window()
        self._known = False
        self._told_at = float("-inf")
        self._gave_up = 0

    def after(self, state: Any) -> None:
        """Note an attempt that failed; for tenacity's ``after``."""
        self._window.failure(state.outcome.exception() or RuntimeError("its result was refused"))
        with self._lock:
            first, self._known = not self._known, True
        if first:
            self._tell("", "retries failed calls, refuses none")

    def gave_up(self, state: Any) -> NoReturn:
        """Note a call that will not be tried again, and raise as tenacity would without us; for ``retry_error_callback``."""
        with self._lock:
            self._gave_up += 1
            due = self._clock() - self._told_at >= self._every_s
            if due:
                self._told_at, count, self._gave_up = self._clock(), self._gave_up, 0
        if due:
            error = state.outcome.exception()
            why = f"{type(error).__name__}: {error}" if error is not None else "its result was refused"
            seconds = state.seconds_since_start or 0.0
            self._tell(
                STATE,
                f"{count} gave up, the last after {state.attempt_number} attempts in {seconds:.1f} s: {why}"[
                    :300
                ],
            )
        error = state.retry_object.retry_error_cls(state.outcome)
        if state.retry_object.reraise:
            error.reraise()
        raise error from state.outcome.exception()

    def _tell(self, before: str, reason: str) -> None:
        seen = self._window.turn()
        happened = transition(
            service=self._service,
            breaker=self._name,
            target=self._target,
            instance=self._instance,
            before=before,
            after=STATE,
            reason=reason,
            calls=seen.calls,
        )
        safely(self._emit, happened)
