"""
A repeat of an accepted batch gets the first answer; a repeat of one that is still being written waits for the same fsync; another body under the
same identity is refused.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from collector.errors import Conflict
from collector.journal.batch import Accepted
from collector.journal.identities import Identities
from collector.journal.sidecar import BatchInfo


class Repeats:
    """
    Tells first batches from repeats. Thread-safe.

    Args:
        identities: Of batches that were accepted.
    """

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._lock = threading.Lock()
        self._inflight: dict[str, tuple[str, Future[Accepted]]] = {}

    def first(self, info: BatchInfo, future: Future[Accepted]) -> Future[Accepted] | None:
        """
        Say that *info* is about to be written, *future* being its answer.

        Returns:
            ``None`` for a batch that was never seen; the answer to follow for a repeat, which must not be written.

        Raises:
            Conflict: Its identity was accepted with another body (409 ``idempotency_mismatch``).
        """
        if not info.identity:
            return None
        with self._lock:
            repeat = self._repeat(info)
            if repeat is None:
                self._inflight[info.identity] = (info.body_hash, future)
            return repeat

    def accepted(self, info: BatchInfo) -> None:
        """Hear that it is durable."""
        self._identities.add(info)
        self.refused(info)

    def refused(self, info: BatchInfo) -> None:
        """Hear that nothing of it was kept: its next attempt is a first one."""
        with self._lock:
            self._inflight.pop(info.identity, None)

    def _repeat(self, info: BatchInfo) -> Future[Accepted] | None:
        waiting = self._inflight.get(info.identity)
        if waiting is not None:
            _same_body(info, waiting[0])
            return _as_duplicate(waiting[1])
        known = self._identities.find(info.identity, info.received_at_ns)
        if known is None:
            return None
        _same_body(info, known[0])
        future: Future[Accepted] = Future()
        future.set_result(Accepted(known[1], duplicate=True))
        return future


def _same_body(info: BatchInfo, body_hash: str) -> None:
    if info.body_hash != body_hash:
        raise Conflict(
            "idempotency_mismatch",
            "this Idempotency-Key was accepted before with another body; use a new key for new bytes",
            "Idempotency-Key",
        )


def uncancellable() -> Future[Accepted]:
    """Return a future that a request given up by its server cannot cancel: its bytes are written all the same."""
    future: Future[Accepted] = Future()
    future.set_running_or_notify_cancel()
    return future


def _as_duplicate(first: Future[Accepted]) -> Future[Accepted]:
    """Return a future that follows *first*, marked as a duplicate."""
    following = uncancellable()

    def settle(done: Future[Accepted]) -> None:
        error = done.exception()
        if error is not None:
            following.set_exception(error)
        else:
            following.set_result(Accepted(done.result().answer, duplicate=True))

    first.add_done_callback(settle)
    return following
