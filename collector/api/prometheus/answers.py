"""Answers as bytes: the envelope, and results written without a detour over objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from collector.api.prometheus.numbers import time_text, value_text
from collector.read.metrics import MetricAnswer, Series

TRUNCATED = "results truncated due to limit"


@dataclass(frozen=True, slots=True)
class Said:
    """
    A successful answer.

    Attributes:
        data: JSON.
        warnings: Beside it.
        infos: Beside it.
    """

    data: bytes
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()

    def body(self) -> bytes:
        """Return the whole answer."""
        notes = b"".join(
            b',"%s":%s' % (name, msgspec.json.encode(list(texts)))
            for name, texts in ((b"warnings", self.warnings), (b"infos", self.infos))
            if texts
        )
        return b'{"status":"success","data":%s%s}' % (self.data, notes)


def said(data: object, warnings: Sequence[str] = ()) -> Said:
    """Return *data* as an answer."""
    return Said(msgspec.json.encode(data), warnings)


def cut(rows: list[object] | Sequence[object], limit: int) -> Said:
    """Return at most *limit* rows (0 = all), and a warning where there are more."""
    if limit and len(rows) > limit:
        return said(list(rows)[:limit], (TRUNCATED,))
    return said(list(rows))


def result(found: MetricAnswer, at_ms: int, limit: int, stats: bytes = b"") -> Said:
    """
    Write what an expression came to.

    Args:
        found: The result.
        at_ms: The time of a string.
        limit: Most series, 0 = all.
        stats: JSON beside the result, empty where nobody asked.
    """
    warnings = tuple(found.warnings)
    series = found.series
    if limit and found.type in {"vector", "matrix"} and len(series) > limit:
        series, warnings = series[:limit], (*warnings, TRUNCATED)
    beside = b',"stats":' + stats if stats else b""
    data = b'{"resultType":"%s","result":%s%s}' % (
        found.type.encode(),
        _WRITERS[found.type](found, series, at_ms),
        beside,
    )
    return Said(data, warnings, tuple(found.infos))


def _matrix(found: MetricAnswer, series: Sequence[Series], at_ms: int) -> bytes:
    del found, at_ms
    times = cache(time_text)  # series share their steps
    rows = [
        f'{{"metric":{_labels(one.labels)},"values":['
        + ",".join([f'[{times(at)},"{value_text(value)}"]' for at, value in one.points])
        + "]}"
        for one in series
    ]
    return f"[{','.join(rows)}]".encode()


def _vector(found: MetricAnswer, series: Sequence[Series], at_ms: int) -> bytes:
    del found, at_ms
    rows = [
        f'{{"metric":{_labels(one.labels)},"value":{_point(one.points[0])}}}' for one in series if one.points
    ]
    return f"[{','.join(rows)}]".encode()


def _scalar(found: MetricAnswer, series: Sequence[Series], at_ms: int) -> bytes:
    del found, at_ms
    return _point(series[0].points[0]).encode()


def _string(found: MetricAnswer, series: Sequence[Series], at_ms: int) -> bytes:
    del series
    return b"[%s,%s]" % (time_text(at_ms).encode(), msgspec.json.encode(found.text))


_WRITERS: Mapping[str, Callable[[MetricAnswer, Sequence[Series], int], bytes]] = {
    "matrix": _matrix,
    "vector": _vector,
    "scalar": _scalar,
    "string": _string,
}


def _point(point: tuple[int, float]) -> str:
    return f'[{time_text(point[0])},"{value_text(point[1])}"]'


def _labels(labels: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(sorted(labels.items()))).decode()
