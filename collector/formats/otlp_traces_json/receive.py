"""The promise made to an OTLP client that exports spans as JSON: ``POST /v1/traces``, 200 with ``{}``."""

from __future__ import annotations

import msgspec

from collector.formats import otlp_json


class Scope(msgspec.Struct):
    """A scope, as far as it is counted."""

    spans: list[otlp_json.Item] | None = None


class Resource(msgspec.Struct):
    """A resource, as far as it is counted."""

    scopeSpans: list[Scope] | None = None  # noqa: N815 - OTLP's name


class Request(msgspec.Struct):
    """ExportTraceServiceRequest, as far as it is counted."""

    resourceSpans: list[Resource] | None  # noqa: N815 - OTLP's name


def count(request: Request) -> int:
    """Return the number of spans."""
    scopes = (scope for resource in request.resourceSpans or () for scope in resource.scopeSpans or ())
    return sum(len(scope.spans or ()) for scope in scopes)


PROTOCOL = otlp_json.protocol("otlp_traces_json", "traces", ("spans",), Request, count, seal_age_s=1.5)
