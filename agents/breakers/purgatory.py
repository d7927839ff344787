"""
A listener for purgatory, for its synchronous and its asynchronous factory.

    factory = AsyncCircuitBreakerFactory(default_threshold=5)
    factory.add_listener(TransitionListener(service="checkout"))

purgatory calls listeners with (name, type of event, event), so nothing of it is imported here. One listener serves all breakers of a factory. It
has no event for a call that succeeded or was refused: failures are counted, and `not_permitted` may be called where ``OpenedState`` is caught.
Half-open is told by purgatory at the end of the trial call, together with what came of it.
"""

import threading
from collections.abc import Mapping
from typing import Any

from agents.breakers.transition import Emit, safely, to_stdout, transition
from agents.breakers.window import Window

STATES = {"closed": "closed", "opened": "open", "half-opened": "half_open"}
REASONS = {"half_open": "its ttl has passed", "closed": "the trial call succeeded"}


class TransitionListener:
    """
    Usable as what ``add_listener`` of a factory wants; threads and tasks may share it.

    Args:
        service: ``service.name`` of this process.
        targets: What the breakers guard, by their names; default the name itself.
        emit: Where a transition goes; default one line on standard output.
        instance: Which process of the service; default the host's name.
    """

    def __init__(
        self,
        service: str,
        targets: Mapping[str, str] | None = None,
        emit: Emit = to_stdout,
        instance: str | None = None,
    ) -> None:
        self._service = service
        self._targets = dict(targets or {})
        self._emit = emit
        self._instance = instance
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}
        self._seen: dict[str, Window] = {}

    def __call__(self, name: str, kind: str, event: Any) -> None:
        """Take one event of purgatory's."""
        if kind == "failed":
            self._window(name).failure(RuntimeError(f"{event.failure_count} failures in a row"))
        elif kind == "state_changed":
            self._changed(name, STATES.get(event.state, event.state))

    def not_permitted(self, name: str) -> None:
        """Note a call that the breaker *name* refused: purgatory raises and tells nobody."""
        self._window(name).not_permitted()

    def _changed(self, name: str, after: str) -> None:
        with self._lock:
            before, self._states[name] = self._states.get(name, "closed"), after
        seen = self._window(name).turn()
        reason = "the trial call failed" if before == "half_open" else f"{seen.calls} failures in a row"
        happened = transition(
            service=self._service,
            breaker=name,
            target=self._targets.get(name),
            instance=self._instance,
            before=before,
            after=after,
            reason=reason if after == "open" else REASONS.get(after),
            calls=seen.calls or None,
            not_permitted=seen.not_permitted,
        )
        safely(self._emit, happened)

    def _window(self, name: str) -> Window:
        with self._lock:
            return self._seen.setdefault(name, Window())
