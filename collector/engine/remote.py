"""
A ClickHouse server that somebody else runs: watched, never started.

A thread asks it ``SELECT 1`` every two seconds on connections of its own. While it does not answer, `Server.target` raises at once, so that
nobody waits for a black hole: segments stay in the journal, readers are told. It counts as away after two questions without an answer
(or from the start, until the first one is answered) and as up once it answers and has the schema: whatever came back may be another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from collector.engine.process import EngineState
from collector.errors import StoreUnavailable
from collector.store.client import Store
from collector.store.target import Target

_ASKED_EVERY_S = 2.0
# While it is away: nobody but this thread asks, and a second is what a line may wait longer.
_ASKED_AGAIN_S = 1.0
# A server that needs longer for "SELECT 1" is of no use to anybody.
_ANSWER_S = 10.0
_FAILURES = 2


class Server:
    """
    The state of a ClickHouse server; in the place of `Engine` where the database is not ours.

    Args:
        target: Where it listens.
        timeout_s: Deadline of a statement; the question has that long, but at most ten seconds.

    Attributes:
        on_up: Called with *target* from the watching thread each time it answers again, before anybody else gets that (the schema
            is applied here); an exception keeps it down, with the reason.
        on_answer: Called with *target* after each question that was answered; an exception counts as none.
    """

    def __init__(self, target: Target, timeout_s: float) -> None:
        self._where = target
        self._watched = Store(lambda: target, min(_ANSWER_S, timeout_s))
        self.on_up: Callable[[Target], None] | None = None
        self.on_answer: Callable[[Target], None] | None = None
        self._reachable = False
        self._failed = _FAILURES
        self._stopping = threading.Event()
        self._state = EngineState("starting", datetime.now(UTC), 0, None, None)
        self._thread = threading.Thread(target=self._watch, name="server-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch: the server goes on without us."""
        self._stopping.set()

    def target(self) -> Target:
        """Return where it listens, or raise `StoreUnavailable` while it is away."""
        if not self._reachable:
            state = self._state
            raise StoreUnavailable(
                f"the ClickHouse server is {state.state} since {state.since.isoformat(timespec='seconds')}"
                + (f": {state.last_error}" if state.last_error else "")
            )
        return self._where

    @property
    def state(self) -> EngineState:
        """``starting``, ``up`` or ``down``; ``restarts`` counts how often it went away; there is no process of ours."""
        return self._state

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._ask()
            self._stopping.wait(_ASKED_EVERY_S if self._state.state == "up" else _ASKED_AGAIN_S)

    def _ask(self) -> None:
        try:
            self._watched.ping()
            if self.on_answer is not None:
                self.on_answer(self._where)
            if self._state.state != "up":
                self._welcome()
        except Exception as error:  # noqa: BLE001 - the watch must outlive whatever one question meets
            self._failed += 1
            if self._failed >= _FAILURES:
                self._enter_down(str(error))
        else:
            self._failed = 0

    def _welcome(self) -> None:
        if self.on_up is not None:
            self.on_up(self._where)
        self._reachable = True
        self._state = EngineState("up", datetime.now(UTC), self._state.restarts, None, self._state.last_error)

    def _enter_down(self, error: str) -> None:
        self._reachable = False
        before = self._state
        since = before.since if before.state == "down" else datetime.now(UTC)
        self._state = EngineState("down", since, before.restarts + (before.state == "up"), None, error)
