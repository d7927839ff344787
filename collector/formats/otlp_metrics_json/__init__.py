"""
OTLP/HTTP metrics as JSON: ``POST /v1/metrics`` with ``Content-Type: application/json``.

In:  ``ExportMetricsServiceRequest`` in OTLP's JSON mapping (lowerCamelCase names, ids in hex, 64-bit numbers as text).
Out: rows of ``metric_series``, ``metric_samples`` and ``exemplars``, the same as otlp_metrics makes of the same request as Protobuf.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""
