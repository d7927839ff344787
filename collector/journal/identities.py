"""
Which batches were already accepted, and what they were answered.

Identities of segments that are not loaded yet live in memory and in their sidecars; when a segment is finished they move, in
one transaction, into ``identities.db`` (SQLite), and only then does the sidecar go. So a repeat is recognised after any restart,
for as long as its identity was promised to be remembered, without keeping them all in memory.

Cost: one dict look-up and, on a miss, one primary-key look-up (measured ≈ 15 µs) per request that carries an identity.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from collector.errors import JournalError, JournalFull
from collector.journal.sidecar import BatchInfo

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identities
(identity BLOB PRIMARY KEY, body_hash TEXT NOT NULL, answer BLOB NOT NULL, expires_ns INTEGER NOT NULL) WITHOUT ROWID
"""
_FIND = "SELECT body_hash, answer, expires_ns FROM identities WHERE identity = ? LIMIT 1"
_KEEP = "INSERT OR REPLACE INTO identities VALUES (?, ?, ?, ?)"
_FORGET = "DELETE FROM identities WHERE expires_ns < ?"
# Expired identities are swept once per this many finished segments: often enough to bound the file, rare enough to cost nothing.
_SWEEP_EVERY = 500


class Identities:
    """
    The identity log. Thread-safe.

    Args:
        path: Of ``identities.db``.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, BatchInfo] = {}
        self._moved = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)

    def add(self, batch: BatchInfo) -> None:
        """Remember a batch whose record is durable in a live segment."""
        if batch.identity:
            with self._lock:
                self._live[batch.identity] = batch

    def find(self, identity: str, now_ns: int) -> tuple[str, dict[str, Any]] | None:
        """
        Return (body hash, first answer) of an accepted batch, or ``None``.

        Raises:
            JournalError: The disk does not let us look.
        """
        with self._lock:
            batch = self._live.get(identity)
            if batch is not None:
                return (batch.body_hash, dict(batch.answer)) if batch.expires_ns > now_ns else None
            with _translated():
                row = self._db.execute(_FIND, (_digest(identity),)).fetchone()
        if row is None or row[2] <= now_ns:
            return None
        return row[0], msgspec.json.decode(row[1])

    def settle(self, batches: Iterable[BatchInfo], now_ns: int) -> None:
        """
        Move the identities of a finished segment to disk, durably.

        Raises:
            JournalFull: No space left; all of them are still remembered, and it may be tried again.
            JournalError: Another disk trouble, likewise.
        """
        kept = [batch for batch in batches if batch.identity]
        rows = [
            (_digest(batch.identity), batch.body_hash, msgspec.json.encode(batch.answer), batch.expires_ns)
            for batch in kept
            if batch.expires_ns > now_ns
        ]
        with self._lock:
            if rows:
                self._keep(rows)
            for batch in kept:
                live = self._live.get(batch.identity)
                if live is not None and live.batch_id == batch.batch_id:  # else expired and used again since
                    del self._live[batch.identity]
            self._moved += 1
            if self._moved % _SWEEP_EVERY == 0:
                with _translated():
                    self._db.execute(_FORGET, (now_ns,))

    def _keep(self, rows: list[tuple[bytes, str, bytes, int]]) -> None:
        with _translated():
            self._db.execute("BEGIN")
            try:
                self._db.executemany(_KEEP, rows)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                if self._db.in_transaction:  # some errors have rolled back already
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Say in the journal's words what SQLite said."""
    try:
        yield
    except sqlite3.Error as error:
        kind = JournalFull if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL else JournalError
        code = "journal_full" if kind is JournalFull else "journal_unavailable"
        raise kind(code, f"the identity log cannot be used: {error}", retry_after_s=5) from error


def _digest(identity: str) -> bytes:
    return hashlib.blake2b(identity.encode(), digest_size=16).digest()
