"""How Go and Prometheus write numbers. Source: Go strconv.FormatFloat; Prometheus template/template.go."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

_LARGE = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_1024 = ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("", "m", "u", "n", "p", "f", "a", "z", "y")
# %v writes an exponent from there on, whatever the digits.
_EXPONENT_FROM = 6


def number(value: float) -> str:
    """Write seconds as people read them: at most one decimal, no trailing zero."""
    return f"{value:.1f}".removesuffix(".0")


def special(value: float) -> str | None:
    """Write NaN and infinities as Go does; ``None``: it is a number."""
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else None


def shortest(value: float) -> str:
    """Write *value* as ``%v`` does."""
    named = special(value)
    if named is not None:
        return named
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits = Decimal(repr(value)).normalize()
    exponent = digits.adjusted()
    return f"{digits:f}" if -4 <= exponent < _EXPONENT_FROM else _scientific(digits, exponent)


def _scientific(digits: Decimal, exponent: int) -> str:
    sign, ones, _ = digits.as_tuple()
    text = "".join(map(str, ones))
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def brief(value: float) -> str:
    """Write *value* as ``%.4g`` does."""
    return special(value) or f"{value:.4g}"


def humanize(value: float) -> str:
    """Write *value* with a metric prefix."""
    if value == 0 or special(value):
        return brief(value)
    return _large(value, 1000, _LARGE) if abs(value) >= 1 else _small(value)


def humanize1024(value: float) -> str:
    """Write *value* with a prefix of powers of 1024."""
    return brief(value) if special(value) or abs(value) <= 1 else _large(value, 1024, _LARGE_1024)


def _large(value: float, step: int, prefixes: tuple[str, ...]) -> str:
    power = 0
    while abs(value) >= step and power < len(prefixes) - 1:
        value, power = value / step, power + 1
    return brief(value) + prefixes[power]


def _small(value: float) -> str:
    power = 0
    while abs(value) < 1 and power < len(_SMALL) - 1:
        value, power = value * 1000, power + 1
    return brief(value) + _SMALL[power]


def humanize_duration(value: float) -> str:
    """Write seconds as days, hours, minutes and seconds."""
    if special(value):
        return brief(value)
    if value == 0 or abs(value) < 1:
        return f"{_small(value) if value else '0'}s"
    sign, value = ("-" if value < 0 else ""), abs(value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{brief(value)}s"


def humanize_percentage(value: float) -> str:
    """Write a ratio as a percentage."""
    return f"{brief(value * 100)}%"


def humanize_timestamp(value: float) -> str:
    """Write seconds since the epoch as Go writes a time in UTC."""
    if special(value):
        return brief(value)
    try:
        at = datetime.fromtimestamp(round(value, 3), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{value} is not a time") from error
    fraction = f".{at.microsecond // 1000:03d}".rstrip("0").rstrip(".") if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
