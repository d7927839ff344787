"""
How a file's bytes become UTF-8, and where its lines end.

``utf-8`` stays byte for byte, also where it is none (the collector stores the bytes and shows U+FFFD). The others are converted a block at a time by C codecs; positions
remain those of the file's own bytes. UTF-16 without a byte order mark is taken for little-endian. A lone surrogate is
kept as the three bytes that its code point has; a last odd byte becomes U+FFFD.
"""

import codecs
from typing import Protocol

from agents.block import MAX_BLOCK_BYTES

_BOM = "\ufeff".encode()


class Encoding(Protocol):
    """One way to write text; ``read_bytes`` is how much of it makes at most about a block of UTF-8."""

    read_bytes: int

    def line_end(self, raw: bytes, start: int) -> int:
        """Give the index behind the last line's end at or behind *start* (where a character begins); *start* when there is none."""

    def first_end(self, raw: bytes, start: int) -> int:
        """Give the index behind the first line's end, as ``line_end``."""

    def to_utf8(self, data: bytes, *, at_start: bool) -> bytes:
        """Convert *data*; *at_start*: it is the file's beginning, where a byte order mark is left out."""

    def size_of(self, body: bytes) -> int:
        """Give how many bytes of the file the UTF-8 *body* was."""


class Bytes:
    """UTF-8, or what is taken for it."""

    read_bytes = MAX_BLOCK_BYTES

    def line_end(self, raw: bytes, start: int) -> int:
        """Find the last end."""
        return raw.rfind(b"\n", start) + 1 or start

    def first_end(self, raw: bytes, start: int) -> int:
        """Find the first end."""
        return raw.find(b"\n", start) + 1 or start

    def to_utf8(self, data: bytes, *, at_start: bool) -> bytes:  # noqa: ARG002 - a UTF-8 mark is bytes like any other
        """Convert."""
        return data

    def size_of(self, body: bytes) -> int:
        """Count as it was written."""
        return len(body)


class Latin1(Bytes):
    """ISO 8859-1: each byte a character."""

    read_bytes = MAX_BLOCK_BYTES // 2

    def to_utf8(self, data: bytes, *, at_start: bool) -> bytes:  # noqa: ARG002
        """Convert."""
        return data.decode("latin-1").encode()

    def size_of(self, body: bytes) -> int:
        """Count as it was written."""
        return len(body.decode())


class Utf16:
    """UTF-16 of one byte order: a line's end is two bytes, found where a character begins."""

    read_bytes = MAX_BLOCK_BYTES * 5 // 8  # two bytes become three at most

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._newline = "\n".encode(codec)

    def line_end(self, raw: bytes, start: int) -> int:
        """Find the last end."""
        at = raw.rfind(self._newline, start)
        while at >= 0 and (at - start) % 2:
            at = raw.rfind(self._newline, start, at + 1)
        return at + 2 if at >= 0 else start

    def first_end(self, raw: bytes, start: int) -> int:
        """Find the first end."""
        at = raw.find(self._newline, start)
        while at >= 0 and (at - start) % 2:
            at = raw.find(self._newline, at + 1)
        return at + 2 if at >= 0 else start

    def to_utf8(self, data: bytes, *, at_start: bool) -> bytes:
        """Convert."""
        even = len(data) & ~1
        text = data[:even].decode(self._codec, "surrogatepass") + "\ufffd" * (len(data) - even)
        body = text.encode("utf-8", "surrogatepass")
        return body.removeprefix(_BOM) if at_start else body

    def size_of(self, body: bytes) -> int:
        """Count as it was written."""
        return len(body.decode("utf-8", "surrogatepass").encode(self._codec, "surrogatepass"))


_UTF8 = Bytes()
_LATIN1 = Latin1()
_LITTLE = Utf16("utf-16-le")
_BIG = Utf16("utf-16-be")
_NAMED: dict[str, Encoding] = {"latin-1": _LATIN1, "utf-16-le": _LITTLE, "utf-16-be": _BIG}


def encoding_of(name: str, head: bytes) -> Encoding:
    """Find the encoding of the setting *name* in a file that begins with *head* (two bytes are enough)."""
    if name == "utf-16":
        return _BIG if head.startswith(codecs.BOM_UTF16_BE) else _LITTLE
    return _NAMED.get(name, _UTF8)
