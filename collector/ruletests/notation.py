"""
Values of a series as promtool writes them.

::

    a+bxn    a, a+b, …, a+b·n    n+1 values; a-bxn alike; axn: a, n+1 times
    _  _xn   one value is missing; n are
    stale    the series ends here
"""

from __future__ import annotations

import re
import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
# More than a test has; a slip of the hand is not a gigabyte.
_MOST = 100_000
_NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|(?i:nan|inf))"
_TOKEN = re.compile(rf"(?P<start>{_NUMBER})(?:(?P<step>[+-]\d[\d.]*(?:[eE][+-]?\d+)?)?x(?P<times>\d+))?")
_GAP = re.compile(r"_(?:x(?P<times>\d+))?")


def read_values(text: str) -> list[float | None]:
    """
    Read a series' values; ``None`` = missing.

    Raises:
        ValueError: A part is none.
    """
    values: list[float | None] = []
    for part in text.split():
        values += _part(part)
        if len(values) > _MOST:
            raise ValueError(f"more than {_MOST} values")
    return values


def _part(part: str) -> list[float | None]:
    if part == "stale":
        return [STALE]
    gap = _GAP.fullmatch(part)
    if gap is not None:
        return [None] * min(int(gap["times"] or 1), _MOST + 1)
    found = _TOKEN.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is no value: write 1, 1+2x5, 1x5, _, _x5 or stale")
    start, step = float(found["start"]), float(found["step"] or 0)
    times = min(int(found["times"] or 0), _MOST + 1)
    return [start + step * number for number in range(times + 1)]
