r"""
One segment of the journal: two files, one promise.

``<name>.open`` / ``<name>.seg`` is a run of records. A record is two zstd frames: the envelope's head (ours) and the body
(the client's frame untouched, or its bytes compressed once by us). Decompressed, the whole file is a stream of
varint-delimited Protobuf envelopes that ClickHouse reads as it is.

``<name>.side`` is the sidecar, appended and fsynced with the segment. Each line is ``<crc32c, 8 hex digits> <JSON>\n``; kinds, by key:

    {"record": {"offset", "length", "crc", "batch": {…}}}   one per record, in the order of the records
    {"seal": {"versions": {table: version}, "retention_days", …}} once; frozen from then on
    {"mask": {"records": [i, …], "target", "reasons": […]}}  records set aside as unloadable, before the rest is inserted
    {"done": "<table>"}                                      after each target

A segment's name is ``<epoch>-<sequence>``: the epoch is new with each start of the journal, so that no name, and no deduplication
token made from it, is ever used twice.

Recovery: a sidecar's torn last line is cut off; a record counts if its line is whole and its bytes are there and match their CRC;
the first that does not ends the segment, and both files are truncated to what counts. What was acknowledged was fsynced in both.
A sealed segment is as long as its records say; what is behind them is cut off.

A failed fsync ends a segment (docs/adr/0014): the kernel may have dropped the pages and call them clean, so a second fsync of the same file
proves nothing. Its records since the last success are cut off and refused or written again elsewhere, and sealing it writes
the sidecar anew, from memory, into a file of its own.

Source: design.md §4; rename(2) atomicity.
"""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crc32c
import msgspec
import structlog

from collector.errors import JournalError, JournalFull

log = structlog.get_logger()

