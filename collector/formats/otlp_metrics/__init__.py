"""
OTLP metrics: what OpenTelemetry SDKs and Collectors send to ``/v1/metrics``.

In:  ``ExportMetricsServiceRequest``, Protobuf, as field 15 of an envelope.
Out: rows of ``metric_series``, ``metric_samples`` and ``exemplars`` the Prometheus way: names normalised, histograms as
     _bucket, _sum and _count, exponential histograms with the bounds they mean, temporality kept. The three .sql files begin
     with the same expressions, so that they agree on ``series_id`` without asking each other.

Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""
