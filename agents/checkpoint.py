"""
The ledger's durable image: one small JSON file, replaced atomically.

``checkpoint.json`` in the data directory says, as of one instant: up to which spool sequence blocks have been counted as
read, which of them are settled (shipped, rejected, dropped), every counter, and where each source stands. Whatever
happened after that instant is in the spool's frames and is replayed from there. The file is written beside, fsynced,
renamed, and the directory fsynced; so there is always one whole checkpoint.

A block is deleted from the spool only after a checkpoint that knows it as settled is durable.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agents.block import FileMark, Stream
from agents.errors import SpoolUnavailable


@dataclass(slots=True)
class Counters:
    """
    Cumulative since the data directory was made; bytes are uncompressed body bytes of the blocks.

    ``read_bytes`` holds what processors took out as well, so read = shipped + rejected + dropped + spooled in bytes, too.
    ``dropped`` is reason -> [blocks, bytes, lines]; lines taken out of a block that is shipped count no block.
    """

    read_blocks: int = 0
    read_bytes: int = 0
    shipped_blocks: int = 0
    shipped_bytes: int = 0
    rejected_blocks: int = 0
    rejected_bytes: int = 0
    duplicate_blocks: int = 0
    dropped: dict[str, list[int]] = field(default_factory=dict)

    def spooled(self) -> tuple[int, int]:
        """(blocks, bytes) that are read and not settled: what is in flight."""
        blocks = sum(pair[0] for pair in self.dropped.values()) + self.shipped_blocks + self.rejected_blocks
        size = sum(pair[1] for pair in self.dropped.values()) + self.shipped_bytes + self.rejected_bytes
        return self.read_blocks - blocks, self.read_bytes - size


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Up to where one incarnation of a file has been read."""

    mark: FileMark
    offset: int


@dataclass(slots=True)
class Checkpoint:
    """
    What survives the process.

    Attributes:
        agent: Random identity, made once per data directory.
        counted_through: Last spool sequence that the counters include as read.
        settled_through: Every sequence up to here is settled; ``settled_above`` lists settled ones beyond.
        counters: By stream.
        files: By generation.
        sequences: Next sequence number of sources that count rather than measure.
        patterns: File patterns that have been looked at once; ``start_at`` applies to the first look only.
        reports: Number of reports made.
        collector: Where blocks without a pin may have been sent; None before the first.
        pins: Sequence -> URL of the collector that alone knows the block's fate.
        sending_through: Blocks beyond were not sent to *collector*; None = nobody has counted.
    """

    agent: str
    counted_through: int = 0
    settled_through: int = 0
    settled_above: list[int] = field(default_factory=list)
    counters: dict[Stream, Counters] = field(default_factory=dict)
    files: dict[str, FilePlace] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    patterns: list[str] = field(default_factory=list)
    reports: int = 0
    collector: str | None = None
    pins: dict[int, str] = field(default_factory=dict)
    sending_through: int | None = None

    def first_unsettled(self) -> int:
        """Give the lowest sequence that still needs something."""
        candidate = self.settled_through + 1
        above = set(self.settled_above)
        while candidate in above:
            candidate += 1
        return candidate


def load(path: Path) -> Checkpoint | None:
    """
    Read the checkpoint at *path*.

    Returns:
        None when there is none yet.

    Raises:
        SpoolUnavailable: It cannot be read or is not ours; going on would read every file again.
    """
    try:
        return _decode(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpoolUnavailable(f"checkpoint {path} cannot be read: {error!r}") from error


def save(checkpoint: Checkpoint, path: Path) -> None:
    """
    Make *checkpoint* the one that a restart finds; returns when it is durable.

    Raises:
        OSError: The disk refuses; the former checkpoint stands.
    """
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(json.dumps(_encode(checkpoint), separators=(",", ":")).encode())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names created, renamed or removed in *path* durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "version": 1,
        "agent": checkpoint.agent,
        "counted_through": checkpoint.counted_through,
        "settled_through": checkpoint.settled_through,
        "settled_above": checkpoint.settled_above,
        "counters": [
            [[stream.service, stream.env, stream.signal, stream.source], asdict(counters)]
            for stream, counters in checkpoint.counters.items()
        ],
        "files": {
            generation: [asdict(place.mark), place.offset] for generation, place in checkpoint.files.items()
        },
        "sequences": checkpoint.sequences,
        "patterns": checkpoint.patterns,
        "reports": checkpoint.reports,
        "collector": checkpoint.collector,
        "pins": {str(sequence): url for sequence, url in checkpoint.pins.items()},
        "sending_through": checkpoint.sending_through,
    }


def _decode(fields: Any) -> Checkpoint:
    if fields["version"] != 1:
        raise ValueError(f"version {fields['version']!r} is not 1")
    return Checkpoint(
        agent=fields["agent"],
        counted_through=fields["counted_through"],
        settled_through=fields["settled_through"],
        settled_above=fields["settled_above"],
        counters={Stream(*stream): _counters(counters) for stream, counters in fields["counters"]},
        files={
            generation: FilePlace(FileMark(**mark), offset)
            for generation, (mark, offset) in fields["files"].items()
        },
        sequences=fields["sequences"],
        patterns=fields["patterns"],
        reports=fields["reports"],
        collector=fields["collector"],
        pins={int(sequence): url for sequence, url in fields["pins"].items()},
        sending_through=fields.get("sending_through"),
    )


def _counters(fields: Any) -> Counters:
    """Read one stream's counters; a checkpoint of an earlier version counted no dropped lines."""
    dropped = {reason: [*amounts, 0][:3] for reason, amounts in fields.pop("dropped").items()}
    return Counters(**fields, dropped=dropped)
