"""Values and times as Prometheus writes them in JSON."""

from __future__ import annotations

from decimal import Decimal

# Beyond these Prometheus writes an exponent.
_SMALLEST = 1e-6
_LARGEST = 1e21


def value_text(value: float) -> str:
    """
    Write a sample's value: the shortest digits that read back as the same number.

    Source: prometheus/prometheus, util/jsonutil/marshal.go.
    """
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" in text:
        return format(Decimal(text), "f") if _SMALLEST <= abs(value) < _LARGEST else text
    return _ODD.get(text, text)


_ODD = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def time_text(at_ms: int) -> str:
    """Write a time in ms since the epoch as seconds, with three digits behind the point or none."""
    seconds, rest = divmod(abs(at_ms), 1000)
    sign = "-" if at_ms < 0 else ""
    return f"{sign}{seconds}.{rest:03d}" if rest else f"{sign}{seconds}"
