"""
One segment of the journal: two files, one promise.

``<name>.open`` / ``<name>.seg`` is a run of records. A record is two zstd frames: the envelope's head (ours) and the body
(the client's frame untouched, or its bytes compressed once by us). Decompressed, the whole file is a stream of
varint-delimited Protobuf envelopes that ClickHouse reads as it is.

``<name>.side`` is the sidecar, appended and fsynced with the segment (``sidecar`` says what stands in it).

A segment's name is ``<epoch>-<sequence>``: the epoch is new with each start of the journal, so that no name, and no deduplication
token made from it, is ever used twice.

A failed fsync ends a segment (docs/adr/0014): the kernel may have dropped the pages and call them clean, so a second fsync of the same file
proves nothing. Its records since the last success are cut off and refused or written again elsewhere, and sealing it writes
the sidecar anew, from memory, into a file of its own.

Source: design.md §4; rename(2) atomicity.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import crc32c
import structlog

from collector.journal.disk import (
    append_whole,
    begin_writing,
    journal_error,
    sync_folder,
    truncate,
    write_all,
)
from collector.journal.sidecar import BatchInfo, Record, Sidecar, line_of, read_sidecar, record_line

log = structlog.get_logger()


class OpenSegment:
    """
    The segment being appended to.

    Args:
        folder: The group's directory; exists.
        name: ``<epoch>-<sequence>``.

    Attributes:
        spoiled: The disk has refused something that cannot be trusted again: nothing more may be appended, only sealed.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._data = os.open(folder / f"{name}.open", flags, 0o640)
        try:
            self._side = os.open(folder / f"{name}.side", flags, 0o640)
        except BaseException:
            os.close(self._data)
            (folder / f"{name}.open").unlink()
            raise
        self.spoiled = False
        self.bytes = 0
        self.raw_bytes = 0
        self._side_bytes = 0
        self.records: list[Record] = []
        self._durable = (0, 0, 0, 0)

    def append(self, frames: bytes, batch: BatchInfo) -> None:
        """
        Write one record; it is durable only after :meth:`sync`.

        Raises:
            JournalFull: No space left; both files are as before.
            JournalError: Another disk trouble; both files are as before if the disk let us.
        """
        record = Record(self.bytes, len(frames), crc32c.crc32c(frames), batch)
        line = record_line(record)
        try:
            write_all(self._data, frames)
            write_all(self._side, line)
        except OSError as error:
            self._rewind()
            raise journal_error(error) from error
        self.bytes += len(frames)
        self.raw_bytes += batch.bytes
        self._side_bytes += len(line)
        self.records.append(record)

    def sync(self) -> None:
        """
        Make every record so far durable (fdatasync of both files).

        Raises:
            JournalError: The records since the last success are gone from both files: nobody may be told they are kept. The
                segment is spoiled.
        """
        try:
            begin_writing(self._side, self._durable[1])
            os.fdatasync(self._data)
            os.fdatasync(self._side)
        except OSError as error:
            self.spoiled = True
            self.bytes, self._side_bytes, self.raw_bytes, kept = self._durable
            del self.records[kept:]
            self._rewind()
            raise journal_error(error) from error
        self._durable = (self.bytes, self._side_bytes, self.raw_bytes, len(self.records))

    def seal(self, frozen: Mapping[str, Any]) -> SealedSegment:
        """
        Close the segment for writing and give it its permanent name; its bytes never change again.

        Args:
            frozen: Mapping versions and load settings, used by every load of it from now on.

        Raises:
            JournalError: The rename could not be made durable; sealing may be tried again.
        """
        try:
            self._seal_sidecar(line_of({"seal": dict(frozen)}))
            written = self.folder / f"{self.name}.open"
            if written.exists():
                written.rename(self.folder / f"{self.name}.seg")
            sync_folder(self.folder)
        except OSError as error:
            self._rewind()
            raise journal_error(error) from error
        self.close()
        return SealedSegment(self.folder, self.name, Sidecar(self.records, dict(frozen)))

    def discard(self) -> None:
        """Delete a segment in which no record is durable."""
        self.close()
        for ending in ("open", "side"):
            with suppress(OSError):  # what stays is swept up at recovery
                (self.folder / f"{self.name}.{ending}").unlink()

    def close(self) -> None:
        """Let the descriptors go."""
        os.close(self._data)
        os.close(self._side)

    def _seal_sidecar(self, line: builtins.bytes) -> None:
        if not self.spoiled:
            write_all(self._side, line)
            os.fdatasync(self._side)
            return
        os.ftruncate(self._data, self.bytes)
        draft = self.folder / f"{self.name}.side-draft"
        with draft.open("wb") as out:
            out.write(b"".join(record_line(record) for record in self.records) + line)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(self.folder / f"{self.name}.side")

    def _rewind(self) -> None:
        """Cut off what a failed append may have left; a disk that refuses even that is not trusted with more."""
        try:
            os.ftruncate(self._data, self.bytes)
            os.ftruncate(self._side, self._side_bytes)
        except OSError as error:
            self.spoiled = True
            log.warning("segment_spoiled", group=self.folder.name, segment=self.name, reason=str(error))


