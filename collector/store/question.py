"""
Whoever waits for an answer, the statements that run for it, and their end when nobody waits any more.

A `Question` is one request. It gives each statement a ``query_id`` of its own, counts the time they take together (once, where several run at the same
time), and is *gone* when its asker is: a statement that runs then is ended in ClickHouse, the next one is not begun. `Questions` knows those of this
process by the name their asker gave them, so that another request may ask how far they are.

Thread-safe: the asker's departure is noticed by another thread than the one that waits for ClickHouse.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from collector.errors import Gone, Malformed, QueryError, Refused, StoreError
from collector.store.limits import QueryLimits

_NAME = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
# A statement that has been sent and not begun is not found: it is looked for again.
_AGAIN_S = 0.1
# ClickHouse looks whether a statement was ended between two blocks; one that does not end within this ends by its deadline.
_GIVEN_UP_S = 30.0


def is_name(text: str) -> bool:
    """Whether a question may be called *text*."""
    return _NAME.match(text) is not None


class Question:
    """
    One request and its statements.

    Args:
        name: By which its progress is asked for.
        limits: What it may take.
    """

    def __init__(self, name: str = "", limits: QueryLimits | None = None) -> None:
        self.name = name or secrets.token_hex(8)
        self.limits = limits or QueryLimits()
        # whoever raises the question's time (an answer that is read as it is made) does not raise that of a statement
        self._each_s = self.limits.time_s
        self._began = time.monotonic()
        self._counted = self._began
        self._used_s = 0.0
        self._gone = False
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self.statements = 0

    @contextmanager
    def statement(self) -> Iterator[tuple[str, dict[str, str]]]:
        """
        Count one statement: yield its ``query_id`` and the settings it runs under.

        Raises:
            Gone: The asker is.
            QueryTooExpensive: The statements before it have used up the time.
        """
        identifier, left_s = self._begin()
        try:
            yield identifier, self.limits.settings(left_s)
        finally:
            with self._lock:
                self._count()
                self._running.discard(identifier)

    def _begin(self) -> tuple[str, float]:
        with self._lock:
            self.check()
            self._count()
            left_s = self.limits.time_s - self._used_s
            if left_s <= 0:
                raise self.limits.out_of_time()
            identifier = f"fuseboard-{secrets.token_hex(12)}"
            self._running.add(identifier)
            self.statements += 1
        return identifier, min(left_s, self._each_s)

    def _count(self) -> None:
        """Add the time since the last statement began or ended, if any ran: those that run at the same time take it once."""
        now = time.monotonic()
        if self._running:
            self._used_s += now - self._counted
        self._counted = now

    def refused(self, error: StoreError) -> QueryError | Refused | None:
        """Return a statement's *error* as the limit it names; ``None``: it is about something else."""
        return replace(self.limits, time_s=min(self.limits.time_s, self._each_s)).refused(error)

    def check(self) -> None:
        """Raise `Gone` if the asker is."""
        if self._gone:
            raise Gone("client_gone", "nobody waits for this answer any more")

    def leave(self) -> None:
        """Say that the asker is gone: no statement begins after this."""
        with self._lock:
            self._gone = True

    @property
    def gone(self) -> bool:
        """Whether the asker is."""
        return self._gone

    @property
    def running(self) -> tuple[str, ...]:
        """Give the ids of its statements that were sent and have not ended."""
        with self._lock:
            return tuple(self._running)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was asked."""
        return time.monotonic() - self._began


def _nobody(_: object) -> None:
    """Do nothing: there is no ClickHouse."""


class Questions:
    """
    The questions of this process.

    Args:
        cancel: Ends statements by their ids; raises `StoreError` where ClickHouse does not answer.
        on_cancelled: Called with the number of statements that an asker left behind.
    """

    def __init__(
        self,
        cancel: Callable[[Collection[str]], None] = _nobody,
        on_cancelled: Callable[[int], None] = _nobody,
    ) -> None:
        self._cancel = cancel
        self._on_cancelled = on_cancelled
        self._lock = threading.Lock()
        self._open: set[Question] = set()
        self._left: dict[Question, float] = {}
        self._ending = False

    @contextmanager
    def ask(self, name: str, limits: QueryLimits) -> Iterator[Question]:
        """
        Know a question while the block runs.

        Args:
            name: Chosen by its asker, several may share one; "" = none.
            limits: What it may take.

        Raises:
            Malformed: ``bad_header``: *name* is not 8 to 64 letters, digits, ``-`` and ``_``.
        """
        if name and not is_name(name):
            raise Malformed("bad_header", f"X-Query-Id {name[:80]!r}: write 8 to 64 letters, digits, '-' or '_'", "X-Query-Id")  # fmt: skip
        question = Question(name, limits)
        with self._lock:
            self._open.add(question)
        try:
            yield question
        finally:
            with self._lock:
                self._open.discard(question)

    def named(self, name: str) -> list[Question]:
        """Return the open questions called *name*."""
        with self._lock:
            return [question for question in self._open if question.name == name]

    def leave(self, question: Question) -> None:
        """End what runs for *question*: its asker went away. Returns at once; a thread sees to it until nothing runs."""
        question.leave()
        if not question.running:
            return
        self._on_cancelled(len(question.running))
        with self._lock:
            self._left[question] = time.monotonic()
            if self._ending:
                return
            self._ending = True
        threading.Thread(target=self._end_left, name="query-cancel", daemon=True).start()

    def _end_left(self) -> None:
        while ids := self._to_end():
            with contextlib.suppress(StoreError):  # an engine that died has ended them
                self._cancel(ids)
            time.sleep(_AGAIN_S)

    def _to_end(self) -> list[str]:
        now = time.monotonic()
        with self._lock:
            self._left = {
                question: since
                for question, since in self._left.items()
                if question.running and now - since < _GIVEN_UP_S
            }
            ids = [identifier for question in self._left for identifier in question.running]
            self._ending = bool(ids)
            return ids
