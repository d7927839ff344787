"""The promise made to an OTLP client that exports metrics: ``POST /v1/metrics``, 200 with ExportMetricsServiceResponse."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.formats import otlp


def count(request: ExportMetricsServiceRequest) -> int:
    """Return the number of metrics; points are counted by ClickHouse."""
    return sum(
        len(scope.metrics) for resource in request.resource_metrics for scope in resource.scope_metrics
    )


PROTOCOL = otlp.protocol(
    "otlp_metrics",
    "metrics",
    ("metric_series", "metric_samples", "exemplars"),
    ExportMetricsServiceRequest,
    count,
    seal_age_s=5.0,
)
