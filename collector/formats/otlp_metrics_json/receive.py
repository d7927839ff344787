"""The promise made to an OTLP client that exports metrics as JSON: ``POST /v1/metrics``, 200 with ``{}``."""

from __future__ import annotations

import msgspec

from collector.formats import otlp_json


class Scope(msgspec.Struct):
    """A scope, as far as it is counted."""

    metrics: list[otlp_json.Item] | None = None


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


PROTOCOL = otlp_json.protocol(
    "otlp_metrics_json",
    "metrics",
    ("metric_series", "metric_samples", "exemplars"),
    Request,
    count,
    seal_age_s=5.0,
)
