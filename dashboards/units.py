"""Numbers of charts with their unit, as people read them; ``static/charts.js`` writes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from dashboards.charts import spark_points
from dashboards.filters import duration_ms, duration_s, number, percent, size_bytes
from dashboards.timestamps import rfc3339

_WORDS = {
    "per_second": "per second",
    "bytes_per_second": "per second",
} | dict.fromkeys(("count", "ratio", "ms", "s", "bytes"), "")
"""What the axis' numbers do not say by themselves."""
_WRITERS: Mapping[str, Callable[[object], str]] = {
    "": number,
    "count": number,
    "per_second": number,
    "ratio": percent,
    "ms": duration_ms,
    "s": duration_s,
    "bytes": size_bytes,
}


def in_unit(value: object, unit: str) -> str:
    """Write a number in the unit of its chart; a unit of no known name stands behind it."""
    if unit == "bytes_per_second":
        return size_bytes(value) if value is None else f"{size_bytes(value)}/s"
    writer = _WRITERS.get(unit)
    if writer:
        return writer(value)
    return number(value) if value is None else f"{number(value)} {unit}"


def unit_word(unit: str) -> str:
    """Name a unit beside a chart's title."""
    return _WORDS.get(unit, unit)


def at_bucket(url: str, at: datetime, step_s: float) -> str:
    """Narrow a page's URL to the bucket that begins at *at*, at least a minute of it."""
    return narrowed(url, at, at + timedelta(seconds=max(step_s, 60)))


def narrowed(url: str, start: datetime, end: datetime) -> str:
    """Give a page's URL another time range."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query)) | {"start": rfc3339(start), "end": rfc3339(end)}
    return parts._replace(query=urlencode(asked)).geturl()


def unit_filters() -> Mapping[str, Callable[..., Any]]:
    """Name every filter of charts that the templates may use."""
    functions = (in_unit, unit_word, at_bucket, narrowed, spark_points)
    return {function.__name__: function for function in functions}
