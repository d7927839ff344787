"""
Points in time as the API writes them and as people type them.

The API speaks RFC 3339 in UTC with up to nine fractional digits; ``datetime`` keeps six, so
positions on a trace's axis are integers of nanoseconds since the epoch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NS_PER_S = 1_000_000_000

_RELATIVE = re.compile(r"^-(\d{1,6})(s|m|h|d|w)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_EPOCH = re.compile(r"^\d{9,11}(\.\d+)?$")
_RFC3339 = re.compile(
    r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?([Zz]|[+-]\d\d:?\d\d)?$"
)


def parse_moment(text: str, now: datetime) -> datetime:
    """
    Understand ``now``, ``-15m``, RFC 3339 (UTC if it names no zone) or epoch seconds.

    Raises:
        ValueError: None of these, or a time outside years 1–9999.
    """
    text = text.strip()
    if text == "now":
        return now
    if relative := _RELATIVE.match(text):
        try:
            return now - timedelta(seconds=int(relative[1]) * _SECONDS[relative[2]])
        except OverflowError as error:
            raise ValueError(text) from error
    if _EPOCH.match(text):
        return datetime.fromtimestamp(float(text), UTC)
    return moment(nanoseconds(text))


def nanoseconds(text: str) -> int:
    """
    Read an RFC 3339 time as nanoseconds since the epoch.

    Raises:
        ValueError: Not RFC 3339.
    """
    match = _RFC3339.match(text)
    if not match:
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    day, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        seconds = round(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp())
    except OverflowError as error:
        raise ValueError(text) from error
    return seconds * NS_PER_S + int((fraction or "0").ljust(9, "0"))


def moment(ns: int) -> datetime:
    """Give the UTC datetime of *ns* nanoseconds since the epoch, cut to microseconds."""
    seconds, rest = divmod(ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def rfc3339(at: datetime) -> str:
    """Write *at* in UTC with milliseconds, as page URLs and API parameters carry it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
