"""
Numbers, times and states as people read them; all formatting of the pages happens here.

What is unknown reads ``–``, never 0: None, missing fields and texts that are not what they should be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dashboards.timestamps import NS_PER_S, moment, nanoseconds

UNKNOWN = "–"

_STATE_WORDS = {
    "closed": "closed",
    "open": "open",
    "half_open": "half-open",
    "forced_open": "forced open",
    "disabled": "disabled",
    "metrics_only": "metrics only",
}
_UNITS_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
_HEALTHS = ("healthy", "degraded", "unhealthy")


def number(value: object, digits: int = 3) -> str:
    """Write a number with about *digits* significant digits: 0.0123, 4.56, 1,234."""
    amount = _amount(value)
    if amount is None:
        return UNKNOWN
    if amount == int(amount) or abs(amount) >= 10 ** (digits - 1):
        return f"{amount:,.0f}"
    return f"{amount:.{digits}g}"


def percent(value: object) -> str:
    """Write a ratio 0..1 as a percentage; a tiny one that is not zero stays visible."""
    amount = _amount(value)
    if amount is None:
        return UNKNOWN
    if 0 < amount < 0.0005:
        return "<0.1 %"
    return f"{amount * 100:.0f} %" if amount >= 0.1 or amount == 0 else f"{amount * 100:.1f} %"


def duration_ms(value: object) -> str:
    """Write milliseconds as µs, ms, s, min, h or d, whichever reads best."""
    amount = _amount(value)
    if amount is None:
        return UNKNOWN
    if amount < 0:
        return "-" + duration_ms(-amount)
    if amount == 0:
        return "0 ms"
    if amount < 1:
        return f"{amount * 1000:.0f} µs"
    if amount < 1000:
        return f"{amount:.3g} ms" if amount < 100 else f"{amount:.0f} ms"
    return duration_s(amount / 1000)


def duration_s(value: object) -> str:
    """Write seconds as s, min, h or d: 4.2 s, 3 min 20 s, 5 h 3 min, 2 d 4 h."""
    amount = _amount(value)
    if amount is None:
        return UNKNOWN
    if amount < 60:
        return f"{amount:.1f} s" if amount < 10 and amount != int(amount) else f"{amount:.0f} s"
    for size, name, below, below_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if amount >= size:
            whole, rest = divmod(int(amount), size)
            small = rest // below
            return f"{whole} {name} {small} {below_name}" if small and whole < 10 else f"{whole} {name}"
    return f"{amount:.0f} s"


def size_bytes(value: object) -> str:
    """Write bytes with binary units: 512 B, 1.5 MiB."""
    amount = _amount(value)
    if amount is None:
        return UNKNOWN
    for unit in _UNITS_BYTES[:-1]:
        if abs(amount) < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} {_UNITS_BYTES[-1]}"


def clock(value: object) -> str:
    """Write a time as HH:MM:SS.mmm, UTC."""
    at = _moment(value)
    return at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}" if at else UNKNOWN


def clock_s(value: object) -> str:
    """Write a time as HH:MM:SS, UTC."""
    at = _moment(value)
    return at.strftime("%H:%M:%S") if at else UNKNOWN


def day(value: object) -> str:
    """Write a time's day as YYYY-MM-DD."""
    at = _moment(value)
    return at.strftime("%Y-%m-%d") if at else UNKNOWN


def stamp(value: object) -> str:
    """Write a time as YYYY-MM-DD HH:MM:SS UTC."""
    at = _moment(value)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else UNKNOWN


def local(value: object) -> str:
    """Write a time as the value of a ``datetime-local`` input, UTC."""
    at = _moment(value)
    return at.strftime("%Y-%m-%dT%H:%M:%S") if at else ""


def epoch_s(value: object) -> str:
    """Write a time as seconds since the epoch, for charts."""
    at = _moment(value)
    return f"{at.timestamp():.3f}" if at else ""


def ago(value: object, now: datetime) -> str:
    """Say how long before *now* a time was; a future one is ``now``."""
    at = _moment(value)
    if at is None:
        return UNKNOWN
    return duration_s(max(0, round((now - at).total_seconds())))


def state_word(value: object) -> str:
    """Name a breaker's state; whatever is not one of the six is unknown, never closed."""
    return _STATE_WORDS.get(str(value), "unknown")


def state_slug(value: object) -> str:
    """Give a breaker's state as a class name and ``data-state``."""
    return str(value) if str(value) in _STATE_WORDS else "unknown"


def health_slug(value: object) -> str:
    """Give a health verdict as a class name."""
    return str(value) if str(value) in _HEALTHS else "unknown"


def severity_slug(value: object) -> str:
    """Give a severity as a class name; anything else is ``other``."""
    return str(value).lower() if str(value).lower() in _SEVERITIES else "other"


def site_path(value: object) -> str:
    """
    Let a link given by the API through only if it stays on this site.

    Returns:
        The path, or "" for other hosts and schemes (``javascript:`` included).
    """
    text = value if isinstance(value, str) else ""
    inside = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if inside and text.isprintable() else ""


def web_link(value: object) -> str:
    """Let a link of the catalogue through only if it leads to a web page; "" for other schemes (``javascript:`` included)."""
    text = value if isinstance(value, str) else ""
    return text if text.startswith(("http://", "https://")) and text.isprintable() else ""


def shown(value: object) -> str:
    """Write an attribute's value verbatim; only None is marked as unknown."""
    if value is None:
        return UNKNOWN
    return str(value).lower() if isinstance(value, bool) else str(value)


def cut(value: object, chars: int = 4000) -> str:
    """Shorten a text that would drown the page, and say by how much."""
    text = str(value)
    return text if len(text) <= chars else f"{text[:chars]}… ({len(text) - chars:,} more characters)"


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun: 1 span, 2 spans."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def alert_matchers(alert: object) -> str:
    """Write matchers that fit *alert*: its rule and labels, as the silence form takes them."""
    if not isinstance(alert, Mapping):
        return ""
    labels = alert.get("labels")
    known = {"alertname": alert.get("rule"), **(labels if isinstance(labels, dict) else {})}
    return ", ".join(
        f"{name}={json.dumps(str(value), ensure_ascii=False)}" for name, value in known.items() if value
    )


def all_filters() -> Mapping[str, Callable[..., Any]]:
    """Name every filter the templates may use."""
    functions = (
        number, percent, duration_ms, duration_s, size_bytes, clock, clock_s, day, stamp, local, epoch_s, ago,
        state_word, state_slug, health_slug, severity_slug, site_path, web_link, shown, cut, plural,
        alert_matchers,
    )  # fmt: skip
    return {function.__name__: function for function in functions}


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return moment(value) if 0 <= value < 10**10 * NS_PER_S else None
    try:
        return moment(nanoseconds(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
