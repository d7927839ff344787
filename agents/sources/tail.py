"""
One followed file: its descriptor, how far it has been read, what was seen beyond, and whether it is still the same file.

A rename changes nothing. A truncation or a rewriting begins a new generation at offset 0; it is noticed by ``look`` and
``verify`` (shorter, or other bytes at the beginning) and by ``read`` (other bytes in front of the place that was read to).
"""

import os
import secrets
import time
from typing import NamedTuple

from agents.block import FileMark
from agents.checkpoint import FilePlace
from agents.sources.encodings import Encoding, encoding_of
from agents.sources.identity import HEAD_BYTES, JOINT_BYTES, digest, inode_version, is_same

RACY_NS = (
    50_000_000  # a file written to so shortly before it was looked at may change again under the same mtime
)
MAX_HOLE_REST = 1 << 16  # a hole ends with a block of the file system, the text begins within it
CLOSED = -1


class Rewritten(Exception):
    """The file does not hold what was read from it any more."""


class Chunk(NamedTuple):
    """
    What lies behind ``offset``: ``raw[start:]``, in the file's own encoding (in front of it: the joint).

    Attributes:
        whole: Up to where *raw* holds whole lines; *start* when it holds none.
        more: The file may hold more.
        too_long: No line ends here, and this is longer than a line may be.
    """

    raw: bytes
    start: int
    whole: int
    more: bool
    too_long: bool


