"""
One followed file: an open descriptor, how far it has been read, and how to tell that it is still the same file.

A file is the same when device and inode are, and its first bytes are (the signature grows with the file to 1024
bytes). A rename therefore changes nothing; a truncation or a reused inode begins a new generation at offset 0.
What was written and cut off between two looks (at most one poll) was never readable and is not counted.
"""

import hashlib
import os
import secrets
import time
from typing import NamedTuple

from agents.block import MAX_BLOCK_BYTES, FileMark
from agents.checkpoint import FilePlace

SIGNATURE_BYTES = 1024


class Piece(NamedTuple):
    """Whole lines read from a file: [start, end) in bytes of its generation."""

    data: bytes
    start: int
    end: int


class Tail:
    """
    A file being followed, by one thread.

    Attributes:
        offset: Up to where blocks have been handed over.
        gone_since: When its path was seen to lead elsewhere; None while it is in its place.
    """

    def __init__(self, path: str, places: "dict[str, FilePlace] | None" = None) -> None:
        """
        Open *path*, continuing the one of *places* (by generation) that is still the same file.

        A file keeps the name under which it was first seen: a rename does not make it another source.

        Raises:
            OSError: The file is gone or may not be read.
        """
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.path = path
        self.gone_since: float | None = None
        self._awaited = (-1, 0.0)
        state = os.fstat(self.descriptor)
        self.device, self.inode = state.st_dev, state.st_ino
        self._signature = b""
        for generation, place in (places or {}).items():
            if is_same(self.descriptor, state, place):
                self.path, self.generation, self.offset = place.mark.path, generation, place.offset
                self._signature = os.pread(self.descriptor, place.mark.signature_bytes, 0)
                return
        self._begin()

    def mark(self) -> FileMark:
        """Describe the file for the checkpoint."""
        digest = hashlib.sha256(self._signature).hexdigest()[:16]
        return FileMark(self.path, self.device, self.inode, len(self._signature), digest)

    def skip_to_end(self) -> None:
        """Begin behind the last whole line that is there now."""
        size = os.fstat(self.descriptor).st_size
        start = max(0, size - MAX_BLOCK_BYTES)
        last = os.pread(self.descriptor, size - start, start).rfind(b"\n")
        self.offset = start + last + 1 if last >= 0 or start == 0 else size
        self._grow_signature()

    def check(self) -> bool:
        """
        Look whether the file was truncated or rewritten since.

        Returns:
            True when a new generation has begun at offset 0.
        """
        signature = self._signature
        same = os.pread(self.descriptor, len(signature), 0) == signature
        if same and os.fstat(self.descriptor).st_size >= self.offset:
            return False
        self._begin()
        return True

    def read(self, *, finishing: bool = False) -> Piece | None:
        """
        Read the next whole lines, at most 1 MiB; ``offset`` does not move.

        A longer line is cut at 1 MiB. The partial last line waits unless *finishing*.
        """
        data = os.pread(self.descriptor, MAX_BLOCK_BYTES, self.offset)
        if not data:
            return None
        whole = data.rfind(b"\n") + 1
        if whole == 0 and (finishing or len(data) == MAX_BLOCK_BYTES):
            whole = len(data)
        if whole == 0:
            return None
        if len(self._signature) < SIGNATURE_BYTES:
            self._grow_signature()
        piece = data if whole == len(data) else data[:whole]
        return Piece(piece, self.offset, self.offset + whole)

    def has_waited(self, end: int, seconds: float) -> bool:
        """Say whether the data has ended at *end* for *seconds*; the first question starts the clock."""
        if self._awaited[0] != end:
            self._awaited = (end, time.monotonic())
        return time.monotonic() - self._awaited[1] >= seconds

    def lag_bytes(self) -> int:
        """Give the bytes behind ``offset``."""
        try:
            return max(0, os.fstat(self.descriptor).st_size - self.offset)
        except OSError:  # closed by its own thread meanwhile: finished
            return 0

    def close(self) -> None:
        """Let the descriptor go."""
        os.close(self.descriptor)

    def _begin(self) -> None:
        self.generation = secrets.token_hex(6)
        self.offset = 0
        self._signature = b""
        self._grow_signature()

    def _grow_signature(self) -> None:
        self._signature = os.pread(self.descriptor, SIGNATURE_BYTES, 0)


def is_same(descriptor: int, state: os.stat_result, place: FilePlace) -> bool:
    """Say whether an open file is the one that *place* speaks of, still as long as it was."""
    mark = place.mark
    if (state.st_dev, state.st_ino) != (mark.device, mark.inode) or state.st_size < place.offset:
        return False
    first = os.pread(descriptor, mark.signature_bytes, 0)
    return hashlib.sha256(first).hexdigest()[:16] == mark.signature
