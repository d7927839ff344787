"""The promise made to an OTLP client that exports spans as JSON: ``POST /v1/traces``, 200 with ``{}``."""

from __future__ import annotations

import re

import msgspec

from collector.formats import otlp, otlp_json
from collector.formats.otlp_traces.receive import WHY

# Ids, a comma behind each.
_TRACE_IDS = re.compile(r"(?:(?!0{32},)[0-9a-fA-F]{32},)*+")
_SPAN_IDS = re.compile(r"(?:(?!0{16},)[0-9a-fA-F]{16},)*+")


class Span(msgspec.Struct):
    """A span, as far as it must have."""

    traceId: str | None = None  # noqa: N815 - OTLP's name
    spanId: str | None = None  # noqa: N815 - OTLP's name


class Scope(msgspec.Struct):
    """A scope, as far as it is counted."""

    spans: list[Span] | None = None


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


def sift(request: Request, body: bytes) -> tuple[otlp.LeftOut, bytes] | None:
    """Leave out the spans without valid ids, as the Protobuf protocol does; all ids are matched in two passes in C."""
    scopes = [scope for resource in request.resourceSpans or () for scope in resource.scopeSpans or ()]
    if _sound([span for scope in scopes for span in scope.spans or ()]):
        return None
    plain = msgspec.json.decode(body)
    rejected = 0
    for scope in (scope for resource in plain["resourceSpans"] for scope in resource.get("scopeSpans") or ()):
        spans = scope.get("spans") or []
        scope["spans"] = [span for span in spans if _sound([msgspec.convert(span, Span)])]
        rejected += len(spans) - len(scope["spans"])
    return otlp.LeftOut(rejected, WHY.format(rejected)), msgspec.json.encode(plain)


def _sound(spans: list[Span]) -> bool:
    traces = "".join([f"{span.traceId}," for span in spans])
    ids = "".join([f"{span.spanId}," for span in spans])
    alone = traces.count(",") == ids.count(",") == len(spans)
    return bool(alone and _TRACE_IDS.fullmatch(traces) and _SPAN_IDS.fullmatch(ids))


PROTOCOL = otlp_json.protocol(
    "otlp_traces_json", "traces", ("spans",), Request, count, seal_age_s=3.0, sift=sift
)
