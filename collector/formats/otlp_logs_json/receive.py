"""The promise made to an OTLP client that exports logs as JSON: ``POST /v1/logs``, 200 with ``{}``."""

from __future__ import annotations

import msgspec

from collector.formats import otlp_json


class Scope(msgspec.Struct):
    """A scope, as far as it is counted."""

    logRecords: list[otlp_json.Item] | None = None  # noqa: N815 - OTLP's name


class Resource(msgspec.Struct):
    """A resource, as far as it is counted."""

    scopeLogs: list[Scope] | None = None  # noqa: N815 - OTLP's name


class Request(msgspec.Struct):
    """ExportLogsServiceRequest, as far as it is counted."""

    resourceLogs: list[Resource] | None  # noqa: N815 - OTLP's name


def count(request: Request) -> int:
    """Return the number of log records."""
    scopes = (scope for resource in request.resourceLogs or () for scope in resource.scopeLogs or ())
    return sum(len(scope.logRecords or ()) for scope in scopes)


PROTOCOL = otlp_json.protocol("otlp_logs_json", "logs", ("logs",), Request, count)
