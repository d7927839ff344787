"""
One sealed segment into each target exactly once.

In this order: each table of its format that is not marked ``done`` gets its INSERT … SELECT under the token
``<journal uuid>/<group>/<segment>:<table>:<mapping version>``; then ``batches`` (the ledger); then the segment is finished.
Whatever is killed in between, the same token is sent again with the same bytes, the same mapping text and the same settings,
and ClickHouse drops what it already holds, in the table and in every view behind it.

An answer that says the data itself is wrong sends the segment to ``quarantine.py``, which masks the records at fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from collector.errors import StoreRejected
from collector.journal.segment import SealedSegment
from collector.load import quarantine
from collector.load.archive import MappingArchive
from collector.load.mapping import Mapping as TableMapping
from collector.metrics import LoadMetrics
from collector.query.window import rfc_3339
from collector.store.client import Store

log = structlog.get_logger()

# What ARRAY JOIN makes of a block comes in blocks of as many rows again: few of them would cost more than all the bytes (measured: remote_write
# with 20 rows at a time takes seven times the CPU).
_BLOCK_ROWS = 65_536


class SegmentLoader:
    """
    Segments into ClickHouse, one at a call; any thread may call.

    Args:
        store: ClickHouse.
        archive: Mapping texts by version.
        journal_uuid: Part of every token.
        quarantine_path: Directory for the bytes of masked records.
        finished: Called when every target holds a segment.
        metrics: Counters.
    """

    def __init__(
        self,
        store: Store,
        archive: MappingArchive,
        journal_uuid: str,
        quarantine_path: Path,
        finished: Callable[[SealedSegment], None],
        metrics: LoadMetrics,
    ) -> None:
        self._store = store
        self._archive = archive
        self._uuid = journal_uuid
        self._quarantine_path = quarantine_path
        self._finished = finished
        self._metrics = metrics

    def load(self, segment: SealedSegment) -> None:
        """
        Load *segment* into every target that does not hold it, then say that it is finished.

        Raises:
            StoreUnavailable: Not now, or no answer; the next attempt begins where this one ended.
            StoreRejected: The data is refused, and no record of it alone is at fault.
            JournalFull: No space for a mark or a mask.
            OSError: The disk refuses.
        """
        began = time.monotonic()
        for table, version in segment.frozen["versions"].items():
            if table not in segment.side.done and not _lacks(segment, table):
                self._load_table(segment, self._archive.get(version), table, version)
                segment.mark_done(table)
        if "batches" not in segment.side.done:
            self._write_ledger(segment)
            segment.mark_done("batches")
        self._finished(segment)
        records = segment.side.records
        self._metrics.segments.labels(segment.group).inc()
        self._metrics.bytes.labels(segment.group).inc(sum(record.batch.bytes for record in records))
        self._metrics.seconds.labels(segment.group).observe(time.monotonic() - began)
        log.info(
            "segment_loaded",
            group=segment.group,
            segment=segment.name,
            batches=len(records),
            elapsed_ms=round((time.monotonic() - began) * 1000, 1),
        )

    def _load_table(self, segment: SealedSegment, mapping: TableMapping, table: str, version: str) -> None:
        try:
            self._insert(segment, mapping, table, version)
        except StoreRejected as error:
            reasons = quarantine.find_bad_records(self._store, mapping, segment, self._params(segment))
            if not reasons:
                raise
            segment.mask({**segment.side.masked, **reasons})
            self._metrics.quarantined.labels(segment.group).inc(len(reasons))
            log.error(  # noqa: TRY400 - the data is at fault, no line of ours
                "records_quarantined",
                group=segment.group,
                segment=segment.name,
                table=table,
                records=len(reasons),
                error=error.message[:300],
            )
            self._insert(segment, mapping, table, version)

    def _insert(self, segment: SealedSegment, mapping: TableMapping, table: str, version: str) -> None:
        if len(segment.side.masked) == len(segment.side.records):
            return
        settings = {
            **segment.frozen["settings"],
            "max_block_size": _BLOCK_ROWS,
            "input_format_max_block_size_bytes": int(segment.frozen["block_raw_bytes"]),
            **mapping.settings(),
            "insert_deduplication_token": f"{self._token(segment)}:{table}:{version}",
        }
        with quarantine.without_masked(segment) as path:
            if self._store.shared_disk:
                self._store.load(mapping.insert_from_file(str(path)), self._params(segment), settings)
            else:
                self._store.load(
                    mapping.insert_from_input(), self._params(segment), settings, path.read_bytes()
                )

    def _write_ledger(self, segment: SealedSegment) -> None:
        stored_at = rfc_3339(time.time_ns())  # one for all: the live tail takes a segment as a whole
        rows = [_ledger_row(segment, index, stored_at) for index in range(len(segment.side.records))]
        token = f"{self._token(segment)}:batches"
        if segment.side.masked:
            quarantine.keep(self._quarantine_path, segment)
            self._store.insert("quarantine", quarantine.rows(segment), f"{token}:quarantine")
        self._store.insert("batches", rows, token)

    def _token(self, segment: SealedSegment) -> str:
        return f"{self._uuid}/{segment.group}/{segment.name}"

    @staticmethod
    def _params(segment: SealedSegment) -> dict[str, object]:
        """Return what was frozen; segments sealed by 0.1.0 have no rules, and mappings that ask for none."""
        days = segment.frozen["retention_days"]
        kept = [tuple(rule) for rule in segment.frozen.get("kept", ())]
        return {"retention_days": days, **({"kept": kept} if kept else {})}


def _lacks(segment: SealedSegment, table: str) -> bool:
    """Say whether no record of *segment* holds anything for *table*: reading it all to find nothing costs as much as finding something."""
    return all(table in record.batch.lacks for record in segment.side.records)


def _ledger_row(segment: SealedSegment, index: int, stored_at: str) -> dict[str, object]:
    batch = segment.side.records[index].batch
    resource, source = batch.resource, batch.source
    return {
        "received_at": rfc_3339(batch.received_at_ns),
        "stored_at": stored_at,
        "batch_id": batch.batch_id,
        "format": batch.format,
        "signal": batch.signal,
        "agent": source.get("agent", ""),
        "service": resource.get("service.name", ""),
        "env": resource.get("deployment.environment.name", resource.get("deployment.environment", "")),
        "source_path": source.get("path", ""),
        "source_kind": source.get("kind", ""),
        "generation": source.get("generation", ""),
        "source_start": _number(source.get("offset", "")),
        "source_end": _number(source.get("end", "")),
        "sequence": _number(source.get("sequence", "")),
        "bytes": batch.bytes,
        "records": batch.records,
        "quarantined": index in segment.side.masked,
        "segment": segment.name,
        "key_id": batch.key_id,
        "retention_days": segment.frozen["retention_days"],
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
