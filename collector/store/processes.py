"""
Statements that run in ClickHouse now: how far they are, and their end.

A statement is found by the ``query_id`` it was sent with; the embedded engine keeps that in a comment before the statement (``engine/server.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from collector.store.client import Store

# Whoever asks how far it is waits for that less than for the answer.
_SETTINGS = {"max_execution_time": 5}


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far some statements are.

    Attributes:
        rows_read: Rows read until now.
        bytes_read: Bytes of them, uncompressed.
        rows_total: Rows that ClickHouse means to read; 0 = it does not know yet.
        elapsed_s: Seconds since the first of them began.
        memory_bytes: What they hold of the engine's memory.
    """

    rows_read: int = 0
    bytes_read: int = 0
    rows_total: int = 0
    elapsed_s: float = 0.0
    memory_bytes: int = 0


_PROGRESS = """
SELECT
    sum(read_rows) AS rows_read,
    sum(read_bytes) AS bytes_read,
    sum(total_rows_approx) AS rows_total,
    toFloat64(max(elapsed)) AS elapsed_s,
    toUInt64(greatest(sum(memory_usage), 0)) AS memory_bytes
FROM system.processes
WHERE has({ids:Array(String)}, query_id) OR has({ids:Array(String)}, extract(query, '^/\\\\* ([A-Za-z0-9_.-]+) \\\\*/'))
LIMIT 1
"""


def progress(store: Store, ids: Collection[str]) -> Progress:
    """Say how far the statements *ids* are; zeros where none of them runs."""
    answer = store.query(_PROGRESS, {"ids": list(ids)}, _SETTINGS)
    return Progress(**answer.rows[0])


_KILL = """
KILL QUERY
WHERE has({ids:Array(String)}, query_id) OR has({ids:Array(String)}, extract(query, '^/\\\\* ([A-Za-z0-9_.-]+) \\\\*/'))
ASYNC
"""


def cancel(store: Store, ids: Collection[str]) -> None:
    """End the statements *ids*; returns before they have ended. One that does not run yet is not found."""
    store.command(_KILL, {"ids": list(ids)}, _SETTINGS)
