"""
OTLP/HTTP spans as JSON, as browsers and curl send them: ``POST /v1/traces`` with ``Content-Type: application/json``.

In:  ``ExportTraceServiceRequest`` in OTLP's JSON mapping (lowerCamelCase names, ids in hex, 64-bit numbers as text).
Out: rows of ``spans``, the same as otlp_traces makes of the same request as Protobuf.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""