class Tail:
    """
    A file being followed, by one thread.

    Attributes:
        path: The name under which it was first seen: a rename does not make it another source.
        name: The name under which it was last seen.
        where: The same without links: where it still is when a link leads elsewhere.
        offset: Up to where blocks have been handed over.
        size: What it was when it was last looked at.
        known_end: Up to where this generation is known to have been written.
        held: Bytes behind ``offset`` that were seen and wait, 16 KiB of them at most.
        cut: ``offset`` lies inside a line that was too long.
        has_moved: Size or mtime were others at the last look than before it.
        gone_since: When its path was seen to lead elsewhere; None while it is in its place.
    """

    __slots__ = (
        "_encoding",
        "_encoding_name",
        "_head",
        "_head_bytes",
        "_is_settled",
        "_joint",
        "_stamp",
        "cut",
        "descriptor",
        "device",
        "generation",
        "gone_since",
        "has_moved",
        "held",
        "inode",
        "known_end",
        "name",
        "offset",
        "packed",
        "path",
        "size",
        "version",
        "where",
    )

    def __init__(self, path: str, encoding: str) -> None:
        """
        Open *path* at its beginning, as a file that was never read.

        Raises:
            OSError: The file is gone or may not be read.
        """
        self.path = self.name = path
        self.where = os.path.realpath(path)
        self.descriptor = _open(path)
        state = os.fstat(self.descriptor)
        self.device, self.inode = state.st_dev, state.st_ino
        self.version = inode_version(self.descriptor)
        self.gone_since: float | None = None
        self._encoding_name = encoding
        self.begin()

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    def begin(self, offset: int = 0) -> None:
        """Begin a new generation at *offset*."""
        self.generation = secrets.token_hex(6)
        self.offset = self.known_end = offset
        self.held = b""
        self.cut = self.packed = False
        self._encoding: Encoding | None = None
        self._stamp: tuple[int, int] | None = None
        self.has_moved = self._is_settled = False
        self._head_bytes, self._head = 0, digest(b"")
        self.size = os.fstat(self.descriptor).st_size
        self._grow_head()
        length = min(JOINT_BYTES, offset)
        self._joint = os.pread(self.descriptor, length, offset - length)

    def resume(self, generation: str, place: FilePlace) -> bool:
        """Go on where *place* was read to; False when this is another file, or was truncated since."""
        if not is_same(self.descriptor, os.fstat(self.descriptor), place):
            return False
        self.begin(place.offset)
        self.path, self.generation, self.cut = place.mark.path, generation, place.mark.cut
        return True

    def skip_to_end(self) -> None:
        """Begin behind the last whole line that is there now."""
        encoding = self.encoding()
        size = os.fstat(self.descriptor).st_size
        start = max(0, size - encoding.read_bytes) & ~1
        last = encoding.line_end(os.pread(self.descriptor, size - start, start), 0)
        self.begin(start + last if last or start == 0 else size)

    def mark(self, more: bytes = b"") -> FileMark:
        """Describe the file, read up to ``offset`` and *more*."""
        joint = digest((self._joint + more[-JOINT_BYTES:])[-JOINT_BYTES:])
        path, version = self.path, self.version
        return FileMark(path, self.device, self.inode, self._head_bytes, self._head, joint, version, self.cut)

    def encoding(self) -> Encoding:
        """Give how it is written, as far as its beginning tells."""
        if self._encoding is not None:
            return self._encoding
        head = os.pread(self.descriptor, 2, 0)
        encoding = encoding_of(self._encoding_name, head)
        if len(head) == 2:
            self._encoding = encoding
        return encoding

    def encoding_seen(self) -> Encoding | None:
        """Give how it was found to be written; None when nothing of it was read."""
        return self._encoding

    def look(self) -> bool:
        """
        Look whether the file has changed since; a closed one is looked at by name.

        Raises:
            OSError: A closed file is not where it was.
        """
        state = os.fstat(self.descriptor) if self.is_open() else os.stat(self.where)  # noqa: PTH116 - 5,000 times a second
        if (state.st_dev, state.st_ino) != self.identity:
            raise FileNotFoundError(self.where)
        self.size = state.st_size
        stamp = (state.st_size, state.st_mtime_ns)
        self.has_moved = stamp != self._stamp
        if self._is_settled and not self.has_moved:
            return False
        self._stamp, self._is_settled = stamp, abs(time.time_ns() - state.st_mtime_ns) > RACY_NS
        return True

    def look_again(self) -> None:
        """Make the next ``look`` find a change: not everything was read."""
        self._is_settled = False

    def verify(self) -> None:
        """
        Compare the beginning, and let the signature grow with it.

        Raises:
            Rewritten: The file is shorter than what was read of it, or begins otherwise.
        """
        if self.size < self.offset or not self._grow_head():
            raise Rewritten

    def read(self, limit: int) -> Chunk | None:
        """
        Read what lies behind ``offset``, about a block of it, or one whole line of up to *limit* bytes.

        Raises:
            Rewritten: Other bytes are in front of it than were.
        """
        encoding = self.encoding()
        size = encoding.read_bytes
        raw, start = self._behind(size)
        whole = encoding.line_end(raw, start)
        if whole == start and len(raw) - start == size <= limit:
            size = limit + 4  # the line's end
            raw, start = self._behind(size)
            whole = encoding.line_end(raw, start)
        length = len(raw) - start
        if not length:
            self.held = b""
            return None
        self.known_end = max(self.size, self.offset + length)
        return Chunk(raw, start, whole, length == size, whole == start and length > limit)

    def skip_hole(self) -> int:
        """
        Move from offset 0 behind a hole: a file was truncated whose writer goes on where it was (no ``O_APPEND``).

        Returns:
            How many bytes nobody has written there; -1 when nothing is written behind them yet.
        """
        try:
            data = os.lseek(self.descriptor, 0, os.SEEK_DATA)
        except OSError:
            return -1
        if data:
            block = os.pread(self.descriptor, MAX_HOLE_REST, data)
            self.offset = data + len(block) - len(block.lstrip(b"\0"))
            length = min(JOINT_BYTES, self.offset)
            self._joint = os.pread(self.descriptor, length, self.offset - length)
        return self.offset

    def advance(self, taken: bytes) -> None:
        """Note that *taken*, the bytes behind ``offset``, has been handed over."""
        self.offset += len(taken)
        self._joint = (self._joint + taken[-JOINT_BYTES:])[-JOINT_BYTES:]

    def lag_bytes(self) -> int:
        """Give the bytes behind ``offset`` when it was last looked at."""
        return 0 if self.packed else max(0, self.size - self.offset)

    def is_seen_at(self, path: str) -> None:
        """Note under which name it is now."""
        self.gone_since = None
        if path != self.name:
            self.name, self.where = path, os.path.realpath(path)

    def is_open(self) -> bool:
        """Say whether it holds a descriptor."""
        return self.descriptor != CLOSED

    def is_deleted(self) -> bool:
        """Say whether no name leads to it any more, as far as an open file tells."""
        return self.is_open() and os.fstat(self.descriptor).st_nlink == 0

    def reopen(self, where: str) -> bool:
        """
        Open it again under the name *where*; False when that is another file.

        Raises:
            OSError: Nothing can be opened there.
        """
        descriptor = _open(where)
        state = os.fstat(descriptor)
        if (state.st_dev, state.st_ino) != self.identity or inode_version(descriptor) != self.version:
            os.close(descriptor)
            return False
        self.descriptor, self.where = descriptor, where
        return True

    def close(self) -> None:
        """Let the descriptor go, if there is one."""
        if self.is_open():
            os.close(self.descriptor)
            self.descriptor = CLOSED

    def _behind(self, size: int) -> tuple[bytes, int]:
        """Read *size* bytes behind ``offset`` together with the joint in front of them; (bytes, where they begin)."""
        start = len(self._joint)
        raw = os.pread(self.descriptor, start + size, self.offset - start)
        if not raw.startswith(self._joint):
            raise Rewritten
        return raw, start

    def _grow_head(self) -> bool:
        """Compare the beginning with the signature; False when it differs."""
        head = os.pread(self.descriptor, HEAD_BYTES, 0)
        if digest(head[: self._head_bytes]) != self._head:
            return False
        if len(head) > self._head_bytes:
            self._head_bytes, self._head = len(head), digest(head)
        return True


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