class SealedSegment:
    """
    A segment whose bytes never change again: the frozen load unit.

    Args:
        folder: The group's directory.
        name: ``<epoch>-<sequence>``; ``<name>.seg`` and ``<name>.side`` exist.
        side: What the sidecar says, if that is known; read otherwise.
    """

    def __init__(self, folder: Path, name: str, side: Sidecar | None = None) -> None:
        self.folder = folder
        self.name = name
        self.path = folder / f"{name}.seg"
        self._side_path = folder / f"{name}.side"
        self.side = side or read_sidecar(self._side_path)[0]

    @property
    def group(self) -> str:
        """The target group it belongs to: its directory's name."""
        return self.folder.name

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(record.length for record in self.side.records)

    @property
    def frozen(self) -> Mapping[str, Any]:
        """What was frozen when it was sealed."""
        return self.side.seal or {}

    def repaired(self, frozen: Mapping[str, Any]) -> bool:
        """
        Cut off what is torn behind the last line or the last record, so that what is appended next can be read.

        Args:
            frozen: For a segment that was renamed and whose seal did not become durable: its records do count.

        Returns:
            Whether the segment can be loaded. Without its seal and with a damaged record (a disk that changed what it had promised to
            keep) it cannot: both files stay, renamed to ``.damaged``, for a person to look at.
        """
        records = self.side.records
        if self.side.seal is None and (not records or len(intact(self.path, records)) < len(records)):
            self.path.rename(self.folder / f"{self.name}.seg.damaged")
            self._side_path.rename(self.folder / f"{self.name}.side.damaged")
            log.error("segment_damaged", group=self.group, segment=self.name, records=len(self.side.records))
            return False
        truncate(
            self._side_path, read_sidecar(self._side_path)[1][-1]
        )  # a killed process leaves lines without fsync
        if self.path.stat().st_size > self.bytes:
            truncate(self.path, self.bytes)
        if self.side.seal is None:
            self._append({"seal": dict(frozen)})
            self.side.seal = dict(frozen)
        return True

    def frames(self, index: int) -> builtins.bytes:
        """Return the two frames of record *index*."""
        record = self.side.records[index]
        with self.path.open("rb") as file:
            file.seek(record.offset)
            return file.read(record.length)

    def mark_done(self, table: str) -> None:
        """Note durably that *table* holds this segment."""
        self._append({"done": table})
        self.side.done.add(table)

    def mask(self, reasons: Mapping[int, str]) -> None:
        """Note durably which records are set aside, and why, before the others are inserted."""
        self._append({"mask": {"records": list(reasons), "reasons": list(reasons.values())}})
        self.side.masked.update(reasons)

    def remove(self) -> None:
        """Delete both files, the data first and durably: a sidecar without its segment is swept up at recovery."""
        self.path.unlink(missing_ok=True)
        sync_folder(self.folder)
        self._side_path.unlink(missing_ok=True)

    def _append(self, value: Mapping[str, Any]) -> None:
        try:
            handle = os.open(self._side_path, os.O_WRONLY | os.O_APPEND)
            try:
                append_whole(handle, line_of(value))
            finally:
                os.close(handle)
        except OSError as error:
            raise journal_error(error) from error


def intact(path: Path, records: list[Record]) -> list[Record]:
    """Return the records from the front whose bytes are there and match their CRC."""
    kept: list[Record] = []
    with path.open("rb") as file:
        for record in records:
            frames = file.read(record.length)
            if len(frames) < record.length or crc32c.crc32c(frames) != record.crc:
                break
            kept.append(record)
    return kept
