from __future__ import annotations

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from collector.journal.envelope import Head
from tests.collector.formats.segments import pairs

TRACE, SPAN = bytes(range(16)), bytes(range(8))


def request(**fields) -> tuple[ExportTraceServiceRequest, object]:
    """Return a request and its one span."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(pairs({"service.name": "checkout", "deployment.environment": "prod"}))
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "lib", "3"
    span = scope.spans.add(trace_id=TRACE, span_id=SPAN, **fields)
    return message, span


def test_a_span_becomes_a_row_with_events_and_links(warehouse, now_ns):
    """Everything a waterfall shows is there, events and links with their own attributes."""
    message, span = request(
        name="GET /x", kind=3, start_time_unix_nano=now_ns - 50, end_time_unix_nano=now_ns, trace_state="a=b"
    )
    span.status.code, span.status.message = 2, "boom"
    span.attributes.extend(pairs({"n": {"a": 0}, "l": [1, "x"], "ok": False}))
    span.events.add(name="e", time_unix_nano=now_ns - 7).attributes.extend(
        pairs({"to": "open", "m": {"k": 1}})
    )
    span.links.add(trace_id=TRACE[::-1], span_id=SPAN[::-1]).attributes.extend(pairs({"z": [True]}))

    warehouse.load("otlp_traces", (Head("b", now_ns), message.SerializeToString()))

    [row] = warehouse.rows(
        "SELECT *, toUnixTimestamp64Nano(start) AS at, toUnixTimestamp64Nano(events[1].at) AS event_at FROM spans"
    )
    assert (row["at"], row["duration_ns"], row["kind"], row["status"], row["status_message"]) == (
        now_ns - 50,
        50,
        "client",
        "error",
        "boom",
    )
    assert (row["trace_id"], row["span_id"], row["parent_span_id"]) == (TRACE.hex(), SPAN.hex(), "")
    assert (row["service"], row["env"], row["name"], row["trace_state"]) == (
        "checkout",
        "prod",
        "GET /x",
        "a=b",
    )
    assert (row["scope_name"], row["scope_version"]) == ("lib", "3")
    assert row["attributes"] == {"n.a": "0", "l": '[1,"x"]', "ok": "false"}
    assert (row["event_at"], row["events"][0]["name"]) == (now_ns - 7, "e")
    assert row["events"][0]["attributes"] == {"to": "open", "m": '{"k":1}'}
    assert row["links"] == [
        {
            "trace_id": TRACE[::-1].hex(),
            "span_id": SPAN[::-1].hex(),
            "trace_state": "",
            "attributes": {"z": "[true]"},
        }
    ]


def test_impossible_times_are_kept_beside_possible_ones(warehouse, now_ns):
    """A start outside the window becomes received_at, an end before the start no duration, and both claims are kept."""
    message, span = request(start_time_unix_nano=99, end_time_unix_nano=98)
    span.events.add(name="old", time_unix_nano=3)

    warehouse.load("otlp_traces", (Head("b", now_ns), message.SerializeToString()))

    [row] = warehouse.rows(
        "SELECT toUnixTimestamp64Nano(start) AS at, duration_ns, attributes, events FROM spans"
    )
    assert (row["at"], row["duration_ns"]) == (now_ns, 0)
    assert row["attributes"] == {"fuseboard.original_time": "99", "fuseboard.original_end": "98"}
    assert row["events"][0]["attributes"] == {"fuseboard.original_time": "3"}


def test_a_span_event_of_a_breaker_becomes_a_transition(warehouse, now_ns):
    """The schema's view finds what the mapping wrote."""
    message, span = request(start_time_unix_nano=now_ns, end_time_unix_nano=now_ns)
    span.events.add(name="circuit_breaker.transition", time_unix_nano=now_ns).attributes.extend(
        pairs({"breaker": "payment", "from": "CLOSED", "to": "OPEN", "failure_rate": 0.5})
    )

    warehouse.load("otlp_traces", (Head("b", now_ns), message.SerializeToString()))

    assert warehouse.rows("SELECT service, breaker, from_state, to_state, failure_rate, trace_id, source FROM breaker_transitions") == [
        {"service": "checkout", "breaker": "payment", "from_state": "closed", "to_state": "open", "failure_rate": 0.5,
         "trace_id": TRACE.hex(), "source": "span"}
    ]  # fmt: skip


def test_the_stock_sdk_is_understood(warehouse, now_ns):
    """What the OpenTelemetry SDK's own encoder writes arrives whole, parent and child."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "sdk", "service.version": "9"}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("lib", "2")
    with (
        tracer.start_as_current_span("parent", kind=SpanKind.SERVER),
        tracer.start_as_current_span("child") as child,
    ):
        child.set_attributes({"zero": 0, "empty": "", "no": False, "list": ["a", "b"], "f": 0.25})
        child.add_event("e", {"k": 1})
        child.set_status(Status(StatusCode.ERROR, "bad"))
    body = encode_spans(exporter.get_finished_spans()).SerializeToString()

    warehouse.load("otlp_traces", (Head("b", now_ns), body))

    child_row, parent_row = warehouse.rows("SELECT * FROM spans ORDER BY name")
    assert (parent_row["kind"], child_row["kind"], child_row["status"]) == ("server", "internal", "error")
    assert child_row["parent_span_id"] == parent_row["span_id"]
    assert child_row["attributes"] == {
        "zero": "0",
        "empty": "",
        "no": "false",
        "list": '["a","b"]',
        "f": "0.25",
    }
    assert (child_row["service"], child_row["resource"]["service.version"], child_row["scope_name"]) == (
        "sdk",
        "9",
        "lib",
    )
