"""The promise made to an OTLP client that exports spans: ``POST /v1/traces``, 200 with ExportTraceServiceResponse."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats import otlp


def count(request: ExportTraceServiceRequest) -> int:
    """Return the number of spans."""
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


PROTOCOL = otlp.protocol(
    "otlp_traces", "traces", ("spans",), ExportTraceServiceRequest, count, seal_age_s=1.5
)
