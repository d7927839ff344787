r"""
A segment's sidecar: what stands in ``<name>.side``, and how its lines are written and read.

Each line is ``<crc32c, 8 hex digits> <JSON>\n``; kinds, by key:

    {"record": {"offset", "length", "crc", "batch": {…}}}   one per record, in the order of the records
    {"seal": {"versions": {table: version}, "retention_days", "kept", …}} once; frozen from then on
    {"mask": {"records": [i, …], "target", "reasons": […]}}  records set aside as unloadable, before the rest is inserted
    {"done": "<table>"}                                      after each target

A line that is torn or does not match its CRC ends what is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crc32c
import msgspec


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
        lacks: Tables of its format for which it holds nothing.
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
    lacks: tuple[str, ...] = ()


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
        told = entry["batch"]
        batch = BatchInfo(**{**told, "lacks": tuple(told.get("lacks", ()))})
        side.records.append(Record(entry["offset"], entry["length"], entry["crc"], batch))
    elif "seal" in value:
        side.seal = value["seal"]
    elif "mask" in value:
        side.masked.update(zip(value["mask"]["records"], value["mask"]["reasons"], strict=True))
    elif "done" in value:
        side.done.add(value["done"])


def record_line(record: Record) -> bytes:
    """Write the line of a record."""
    entry = {"offset": record.offset, "length": record.length, "crc": record.crc, "batch": record.batch}
    return line_of({"record": entry})


def line_of(value: Mapping[str, Any]) -> bytes:
    """Write a line."""
    body = msgspec.json.encode(value)
    return b"%08x %s\n" % (crc32c.crc32c(body), body)


def _parsed(line: bytes) -> dict[str, Any] | None:
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % crc32c.crc32c(body):
        return None
    value: dict[str, Any] = msgspec.json.decode(body)
    return value
