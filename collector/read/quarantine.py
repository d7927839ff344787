"""Batches that were set aside: which, why, how large; their bytes lie in ``data_dir/quarantine``."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.sql import Reader, Row

_QUARANTINED = """
SELECT q.at AS received_at, batch_id, format, target, reason, bytes
FROM quarantine AS q
WHERE q.at >= {start:DateTime64(9, 'UTC')} AND q.at < {end:DateTime64(9, 'UTC')}
ORDER BY q.at DESC, batch_id
LIMIT {limit:UInt32}
"""


def quarantined(reader: Reader, window: Window, limit: int) -> list[Row]:
    """Return ``{received_at, batch_id, format, target, reason, bytes}`` of the newest *limit* batches received in *window*."""
    return reader.rows(_QUARANTINED, {**window.params(), "limit": limit})
