"""Sealed segments and a loader that loads them, on a real engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backports import zstd
from prometheus_client import CollectorRegistry

from collector import formats
from collector.journal.envelope import Head, encode, schema
from collector.journal.segment import OpenSegment, SealedSegment
from collector.journal.sidecar import BatchInfo
from collector.load.archive import MappingArchive
from collector.load.loader import Group, Loader
from collector.load.mapping import Mapping, read_mappings
from collector.load.retention import Retention
from collector.metrics import LoadMetrics
from collector.store.client import Store

LINES = read_mappings(Path(formats.__path__[0]) / "lines", ("logs",))
NOTES = """INSERT INTO notes (batch_id, note)
SELECT batch_id, concat('{version} ', body)
FROM segment('body String')
WHERE throwIf(body = 'bad', 'a bad note') = 0"""
CREATE_NOTES = """
CREATE TABLE IF NOT EXISTS notes (batch_id String, note String)
ENGINE = MergeTree ORDER BY batch_id SETTINGS non_replicated_deduplication_window = 1000
"""


def notes(version: str = "v1", sql: str = NOTES) -> tuple[Mapping, ...]:
    """A mapping made for tests: the body as it is, behind the mapping's version; 'bad' cannot be read."""
    return (Mapping("notes", sql.replace("{version}", version), schema(None)),)


class Yard:
    """
    A loader of one group.

    Args:
        folder: For segments, archive and quarantine; used again = a restart.
        store: ClickHouse.
        mappings: Of the group.
        retention: What is frozen into segments; ``None`` = 30 days.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        mappings: Sequence[Mapping],
        group: str = "lines",
        retention: Retention | None = None,
    ) -> None:
        self.segments = folder / group
        self.segments.mkdir(parents=True, exist_ok=True)
        self.quarantine = folder / "quarantine"
        self.finished: list[SealedSegment] = []
        self.registry = CollectorRegistry()
        self.loader = Loader(
            {group: Group(group, mappings)},
            store,
            MappingArchive(folder / "mappings"),
            f"journal-{folder.name}",
            self.quarantine,
            self.finished.append,
            LoadMetrics(self.registry),
            retention or Retention(30),
        )
        self._group = group

    def seal(
        self,
        name: str,
        bodies: Sequence[bytes],
        heads: Sequence[dict[str, object]] | None = None,
        lacks: Sequence[tuple[str, ...]] | None = None,
        **head: object,
    ) -> SealedSegment:
        """A sealed segment with one record per body; batch ids are ``<name>-<index>``; *heads* and *lacks* per body, *head* for all."""
        segment = OpenSegment(self.segments, name)
        for index, body in enumerate(bodies):
            made = replace(Head(f"{name}-{index}", time.time_ns()), **head, **(heads[index] if heads else {}))
            record = zstd.compress(encode(made, len(body))) + zstd.compress(body)
            count = body.count(b"\n")
            segment.append(
                record,
                BatchInfo(
                    made.batch_id,
                    made.received_at_ns,
                    "lines",
                    "logs",
                    len(body),
                    count,
                    made.resource,
                    made.source,
                    lacks=lacks[index] if lacks else (),
                ),
            )
        segment.sync()
        return segment.seal(self.loader.frozen(self._group))

    def load(self, segment: SealedSegment) -> None:
        """Load it to its end."""
        before = len(self.finished)
        self.loader.take(segment)
        deadline = time.monotonic() + 60
        while len(self.finished) == before:
            assert time.monotonic() < deadline, self.loader.trouble
            time.sleep(0.01)

    def forget(self, segment: SealedSegment, *tables: str) -> SealedSegment:
        """The segment as a kill before the ``done`` markers of *tables* would have left it."""
        path = segment.folder / f"{segment.name}.side"
        marks = tuple(f'{{"done":"{table}"}}'.encode() for table in tables)
        kept = [
            line for line in path.read_bytes().splitlines(keepends=True) if not line.strip().endswith(marks)
        ]
        path.write_bytes(b"".join(kept))
        return SealedSegment(segment.folder, segment.name)
