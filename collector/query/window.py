"""Times as people write them, and the time window of a question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from collector.errors import QueryError

SECOND_NS = 1_000_000_000
# The contract's default: the last hour.
DEFAULT_LENGTH_NS = 3600 * SECOND_NS
# What DateTime64(9) can hold, so that a wrong unit is our clear error and not the engine's overflow.
_EARLIEST_NS = 0
LATEST_NS = 9_214_646_400 * SECOND_NS

_UNITS_NS = {"ms": 1_000_000, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS,
             "d": 86_400 * SECOND_NS, "w": 604_800 * SECOND_NS}  # fmt: skip
_RELATIVE = re.compile(r"(?:now)?\s*([+-])\s*(\d{1,9})\s*(ms|s|m|h|d|w)")
_EPOCH = re.compile(r"(\d{1,19})(?:\.(\d{1,9}))?")
_RFC_3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?\s*([Zz]|[+-]\d{2}:?\d{2})?)?"
)
_EXPECTED = "use RFC 3339 (2026-11-22T20:51:49Z), epoch seconds or milliseconds, now, or relative like -15m"


@dataclass(frozen=True, slots=True)
class Window:
    """
    The half-open time range ``[start_ns, end_ns)``, nanoseconds since the epoch, UTC.

    Attributes:
        now_ns: When the question was asked; relative times and verdicts refer to it.
    """

    start_ns: int
    end_ns: int
    now_ns: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / SECOND_NS

    def params(self) -> dict[str, object]:
        """Give the values for ``{start:DateTime64(9, 'UTC')}`` and ``{end:DateTime64(9, 'UTC')}``."""
        return {"start": sql_time(self.start_ns), "end": sql_time(self.end_ns)}

    def last(self, seconds: float) -> Window:
        """Give the window of *seconds* that ends where this one ends."""
        return Window(self.end_ns - int(seconds * SECOND_NS), self.end_ns, self.now_ns)


def sql_time(at_ns: int) -> str:
    """Write nanoseconds since the epoch the way ClickHouse reads a DateTime64(9, 'UTC')."""
    seconds, nanoseconds = divmod(at_ns, SECOND_NS)
    return f"{_second(seconds)}.{nanoseconds:09d}"


@lru_cache(maxsize=8192)
def _second(seconds: int) -> str:
    """Write a whole second; rows of one answer share many."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def rfc_3339(at_ns: int) -> str:
    """Write nanoseconds since the epoch as the contract wants times: RFC 3339, nanoseconds, UTC."""
    return sql_time(at_ns).replace(" ", "T") + "Z"


def parse_window(start: str | None, end: str | None, now_ns: int) -> Window:
    """
    Read the parameters ``start`` and ``end``; either may be missing.

    Returns:
        The window; by default the hour before *end*, which is *now_ns* by default.

    Raises:
        QueryError: 400 ``bad_time`` naming the parameter and quoting the value, or ``bad_range``.
    """
    end_ns = now_ns if end is None else parse_time(end, "end", now_ns)
    start_ns = end_ns - DEFAULT_LENGTH_NS if start is None else parse_time(start, "start", now_ns)
    if end_ns <= start_ns:
        raise QueryError(
            "bad_range", f"end ({end or 'now'}) must be later than start ({start or '-1h'})", "end"
        )
    return Window(max(start_ns, _EARLIEST_NS), end_ns, now_ns)


def parse_time(text: str, param: str, now_ns: int) -> int:
    """
    Read one time.

    Args:
        text: RFC 3339 (no offset = UTC), epoch in s, ms, µs or ns by magnitude, ``now``, ``-15m``, ``now-1h``.
        param: Named in the error.
        now_ns: What relative times refer to.

    Returns:
        Nanoseconds since the epoch.
    """
    stripped = text.strip()
    at_ns = _relative(stripped, now_ns)
    if at_ns is None:
        at_ns = _epoch(stripped)
    if at_ns is None:
        at_ns = _timestamp(stripped)
    if at_ns is None or not _EARLIEST_NS <= at_ns < LATEST_NS:
        raise QueryError("bad_time", f"{param}={text!r} is not a time; {_EXPECTED}", param)
    return at_ns


def _relative(text: str, now_ns: int) -> int | None:
    if text == "now":
        return now_ns
    found = _RELATIVE.fullmatch(text)
    if found is None:
        return None
    distance = int(found[2]) * _UNITS_NS[found[3]]
    return now_ns - distance if found[1] == "-" else now_ns + distance


def _epoch(text: str) -> int | None:
    found = _EPOCH.fullmatch(text)
    if found is None:
        return None
    whole, fraction = int(found[1]), found[2] or ""
    # By magnitude, as the ingest mapping does: seconds stay below 1e11 until the year 5138.
    unit_ns = next(
        (ns for limit, ns in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)) if whole < limit), 1
    )
    return whole * unit_ns + int(fraction.ljust(9, "0") or "0") * unit_ns // SECOND_NS


def _timestamp(text: str) -> int | None:
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    zone = (offset or "+00:00").upper().replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}")
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND_NS + int((fraction or "").ljust(9, "0"))
