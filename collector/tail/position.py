"""
Where a viewer is: the id of an event.

A position is a *floor* (everything stored up to there has been seen) and what was seen above it. The floor lies `SETTLED_NS` behind, so
that a segment which becomes visible late is no gap for whoever reconnects; hashes of what was seen since keep it from being a repeat.
Within the segment that is being told, the number of records told. Nothing of it is kept here: an id made by one collector, or before a
restart, is read by any other.

Text: base64url of ``floor (8 bytes) current (4) seen (4 each)``, then ``.`` and the number; 4 bytes are the CRC-32 of `stored_ns`.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from collector.errors import QueryError
from collector.query.window import SECOND_NS

SETTLED_NS = 15 * SECOND_NS
_TEXT = re.compile(r"([A-Za-z0-9_-]{16,40000})\.(\d{1,9})")
_HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Position:
    """
    What a viewer has seen.

    Attributes:
        floor_ns: Everything stored up to then.
        seen: Marks of what was stored later and has been seen.
        current: Mark of the arrival of which *told* records were seen; 0 = none.
        told: How many.
    """

    floor_ns: int
    seen: frozenset[int]
    current: int = 0
    told: int = 0

    def has(self, stored_ns: int) -> bool:
        """Whether all of that arrival was seen."""
        return stored_ns <= self.floor_ns or mark(stored_ns) in self.seen


def mark(stored_ns: int) -> int:
    """Return the 4-byte stand-in of an arrival."""
    return zlib.crc32(struct.pack("<Q", stored_ns)) or 1


def written(floor_ns: int, seen: Iterable[int], current: int = 0) -> str:
    """Write all of a position but the number behind its dot: *seen* and *current* are `stored_ns`, 0 = none."""
    marks = [mark(stored_ns) for stored_ns in seen if stored_ns > floor_ns]
    packed = struct.pack(f"<QI{len(marks)}I", floor_ns, mark(current) if current else 0, *marks)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read(text: str) -> Position:
    """
    Read what `written` made, with its number.

    Raises:
        QueryError: 400 ``bad_cursor``.
    """
    found = _TEXT.fullmatch(text)
    try:
        packed = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)) if found else b""
    except binascii.Error:
        packed = b""
    if found is None or len(packed) < _HEAD_BYTES or len(packed) % 4:
        raise QueryError(
            "bad_cursor",
            f"{text[:80]!r} is not the id of an event of this tail; begin again without it",
            "cursor",
        )
    floor_ns, current = struct.unpack_from("<QI", packed)
    seen = struct.unpack_from(f"<{(len(packed) - _HEAD_BYTES) // 4}I", packed, _HEAD_BYTES)
    return Position(min(floor_ns, 2**62), frozenset(seen), current, int(found[2]))
