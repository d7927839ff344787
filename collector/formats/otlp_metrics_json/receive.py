"""The promise made to an OTLP client that exports metrics as JSON: ``POST /v1/metrics``, 200 with ``{}``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from collector.formats import otlp, otlp_json
from collector.formats.otlp_metrics.receive import ILL_BOUNDED, NAMELESS, NO_VALUE, VALUELESS, rejected

# Of a fixed32.
_FLAGS_DIGITS = 10


class Point(msgspec.Struct):
    """A data point of any kind, as far as it must be consistent; a field that another kind has is not there."""

    asInt: Any = None  # noqa: N815 - OTLP's name
    asDouble: Any = None  # noqa: N815 - OTLP's name
    flags: Any = None
    bucketCounts: list[Any] | None = None  # noqa: N815 - OTLP's name
    explicitBounds: list[Any] | None = None  # noqa: N815 - OTLP's name


class Data(msgspec.Struct):
    """What a metric is made of."""

    dataPoints: list[Point] | None = None  # noqa: N815 - OTLP's name


class Metric(msgspec.Struct):
    """A metric; one of its kinds is there."""

    name: str | None = None
    gauge: Data | None = None
    sum: Data | None = None
    histogram: Data | None = None
    exponentialHistogram: Data | None = None  # noqa: N815 - OTLP's name
    summary: Data | None = None


class Scope(msgspec.Struct):
    """A scope, as far as it is counted."""

    metrics: list[Metric] | None = None


class Resource(msgspec.Struct):
    """A resource, as far as it is counted."""

    scopeMetrics: list[Scope] | None = None  # noqa: N815 - OTLP's name


class Request(msgspec.Struct):
    """ExportMetricsServiceRequest, as far as it is counted."""

    resourceMetrics: list[Resource] | None  # noqa: N815 - OTLP's name


def count(request: Request) -> int:
    """Return the number of metrics; points are counted by ClickHouse."""
    scopes = (scope for resource in request.resourceMetrics or () for scope in resource.scopeMetrics or ())
    return sum(len(scope.metrics or ()) for scope in scopes)


def sift(request: Request, body: bytes) -> tuple[otlp.LeftOut, bytes] | None:
    """Leave out the data points that are no samples, as the Protobuf protocol does; they are looked at one by one (≈ 3 M/s)."""
    if not any(why for metric in _metrics(request) for _, why, bad in [_checked(metric)] if bad):
        return None
    plain = msgspec.json.decode(body)
    told: list[tuple[str, str, int]] = []
    for scope in (
        scope for resource in plain["resourceMetrics"] or () for scope in resource.get("scopeMetrics") or ()
    ):
        scope["metrics"] = [metric for metric in scope.get("metrics") or () if _sifted(metric, told)]
    return rejected(told), msgspec.json.encode(plain)


def _metrics(request: Request) -> Iterable[Metric]:
    return (
        metric
        for resource in request.resourceMetrics or ()
        for scope in resource.scopeMetrics or ()
        for metric in scope.metrics or ()
    )


def _checked(metric: Metric) -> tuple[str, str, Sequence[int]]:
    """Return a metric's kind, what is wrong with some of its points, and which these are."""
    kinds = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
    kind = next((kind for kind in kinds if getattr(metric, kind) is not None), "")
    points = (getattr(metric, kind).dataPoints or ()) if kind else ()
    if not metric.name:
        return kind, NAMELESS, range(len(points))
    if kind in {"gauge", "sum"}:
        return (
            kind,
            VALUELESS,
            [n for n, p in enumerate(points) if p.asInt is None and p.asDouble is None and not _missing(p)],
        )
    if kind == "histogram":
        return (
            kind,
            ILL_BOUNDED,
            [
                n
                for n, p in enumerate(points)
                if p.bucketCounts and len(p.bucketCounts) != len(p.explicitBounds or ()) + 1
            ],
        )
    return kind, "", ()


def _missing(point: Point) -> bool:
    text = str(point.flags)
    return text.isdecimal() and len(text) <= _FLAGS_DIGITS and bool(int(text) & NO_VALUE)


def _sifted(metric: dict[str, Any], told: list[tuple[str, str, int]]) -> bool:
    """Leave out the bad points of a plain *metric*, and say so; whether it has any left."""
    kind, why, bad = _checked(msgspec.convert(metric, Metric))
    if not bad:
        return True
    told.append((metric.get("name") or "", why, len(bad)))
    left = [point for number, point in enumerate(metric[kind]["dataPoints"]) if number not in set(bad)]
    metric[kind]["dataPoints"] = left
    return bool(left)


def lacks(body: bytes) -> tuple[str, ...]:
    """Say whether there are exemplars; their key may be written with escapes, so that any escape counts as one."""
    return () if b"exemplars" in body or b"\\" in body else ("exemplars",)


PROTOCOL = otlp_json.protocol(
    "otlp_metrics_json",
    "metrics",
    ("metric_entries", "exemplars"),
    Request,
    count,
    seal_age_s=8.0,
    sift=sift,
    lacks=lacks,
)
