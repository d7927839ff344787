"""
The ledger's durable image: two small JSON files, written in turn.

A checkpoint says, as of one instant: up to which spool sequence blocks have been counted as read, which of them are
settled (shipped, rejected, dropped), every counter, and where each source stands. Whatever happened after that instant is in
the spool's frames and is replayed from there.

``checkpoint.json`` and ``checkpoint.json.1`` are written in turn, the older one in its place, then fsynced; ``saves`` says which
is newer. One line each: ``{"crc32":"<8 hex digits>","books":<the books>}``, padded with spaces; the CRC-32 (zlib) is of the
books' text. So one of the two is always whole, and a save needs no new space on a full disk as long as the books do not outgrow
the padding.

A block is deleted from the spool only after *both* know it as settled. A torn or damaged checkpoint therefore costs nothing: the
other one and the frames since say the same (docs/adr/0015). When neither can be read the agent begins anew under another
identity, says ``checkpoint_lost`` and keeps what it could not read as ``*.damaged``.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from agents.block import FileMark, Stream
from agents.errors import SpoolUnavailable
from agents.own_log import log

VERSION = 2
PAGE = 4096  # files grow by pages: a save within the last one allocates nothing
_OPENING = '{"crc32":"%08x","books":'


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

    def __deepcopy__(self, _memo: object) -> "FilePlace":
        """Nothing in it changes: a copy of the books for 5,000 files is made each second."""
        return self


class Settled(NamedTuple):
    """Which sequences need nothing any more: all up to ``through``, and those in ``above``."""

    through: int
    above: frozenset[int]

    def covers(self, first: int, last: int) -> bool:
        """Say whether [first, last] is settled."""
        beyond = range(max(first, self.through + 1), last + 1)
        return all(sequence in self.above for sequence in beyond)


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
        sent_through: No block above it was ever sent; what is at or below may be known to a collector.
        saves: Number of saves: the newer of two checkpoints has more.
        fallbacks: How often a checkpoint could not be read at the start.
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
    sent_through: int = 0
    saves: int = 0
    fallbacks: int = 0

    def settled(self) -> Settled:
        """Say which sequences need nothing any more."""
        return Settled(self.settled_through, frozenset(self.settled_above))


class CheckpointFile:
    """
    The two files; used by one thread at a time.

    Attributes:
        settled: What each of the two knows as settled; nothing while one is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(f"{path.name}.1"))
        self._newest = 1
        self._saves = 0
        self._lost = False
        self._known: list[Settled | None] = [None, None]

    @property
    def settled(self) -> Sequence[Settled]:
        """What each of the two files knows as settled."""
        return [known or Settled(0, frozenset()) for known in self._known]

    def load(self) -> Checkpoint | None:
        """
        Read the newer of the two that can be read.

        Returns:
            None when there is none: a first start, or, said in the log, both are damaged.

        Raises:
            SpoolUnavailable: The disk does not let us look; going on would read every file again.
        """
        found = [self._read(path) for path in self._paths]
        whole = [(slot, item) for slot, item in enumerate(found) if isinstance(item, Checkpoint)]
        if not whole:
            return self._begin_anew(found)
        for slot, item in whole:
            self._known[slot] = item.settled()
        self._newest, checkpoint = max(whole, key=lambda pair: pair[1].saves)
        self._saves = checkpoint.saves
        other = found[1 - self._newest]
        if not isinstance(other, Checkpoint) and checkpoint.saves > 1:
            checkpoint.fallbacks += 1
            log(
                "warning",
                "checkpoint_fallback",
                path=self._paths[self._newest],
                reason=other or "the other is missing",
            )
        return checkpoint

    def anew(self, agent: str) -> Checkpoint:
        """Begin the books of an agent that has none, counting it when it should have had some."""
        return Checkpoint(agent=agent, fallbacks=int(self._lost))

    def save(self, checkpoint: Checkpoint) -> None:
        """
        Make *checkpoint* the one that a restart finds; returns when it is durable.

        Raises:
            OSError: The disk refuses; the former checkpoint stands.
        """
        self._save(checkpoint)
        if not self._paths[1 - self._newest].exists():  # have both from the beginning, while there is space
            self._save(checkpoint)

    def _save(self, checkpoint: Checkpoint) -> None:
        slot = 1 - self._newest
        checkpoint.saves = self._saves + 1
        self._known[slot] = None
        _write_in_place(self._paths[slot], _encode(checkpoint))
        self._known[slot] = checkpoint.settled()
        self._newest, self._saves = slot, checkpoint.saves

    def _read(self, path: Path) -> "Checkpoint | str | None":
        """Give the checkpoint at *path*, None when there is none, or why it cannot be read."""
        try:
            return _decode(_read_durably(path))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise SpoolUnavailable(f"checkpoint {path} cannot be read: {error!r}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            return repr(error)

    def _begin_anew(self, found: "Sequence[Checkpoint | str | None]") -> Checkpoint | None:
        """Keep what cannot be read for a person to look at."""
        for path, reason in zip(self._paths, found, strict=True):
            if reason is not None:
                self._lost = True
                log("error", "checkpoint_lost", path=path, reason=reason)
                with contextlib.suppress(OSError):
                    path.replace(path.with_name(f"{path.name}.damaged"))
        return None


def sync_directory(path: Path) -> None:
    """Make names created, renamed or removed in *path* durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_durably(path: Path) -> bytes:
    """Read a file that a killed process may have left without its fsync."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return file.read()


def _write_in_place(path: Path, data: bytes) -> None:
    """Write over the file's own blocks, growing it by whole pages when it must."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        room = size if len(data) < size <= 8 * (len(data) + PAGE) else (len(data) // PAGE + 2) * PAGE
        view = memoryview(data.ljust(room))
        done = 0
        while done < room:
            done += os.pwrite(descriptor, view[done:], done)
        if size > room:
            os.ftruncate(descriptor, room)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if size == 0:
        sync_directory(path.parent)


def _encode(checkpoint: Checkpoint) -> bytes:
    text = json.dumps(_as_json(checkpoint), separators=(",", ":")).encode()
    return b"".join(((_OPENING % zlib.crc32(text)).encode(), text, b"}\n"))


def _decode(data: bytes) -> Checkpoint:
    text = data.rstrip()[len(_OPENING % 0) : -1]
    if not data.startswith((_OPENING % zlib.crc32(text)).encode()):
        raise ValueError("its checksum is wrong")
    return _from_json(json.loads(text))


def _as_json(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "version": VERSION,
        "agent": checkpoint.agent,
        "counted_through": checkpoint.counted_through,
        "settled_through": checkpoint.settled_through,
        "settled_above": checkpoint.settled_above,
        "counters": [
            [[stream.service, stream.env, stream.signal, stream.source], asdict(counters)]
            for stream, counters in checkpoint.counters.items()
        ],
        "files": {
            generation: [{name: getattr(place.mark, name) for name in FileMark.__slots__}, place.offset]
            for generation, place in checkpoint.files.items()
        },
        "sequences": checkpoint.sequences,
        "patterns": checkpoint.patterns,
        "reports": checkpoint.reports,
        "collector": checkpoint.collector,
        "pins": {str(sequence): url for sequence, url in checkpoint.pins.items()},
        "sent_through": checkpoint.sent_through,
        "saves": checkpoint.saves,
        "fallbacks": checkpoint.fallbacks,
    }


def _from_json(fields: Any) -> Checkpoint:
    if fields["version"] != VERSION:
        raise ValueError(f"version {fields['version']!r} is not {VERSION}")
    return Checkpoint(
        agent=fields["agent"],
        counted_through=fields["counted_through"],
        settled_through=fields["settled_through"],
        settled_above=fields["settled_above"],
        counters={Stream(*stream): Counters(**counters) for stream, counters in fields["counters"]},
        files={
            generation: FilePlace(FileMark(**mark), offset)
            for generation, (mark, offset) in fields["files"].items()
        },
        sequences=fields["sequences"],
        patterns=fields["patterns"],
        reports=fields["reports"],
        collector=fields["collector"],
        pins={int(sequence): url for sequence, url in fields["pins"].items()},
        sent_through=fields["sent_through"],
        saves=fields["saves"],
        fallbacks=fields["fallbacks"],
    )
