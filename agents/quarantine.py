"""
Blocks that a collector has rejected for good, kept for a person to look at (``fuseboard-agent quarantine``).

One file per block, ``quarantine/<sequence>.frame``: a spool frame (layout in ``frame``) whose headers also hold
``Fuseboard-Rejected``, what the collector said. Written whole before the block is settled; a kill between the two
rewrites the same file. Beyond ``MAX_BYTES`` the oldest go, said in the log and counted.

A person who has mended the reason asks for another try by renaming the file to ``<sequence>.retry``, which a running agent
sees within a second and any other when it starts. The block is sent again as it was, under its own key and sequence; the
file goes when a collector has it, or is a ``.frame`` again with what was said this time. In the agent's books the block stays
*rejected*, it had left them; the collector's ledger finds it stored, under its own sequence, among the blocks it was read with.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agents.checkpoint import sync_directory
from agents.client import Answer
from agents.frame import Found, FrameHead, decode, encode
from agents.own_log import log

MAX_BYTES = 64 << 20
SAID_BYTES = 500  # of the collector's answer: enough for its error object
SAID = "Fuseboard-Rejected"
KEPT, ASKED = ".frame", ".retry"


@dataclass(frozen=True, slots=True)
class Kept:
    """One quarantined block: ``said`` is the collector's status and words, ``asked`` that it is to be sent again."""

    head: FrameHead
    body: bytes
    said: str
    path: Path

    @property
    def asked(self) -> bool:
        """Whether somebody has asked for another try."""
        return self.path.suffix == ASKED


class Quarantine:
    """
    The directory of rejected blocks; every method may be called by any thread.

    Attributes:
        retried: Blocks that a collector has taken after all, since the process began.
        evicted: Blocks that made room for newer ones, since the process began.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self.retried = 0
        self.evicted = 0

    def put(self, head: FrameHead, body: bytes, answer: Answer) -> Path:
        """
        Keep a rejected block.

        Raises:
            OSError: The disk refuses; the block is not settled.
        """
        said = f"{answer.status} {answer.body[:SAID_BYTES].decode(errors='replace')}"
        marked = replace(head, headers=head.headers | {SAID: said})
        path = self._directory / f"{head.sequence:016d}{KEPT}"
        beside = path.with_suffix(".new")
        with self._lock:
            self._directory.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(encode(marked, body))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            path.with_suffix(ASKED).unlink(missing_ok=True)
            sync_directory(self._directory)
            self._bound()
        return path

    def kept(self) -> Iterator[Kept]:
        """Give every readable block, oldest first."""
        for path in self._files(KEPT, ASKED):
            block = read(path)
            if block is not None:
                yield block

    def asked(self) -> list[Path]:
        """Give the files of blocks that are to be sent again, oldest first."""
        return self._files(ASKED)

    def retry(self, sequence: int) -> bool:
        """Ask for another try of one block; False when it is not here (any more)."""
        path = self._directory / f"{sequence:016d}{KEPT}"
        try:
            path.rename(path.with_suffix(ASKED))
        except FileNotFoundError:
            return path.with_suffix(ASKED).exists()
        sync_directory(self._directory)
        return True

    def taken(self, sequence: int) -> None:
        """Let a block go that a collector has taken after all."""
        (self._directory / f"{sequence:016d}{ASKED}").unlink(missing_ok=True)
        self.retried += 1

    def amounts(self) -> tuple[int, int]:
        """Give how many blocks are here, and the bytes of their files."""
        sizes = [size for _, size in self._sizes(KEPT, ASKED)]
        return len(sizes), sum(sizes)

    def _files(self, *suffixes: str) -> list[Path]:
        return [path for path, _ in self._sizes(*suffixes)]

    def _sizes(self, *suffixes: str) -> list[tuple[Path, int]]:
        found = []
        for path in sorted(self._directory.glob("*")):
            if path.suffix in suffixes:
                try:
                    found.append((path, path.stat().st_size))
                except FileNotFoundError:  # taken, or renamed, while we looked
                    continue
        return found

    def _bound(self) -> None:
        """Make room: what is to be sent again stays."""
        files = self._sizes(KEPT)
        excess = sum(size for _, size in files) - MAX_BYTES
        for path, size in files:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            self.evicted += 1
            log(
                "warning",
                "quarantine_evicted",
                file=path,
                reason=f"more than {MAX_BYTES} bytes are quarantined",
            )
            excess -= size


def read(path: Path) -> Kept | None:
    """Read one file; None when it is no whole frame, or has gone."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    found = decode(data)
    if not isinstance(found, Found):
        return None
    said = found.head.headers.get(SAID, "")
    headers = {name: value for name, value in found.head.headers.items() if name != SAID}
    return Kept(replace(found.head, headers=headers), data[found.body_start : found.end], said, path)
