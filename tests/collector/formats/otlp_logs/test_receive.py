"""The promise to OTLP clients, for all three signals."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import FuseboardError, Malformed, NoRoom, Unauthenticated
from collector.formats import otlp
from collector.formats.otlp_logs.receive import PROTOCOL as LOGS
from collector.formats.otlp_metrics.receive import PROTOCOL as METRICS
from collector.formats.otlp_traces.receive import PROTOCOL as TRACES


def _status():
    file = descriptor_pb2.FileDescriptorProto(name="status.proto", syntax="proto3")
    message = file.message_type.add(name="Status")
    message.field.add(name="code", number=1, type=5, label=1)
    message.field.add(name="message", number=2, type=9, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Status"))


Status = _status()


def _logs() -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add()
    request.resource_logs.add().scope_logs.add().log_records.add()
    return request.SerializeToString()


def _traces() -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    scope.spans.add(trace_id=b"t" * 16, span_id=b"u" * 8)
    return request.SerializeToString()


def _metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add()
    scope.metrics.add()
    return request.SerializeToString()


@pytest.mark.parametrize(("protocol", "body"), [(LOGS, _logs()), (TRACES, _traces()), (METRICS, _metrics())])
def test_records_are_counted(protocol, body: bytes) -> None:
    """And carry their own times: a byte-identical body is a retry."""
    assert protocol.judge(body, {}).records == 2
    assert protocol.judge(body, {}).timed


@pytest.mark.parametrize("protocol", [LOGS, TRACES, METRICS])
def test_an_empty_request_is_a_success(protocol) -> None:
    """There was nothing to store."""
    assert protocol.judge(b"", {}).records == 0
    assert protocol.respond(protocol.answer("b", 0, 0), duplicate=False).status == 200


@pytest.mark.parametrize("protocol", [LOGS, TRACES, METRICS])
@pytest.mark.parametrize(
    "body", [b"\x0a\xff", b"\x0a", b"\xff" * 20, b'{"resourceLogs":[]}', b"\x9a\x06\x01x"]
)
def test_other_bytes_are_malformed(protocol, body: bytes) -> None:
    """Neither cut-off Protobuf, nor JSON, nor another message passes."""
    with pytest.raises(Malformed) as refused:
        protocol.judge(body, {})

    assert refused.value.code == "bad_protobuf"


@pytest.mark.parametrize(
    ("error", "http", "grpc", "retry_after"),
    [
        (Malformed("bad_gzip", "cut — off"), 400, 3, None),
        (Unauthenticated("key_missing", "send one"), 401, 16, None),
        (NoRoom("journal_full", "later", retry_after_s=5), 429, 8, "5"),
        (FuseboardError("internal", "failed"), 500, 13, None),
    ],
)
def test_an_error_is_a_status(error: FuseboardError, http: int, grpc: int, retry_after: str | None) -> None:
    """Readable by the protobuf library: the RPC code, and our code before the sentence."""
    response = otlp.refuse(error)
    status = Status.FromString(response.body)

    assert (response.status, status.code, status.message) == (http, grpc, f"{error.code}: {error.message}")
    assert response.headers.get("retry-after") == retry_after
    assert response.content_type == "application/x-protobuf"
