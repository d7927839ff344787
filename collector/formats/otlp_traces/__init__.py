"""
OTLP spans: what OpenTelemetry SDKs and Collectors send to ``/v1/traces``.

In:  ``ExportTraceServiceRequest``, Protobuf, as field 15 of an envelope.
Out: rows of ``spans`` (spans.sql) with their events and links; materialised views make the rollups of them.

Source: https://opentelemetry.io/docs/specs/otlp/, https://opentelemetry.io/docs/specs/otel/trace/api/
"""
