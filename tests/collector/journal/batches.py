"""Batches as ``receive/`` hands them over, and a journal that keeps what it sealed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backports import zstd

from collector.journal.batch import Batch
from collector.journal.envelope import Head, encode
from collector.journal.segment import SealedSegment
from collector.journal.settings import JournalSettings
from collector.journal.sidecar import BatchInfo
from collector.journal.writer import Journal

NOW_NS = 1_795_000_000 * 10**9
# For who looks into an open segment, or counts its fsyncs: after the usual second a machine that stands still would have it sealed.
UNAGED: Mapping[str, float] = {"lines": 3600.0, "breakers": 3600.0}
FROZEN: Mapping[str, Any] = {"versions": {"logs": "v1"}, "retention_days": 30, "settings": {}}


def frames(batch_id: str, body: bytes) -> bytes:
    """The two zstd frames of one record."""
    return zstd.compress(encode(Head(batch_id, NOW_NS), len(body)), 1) + zstd.compress(body, 1)


def info(batch_id: str, body: bytes = b"line", **fields: Any) -> BatchInfo:
    """What the sidecar keeps of a batch of lines."""
    given = {
        "answer": {"batch": batch_id},
        "body_hash": body.hex()[:16],
        "expires_ns": NOW_NS + 10**15,
        **fields,
    }
    return BatchInfo(batch_id, NOW_NS, "lines", "logs", len(body), 1, **given)


def batch(batch_id: str, body: bytes = b"line", group: str = "lines", **fields: Any) -> Batch:
    """One accepted request."""
    return Batch(group, frames(batch_id, body), info(batch_id, body, **fields))


class Kept(Journal):
    """A journal without a loader: what it seals stands in ``sealed``."""

    def __init__(
        self,
        path: Path,
        max_bytes: int = 1 << 30,
        reserve_bytes: int = 1 << 16,
        seal_ages_s: Mapping[str, float] | None = None,
    ) -> None:
        self.sealed: list[SealedSegment] = []
        self._ended = False
        super().__init__(
            JournalSettings(path, max_bytes, seal_ages_s or {}, reserve_bytes),
            self.sealed.append,
            lambda _: FROZEN,
            lambda: NOW_NS,
        )

    def end(self) -> None:
        """Seal everything and let go of the directory; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self.seal()
            self.stop()

    def batch_ids(self) -> list[str]:
        """Batches of all sealed segments, in order."""
        return [record.batch.batch_id for segment in self.sealed for record in segment.side.records]


def bodies(segment: SealedSegment) -> list[bytes]:
    """The client's bytes of each record, read back from the file."""
    found = []
    for index in range(len(segment.side.records)):
        head = zstd.ZstdDecompressor()
        head.decompress(segment.frames(index))
        found.append(zstd.decompress(head.unused_data))
    return found
