r"""
Texts as a terminal may show them.

What services log is written by strangers: an escape sequence in a log line must not colour, clear or retitle the reader's terminal, nor may a direction mark
turn a line around. Such characters are shown as what they are (``\x1b``), in JSON as ``\u001b``.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

# C0 but for tab and newline, DEL and C1 (0x9b begins a sequence too), direction marks, line separators, the byte order mark, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_RELATIVE = re.compile(r"(?:now)?-(\d{1,9})(ms|s|m|h|d|w)\Z")
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z")
_TAB = "    "
_BARS = "▁▂▃▄▅▆▇█"


def safe(value: object) -> str:
    """Return *value* as text without anything a terminal obeys; newlines stay."""
    return _UNSAFE.sub(_shown, str(value)).replace("\t", _TAB)


def safe_line(value: object) -> str:
    """Return *value* as `safe` does, on one line."""
    return safe(value).replace("\n", "↵")


def json_line(value: object, *, ascii_only: bool = False) -> str:
    """Return *value* as one line of JSON that a terminal does not obey either; *ascii_only* where the other end reads no Unicode."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"), default=str)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def caret(text: str, position: int) -> str:
    """Return the line of *text* that has *position* (characters from its beginning), and a caret below that character."""
    from rich.cells import cell_len

    position = max(0, min(position, len(text)))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start:] if end < 0 else text[start:end]
    before = cell_len(safe(line[: position - start]))
    return f"  {safe(line)}\n  {' ' * before}^"


def moment_s(text: str, now: datetime) -> str:
    """Return a time as Prometheus' API takes it: ``now``, ``-15m`` and ``now-1h`` become seconds, anything else goes as it is."""
    if text == "now":
        return f"{now.timestamp():.3f}"
    found = _RELATIVE.match(text)
    if found is None:
        return text
    return f"{(now - timedelta(seconds=int(found[1]) * _UNIT_S[found[2]])).timestamp():.3f}"


def nanoseconds(text: object) -> int | None:
    """Read an RFC 3339 time with up to nine digits; ``None``: it is none."""
    found = _TIME.match(str(text))
    if found is None:
        return None
    zone = "+00:00" if found[3] == "Z" else found[3]
    try:
        seconds = int(datetime.fromisoformat(found[1] + zone).timestamp())
    except ValueError:
        return None
    return seconds * 10**9 + int((found[2] or "0").ljust(9, "0"))


def clock(text: object) -> str:
    """Return an RFC 3339 time as ``2026-11-27 14:03:05.123``, UTC; what is none as it is."""
    ns = nanoseconds(text)
    if ns is None:
        return safe_line(text)
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}.{ns % 10**9 // 10**6:03d}"


def duration(ns: float) -> str:
    """Return a duration as people say it: ``12.3 ms``."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}" if abs(ns) < 1000 * size else f"{ns / size:,.0f} {unit}"
    return f"{ns:.0f} ns"


def count(number: float) -> str:
    """Return a count as people say it: ``12.3 M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def sparkline(values: list[float]) -> str:
    """Return *values* as a row of bars; not a number is a gap."""
    known = [value for value in values if value == value and abs(value) != float("inf")]  # noqa: PLR0124 - NaN is not itself
    if not known:
        return ""
    low, high = min(known), max(known)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((value - low) / step)] if value in known else " " for value in values)
