"""The stock OpenTelemetry Python SDK over gRPC against a running collector."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.conftest import free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("grpc"), pytest.mark.timeout(180)]

_RESOURCE = Resource.create({"service.name": "grpc-shop", "deployment.environment.name": "test"})
_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def _request(body: str, size: int = 1) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(size):
        records.add(time_unix_nano=time.time_ns()).body.string_value = body
    return request


def _export(port: int, body: bytes, **metadata: str) -> tuple[bytes, dict[str, Any]]:
    """One call with raw bytes: the answer and the trailing metadata."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer, call = channel.unary_unary(_EXPORT).with_call(
            body, timeout=30, metadata=[(name.replace("_", "-"), value) for name, value in metadata.items()]
        )
    return answer, dict(call.trailing_metadata())


def _refused(port: int, body: bytes, **metadata: str) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        _export(port, body, **metadata)
    return refused.value


def _send(port: int) -> None:
    """Logs with gzip, spans and metrics without, through the SDK's own exporters."""
    to: dict[str, Any] = {"endpoint": f"127.0.0.1:{port}", "insecure": True}
    logs = LoggerProvider(resource=_RESOURCE)
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(**to, compression=grpc.Compression.Gzip))
    )
    for number in range(50):
        logs.get_logger("t").emit(LogRecord(body=f"record {number}", severity_number=SeverityNumber.WARN))
    logs.shutdown()
    spans = TracerProvider(resource=_RESOURCE)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**to)))
    for number in range(50):
        spans.get_tracer("t").start_span(f"span {number}").end()
    spans.shutdown()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(**to), export_interval_millis=3_600_000)
    metrics = MeterProvider(resource=_RESOURCE, metric_readers=[reader])
    metrics.get_meter("t").create_counter("shop.orders").add(3)
    metrics.shutdown()


def test_all_three_signals_arrive(serve: Callable[..., Any]) -> None:
    """Every record, span and point of the SDK's gRPC exporters once; SIGTERM drains what was acknowledged."""
    port = free_port()
    served = serve(f"grpc_port = {port}\n")
    _send(port)
    assert served.stop() == 0

    (counted,) = served.tables(
        "SELECT (SELECT groupArray(body) FROM logs WHERE service = 'grpc-shop') AS logs, "
        "(SELECT groupArray(name) FROM spans WHERE service = 'grpc-shop') AS spans, "
        "(SELECT sum(value) FROM metric_samples WHERE series_id IN "
        "(SELECT series_id FROM metric_series WHERE name = 'shop_orders_total' AND service = 'grpc-shop')) AS orders"
    )
    assert sorted(counted["logs"]) == sorted(f"record {number}" for number in range(50))
    assert sorted(counted["spans"]) == sorted(f"span {number}" for number in range(50))
    assert counted["orders"] == 3


def test_a_call_is_what_a_post_is(serve: Callable[..., Any]) -> None:
    """Keys from metadata, one identity over both ways, bad bytes and keys refused with our code, other methods unknown."""
    port = free_port()
    served = serve(f'grpc_port = {port}\ningest_key = "in"\nread_key = "out"\nadmin_key = "all"\n')
    body = _request("once").SerializeToString()
    key = {"authorization": "Bearer in"}

    assert _export(port, body, **key) == (b"", {})
    assert _export(port, body, **key)[1] == {"fuseboard-duplicate": "true"}
    posted = served.client.post(
        "/v1/logs",
        content=gzip.compress(body),
        headers={
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "Authorization": "Bearer in",
        },
    )
    assert posted.headers["fuseboard-duplicate"] == "true"
    assert _export(port, b"", **key) == (b"", {})
    refusals = [
        _refused(port, body),
        _refused(port, body, authorization="Bearer wrong"),
        _refused(port, body, authorization="Bearer out"),
        _refused(port, b"\x0a\xff", **key),
    ]
    assert [(error.code().name, error.details().partition(":")[0]) for error in refusals] == [
        ("UNAUTHENTICATED", "key_missing"),
        ("UNAUTHENTICATED", "key_unknown"),
        ("PERMISSION_DENIED", "key_role"),
        ("INVALID_ARGUMENT", "bad_protobuf"),
    ]
    assert not any(dict(error.trailing_metadata()).get("google.rpc.retryinfo-bin") for error in refusals)
    metrics = served.client.get("/metrics", headers={"Authorization": "Bearer out"}).text
    assert 'fuseboard_receive_errors_total{code="bad_protobuf",format="otlp_logs"} 1.0' in metrics
    assert served.stop() == 0
    assert [row["body"] for row in served.tables("SELECT body FROM logs WHERE body = 'once'")] == ["once"]


def _parsed(message: type[Message], data: bytes) -> Any:
    return message.FromString(data)


def test_too_much_is_refused(serve: Callable[..., Any], poll: Callable[..., Any]) -> None:
    """A message over body_bytes for good; a full journal for now, with the time to wait, where SDKs look for it."""
    port = free_port()
    served = serve(
        f'grpc_port = {port}\nclickhouse = "http://127.0.0.1:{free_port()}/none"\n'
        "body_bytes = 20000000\njournal_max_bytes = 16777216\n",
        wait=False,
    )
    poll(lambda: served.client.get("/healthz").status_code == 200, within_s=60)
    large = _refused(port, bytes(20_000_001))
    assert large.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not dict(large.trailing_metadata()).get("google.rpc.retryinfo-bin")

    error = _fill(port)

    trailer = dict(error.trailing_metadata())
    assert (error.code(), error.details().partition(":")[0]) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "journal_full",
    )
    status = _parsed(Status, trailer["grpc-status-details-bin"])
    inside = RetryInfo()
    assert status.code == 8
    assert status.details[0].Unpack(inside)
    assert inside == _parsed(RetryInfo, trailer["google.rpc.retryinfo-bin"])
    assert inside.retry_delay.seconds == 5


def _fill(port: int) -> grpc.RpcError:
    """Send what does not compress until the journal, whose engine is away, is full."""

    def body() -> bytes:
        request = ExportLogsServiceRequest()
        request.resource_logs.add().scope_logs.add().log_records.add().body.bytes_value = os.urandom(1 << 20)
        return request.SerializeToString()

    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_send_message_length", -1)]) as channel:
        export = channel.unary_unary(_EXPORT)
        for _ in range(200):
            try:
                export(body(), timeout=30)
            except grpc.RpcError as error:
                return error
    pytest.fail("the journal was never full")


def test_two_collectors_do_not_share_a_port(serve: Callable[..., Any]) -> None:
    """A port that was asked for and is taken ends the second collector; the first goes on."""
    port = free_port()
    first = serve(f"grpc_port = {port}\n")
    second = serve(f"grpc_port = {port}\n", wait=False)

    assert second._process.wait(timeout=60) != 0
    assert "grpc_port: cannot listen on" in second.log()
    assert "collector_stopped" in second.log()  # and with it the engine it had started
    assert _export(port, _request("x").SerializeToString())[0] == b""
    assert first.stop() == 0


def test_many_calls_at_once_are_each_stored_once(serve: Callable[..., Any]) -> None:
    """Sixteen threads share the journal's fsync with one another."""
    port = free_port()
    served = serve(f"grpc_port = {port}\n")
    bodies = [_request(f"call {number}", 20).SerializeToString() for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: _export(port, body)[0], bodies))

    assert answers == [b""] * 64
    assert served.stop() == 0
    rows = served.tables("SELECT body, count() AS n FROM logs WHERE body LIKE 'call %' GROUP BY body")
    assert {(row["body"], int(row["n"])) for row in rows} == {(f"call {number}", 20) for number in range(64)}
