"""JSON requests become the rows that the same requests make as Protobuf."""

from __future__ import annotations

import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.journal.envelope import Head
from tests.collector.formats.otlp_json import as_otlp_json
from tests.collector.formats.segments import pairs

COLUMNS = "SELECT * EXCEPT (batch_id) FROM spans ORDER BY service, start, name"
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def request(now_ns: int) -> ExportTraceServiceRequest:
    """A request with every kind of span, status, event and link, good times and bad ones."""
    message = ExportTraceServiceRequest()
    for service in ("checkout", "cart"):
        group = message.resource_spans.add()
        group.resource.attributes.extend(
            pairs({"service.name": service, "deployment.environment": "prod", "n": {"a": 1}})
        )
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = "lib", "3"
        scope.scope.attributes.extend(pairs({"s": [1]}))
        for kind in range(6):
            start = 5 if kind == 5 else now_ns - 50 - kind
            span = scope.spans.add(
                trace_id=TRACE, span_id=SPAN, parent_span_id=b"" if kind else SPAN, name=f"GET /{kind}", kind=kind, trace_state="a=b",
                start_time_unix_nano=start, end_time_unix_nano=start - 1 if kind == 4 else now_ns, dropped_events_count=kind,
            )  # fmt: skip
            span.status.code, span.status.message = kind % 3, "boom"
            span.attributes.extend(
                pairs({"n": {"a": 0, "b": {"c": []}}, "l": [1, "x"], "ok": False, "http.route": "/x"})
            )
            span.events.add(name="e", time_unix_nano=now_ns - 7).attributes.extend(
                pairs({"to": "open", "m": {"k": 1}})
            )
            span.events.add(name="old", time_unix_nano=3)
            span.links.add(trace_id=TRACE[::-1], span_id=SPAN[::-1], trace_state="z").attributes.extend(
                pairs({"z": [True]})
            )
    return message


def test_a_request_makes_the_rows_it_makes_as_protobuf(warehouse, now_ns):
    """Times, kinds, states, events, links, attributes and resources are equal, column by column."""
    message = request(now_ns)
    head = Head("b1", now_ns, resource={"host.name": "h"})
    warehouse.load("otlp_traces", (head, message.SerializeToString()))
    wanted = warehouse.rows(COLUMNS)
    warehouse.empty()

    warehouse.load("otlp_traces_json", (head, as_otlp_json(message)))

    found = warehouse.rows(COLUMNS)
    assert len(found) == 12
    assert found == wanted


def test_enums_may_be_names_and_what_is_missing_is_missing(warehouse, now_ns):
    """Kinds and states come as numbers or as Protobuf's names; an empty span is a span."""
    named = {
        "kind": "SPAN_KIND_PRODUCER",
        "status": {"code": "STATUS_CODE_ERROR"},
        "startTimeUnixNano": str(now_ns),
        "name": "a",
    }
    body = json.dumps(
        {"resourceSpans": [{"scopeSpans": [{"spans": [named, {"status": None, "events": []}]}]}]}
    )

    warehouse.load("otlp_traces_json", (Head("b", now_ns), body.encode()))

    second, first = warehouse.rows("SELECT * FROM spans ORDER BY name")
    assert (first["kind"], first["status"]) == ("producer", "error")
    assert (second["kind"], second["status"], second["service"], second["trace_id"]) == (
        "internal",
        "unset",
        "unknown_service",
        "",
    )
