"""
OTLP log records: what OpenTelemetry SDKs and Collectors send to ``/v1/logs``.

In:  ``ExportLogsServiceRequest``, Protobuf, as field 15 of an envelope.
Out: rows of ``logs`` (logs.sql). Every AnyValue keeps its kind's text; a map as body is JSON and its keys are attributes too.

Source: https://opentelemetry.io/docs/specs/otlp/, https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""
