"""
OTLP/HTTP logs as JSON, as web SDKs and curl send them: ``POST /v1/logs`` with ``Content-Type: application/json``.

In:  ``ExportLogsServiceRequest`` in OTLP's JSON mapping (lowerCamelCase names, ids in hex, 64-bit numbers as text).
Out: rows of ``logs``, the same as otlp_logs makes of the same request as Protobuf.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""