NO_SPACE = frozenset({errno.EFBIG, errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """
    What the sidecar keeps of a batch: enough for the ledger and for answering a repeat.

    Attributes:
        batch_id: As in the envelope.
        received_at_ns: Epoch nanoseconds.
        format: Name of the format (``lines``, ``otlp_logs``, …).
        signal: ``logs``, ``traces``, ``metrics``, ``breakers`` or ``reports``.
        bytes: Length of the decompressed body.
        records: Records counted in the body, 0 where only ClickHouse can count them.
        resource: Declared resource attributes.
        source: Declared source attributes.
        key_id: Name of the key that wrote.
        identity: What a repeat is recognised by, ``""`` = never.
        body_hash: Of the decompressed body, to tell a repeat from a mistake.
        expires_ns: When the identity is forgotten.
        answer: The JSON the first request was answered with.
    """

    batch_id: str
    received_at_ns: int
    format: str
    signal: str
    bytes: int
    records: int
    resource: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    key_id: str = ""
    identity: str = ""
    body_hash: str = ""
    expires_ns: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """Where a batch lies in its segment."""

    offset: int
    length: int
    crc: int
    batch: BatchInfo


@dataclass(slots=True)
class Sidecar:
    """Everything the sidecar's lines say, in memory."""

    records: list[Record] = field(default_factory=list)
    seal: dict[str, Any] | None = None
    masked: dict[int, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)


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
        line = _record_line(record)
        try:
            _write_all(self._data, frames)
            _write_all(self._side, line)
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
            self._seal_sidecar(_line({"seal": dict(frozen)}))
            written = self.folder / f"{self.name}.open"
            if written.exists():
                written.rename(self.folder / f"{self.name}.seg")
            sync_folder(self.folder)
        except OSError as error:
            self._rewind()
            raise journal_error(error) from error
        self.close()
        return SealedSegment(self.folder, self.name)

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
            _write_all(self._side, line)
            os.fdatasync(self._side)
            return
        os.ftruncate(self._data, self.bytes)
        draft = self.folder / f"{self.name}.side-draft"
        with draft.open("wb") as out:
            out.write(b"".join(_record_line(record) for record in self.records) + line)
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
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.path = folder / f"{name}.seg"
        self._side_path = folder / f"{name}.side"
        self.side = read_sidecar(self._side_path)[0]

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
        if self.side.seal is None and (not records or len(_intact(self.path, records)) < len(records)):
            self.path.rename(self.folder / f"{self.name}.seg.damaged")
            self._side_path.rename(self.folder / f"{self.name}.side.damaged")
            log.error("segment_damaged", group=self.group, segment=self.name, records=len(self.side.records))
            return False
        _truncate(
            self._side_path, read_sidecar(self._side_path)[1][-1]
        )  # a killed process leaves lines without fsync
        if self.path.stat().st_size > self.bytes:
            _truncate(self.path, self.bytes)
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
                _append_whole(handle, _line(value))
            finally:
                os.close(handle)
        except OSError as error:
            raise journal_error(error) from error


def recover(folder: Path, frozen: Mapping[str, Any]) -> list[SealedSegment]:
    """
    Bring one group's directory back after any kind of end, and return what is to be loaded, oldest first.

    Args:
        folder: The group's directory.
        frozen: What to freeze into segments that were still open.
    """
    for path in sorted(folder.glob("*.open")):
        _recover_open(folder, path.stem, frozen)
    sealed = []
    for path in sorted(folder.glob("*.seg")):
        if (folder / f"{path.stem}.side").exists():
            sealed.append(SealedSegment(folder, path.stem))
        else:
            path.rename(folder / f"{path.name}.damaged")
            log.error("segment_damaged", group=folder.name, segment=path.stem, records=0)
    for path in folder.glob("*.side"):
        if not (folder / f"{path.stem}.seg").exists():
            path.unlink()
    for path in folder.glob("*.side-draft"):
        path.unlink()
    for path in folder.glob(".records-*.tmp"):  # what load/quarantine.py was trying when it ended
        path.unlink()
    sync_folder(folder)
    return [segment for segment in sealed if segment.repaired(frozen)]


def _recover_open(folder: Path, name: str, frozen: Mapping[str, Any]) -> None:
    data_path, side_path = folder / f"{name}.open", folder / f"{name}.side"
    if not side_path.exists():
        data_path.unlink()
        return
    side, lengths = read_sidecar(side_path)
    kept = _intact(data_path, side.records)
    if not kept:
        data_path.unlink()
        side_path.unlink()
        return
    end = kept[-1].offset + kept[-1].length
    _truncate(data_path, end)
    sealed = side.seal is not None and len(kept) == len(side.records)
    _truncate(side_path, lengths[-1] if sealed else lengths[len(kept) - 1])
    if not sealed:
        with side_path.open("ab") as file:
            file.write(_line({"seal": dict(frozen)}))
            file.flush()
            os.fsync(file.fileno())
    data_path.rename(folder / f"{name}.seg")


def read_sidecar(path: Path) -> tuple[Sidecar, list[int]]:
    """
    Read a sidecar up to its first torn or damaged line.

    Returns:
        What it says, and the end offset of each good line.
    """
    side, ends, position = Sidecar(), [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        value = _parsed(line)
        if value is None:
            break
        position += len(line)
        ends.append(position)
        _apply(side, value)
    return side, ends


def _apply(side: Sidecar, value: dict[str, Any]) -> None:
    if "record" in value:
        entry = value["record"]
        batch = BatchInfo(**entry["batch"])
        side.records.append(Record(entry["offset"], entry["length"], entry["crc"], batch))
    elif "seal" in value:
        side.seal = value["seal"]
    elif "mask" in value:
        side.masked.update(zip(value["mask"]["records"], value["mask"]["reasons"], strict=True))
    elif "done" in value:
        side.done.add(value["done"])


def _intact(path: Path, records: list[Record]) -> list[Record]:
    kept: list[Record] = []
    with path.open("rb") as file:
        for record in records:
            frames = file.read(record.length)
            if len(frames) < record.length or crc32c.crc32c(frames) != record.crc:
                break
            kept.append(record)
    return kept


def _record_line(record: Record) -> bytes:
    entry = {"offset": record.offset, "length": record.length, "crc": record.crc, "batch": record.batch}
    return _line({"record": entry})


def _line(value: Mapping[str, Any]) -> bytes:
    body = msgspec.json.encode(value)
    return b"%08x %s\n" % (crc32c.crc32c(body), body)


def _parsed(line: bytes) -> dict[str, Any] | None:
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % crc32c.crc32c(body):
        return None
    value: dict[str, Any] = msgspec.json.decode(body)
    return value


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _append_whole(handle: int, line: bytes) -> None:
    """Append *line* durably, or leave the file as it was: half a line would hide the next."""
    size = os.fstat(handle).st_size
    try:
        _write_all(handle, line)
        os.fdatasync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _truncate(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.truncate(length)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make creations, renames and deletions in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def journal_error(error: OSError) -> JournalError:
    """Translate what the disk said: no space is 429, anything else 503."""
    if error.errno in NO_SPACE:
        return JournalFull("journal_full", f"no space left for the journal: {error}", retry_after_s=5)
    return JournalError("journal_unavailable", f"the journal cannot be written: {error}", retry_after_s=5)
