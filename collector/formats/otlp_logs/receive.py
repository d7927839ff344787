"""The promise made to an OTLP client that exports logs: ``POST /v1/logs``, 200 with ExportLogsServiceResponse."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.formats import otlp


def count(request: ExportLogsServiceRequest) -> int:
    """Return the number of log records."""
    return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)


PROTOCOL = otlp.protocol("otlp_logs", "logs", ("logs",), ExportLogsServiceRequest, count)
