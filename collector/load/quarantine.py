"""
Records the data itself makes unloadable: found, set aside with their bytes and a reason, and never in their neighbours' way.

When ClickHouse refuses a segment, its records are tried: the mapping's SELECT over their frames alone, into nothing; what fails is halved
until it is one record. Those that fail are masked (durably, in the sidecar, before anything is inserted); the insert then reads the segment without their frames.
A segment is frames behind frames, so leaving a record out is leaving out its bytes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backports import zstd

from collector.errors import StoreRejected
from collector.journal.disk import sync_folder
from collector.journal.segment import SealedSegment
from collector.load.mapping import Mapping as TableMapping
from collector.query.window import rfc_3339
from collector.store.client import Store

_REASON_LENGTH = 500
# A body of no records; an empty one would leave the statement without data.
_NO_FRAMES = zstd.compress(b"")


def find_bad_records(
    store: Store, mapping: TableMapping, segment: SealedSegment, params: Mapping[str, object]
) -> dict[int, str]:
    """
    Try the records of *segment*, halving what fails: one bad record of a thousand is found with twenty SELECTs.

    Returns:
        Index of each record the mapping cannot read -> ClickHouse's words; empty when the mapping fails
        without any record (then it is the mapping or the schema that is wrong, and nothing is set aside).

    Raises:
        StoreUnavailable: ClickHouse went away; nothing is known.
    """
    if _refusal(store, mapping, segment, [], params) is not None:
        return {}
    bad: dict[int, str] = {}
    suspects = [[index for index in range(len(segment.side.records)) if index not in segment.side.masked]]
    while suspects:
        tried = suspects.pop()
        refusal = _refusal(store, mapping, segment, tried, params)
        if refusal is not None and len(tried) == 1:
            bad[tried[0]] = refusal
        elif refusal is not None:
            middle = len(tried) // 2
            suspects += [tried[middle:], tried[:middle]]
    return bad


@contextmanager
def without_masked(segment: SealedSegment) -> Iterator[Path]:
    """Yield a file with the records that are not masked: the segment itself when none is."""
    if not segment.side.masked:
        yield segment.path
        return
    kept = [index for index in range(len(segment.side.records)) if index not in segment.side.masked]
    with _file_of(segment, kept) as path:
        yield path


def keep(folder: Path, segment: SealedSegment) -> None:
    """Copy the bytes of the masked records to *folder*, durably, one file per batch."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in segment.side.masked:
        batch = segment.side.records[index].batch
        with (folder / f"{segment.group}-{batch.batch_id}.seg").open("wb") as file:
            file.write(segment.frames(index))
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)
    sync_folder(folder.parent)


def rows(segment: SealedSegment) -> list[dict[str, object]]:
    """Return the rows of the table ``quarantine`` for the masked records."""
    return [
        {
            "at": rfc_3339(segment.side.records[index].batch.received_at_ns),
            "batch_id": segment.side.records[index].batch.batch_id,
            "format": segment.side.records[index].batch.format,
            "target": segment.group,
            "reason": reason,
            "segment": segment.name,
            "bytes": segment.side.records[index].batch.bytes,
            "retention_days": segment.frozen["retention_days"],
        }
        for index, reason in sorted(segment.side.masked.items())
    ]


def _refusal(
    store: Store,
    mapping: TableMapping,
    segment: SealedSegment,
    indexes: list[int],
    params: Mapping[str, object],
) -> str | None:
    """Say why ClickHouse cannot read the records of *indexes*; ``None`` = it can."""
    try:
        with _file_of(segment, indexes) as path:
            _select_into_nothing(store, mapping, path, params)
    except StoreRejected as error:
        return error.message[:_REASON_LENGTH]
    return None


def _select_into_nothing(
    store: Store, mapping: TableMapping, path: Path, params: Mapping[str, object]
) -> None:
    settings = mapping.settings()
    if store.shared_disk:
        store.command(f"{mapping.select_from_file(str(path))}\nFORMAT Null", params, settings)
    else:
        store.load(mapping.insert_into_nothing(), params, settings, path.read_bytes() or _NO_FRAMES)


@contextmanager
def _file_of(segment: SealedSegment, indexes: list[int]) -> Iterator[Path]:
    """Yield a temporary file beside the segment with the frames of *indexes*, in their order."""
    with tempfile.NamedTemporaryFile(dir=segment.folder, prefix=".records-", suffix=".tmp") as out:
        with segment.path.open("rb") as source:
            for index in indexes:
                record = segment.side.records[index]
                source.seek(record.offset)
                out.write(source.read(record.length))
        out.flush()
        yield Path(out.name)
