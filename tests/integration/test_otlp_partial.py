"""``partial_success`` of a running collector: over HTTP as Protobuf and JSON, over gRPC, and as a warning to a bound key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.conftest import free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("grpc"), pytest.mark.timeout(120)]

PROTOBUF = {"Content-Type": "application/x-protobuf"}
KEYS = """
read_key = "read"
[[keys]]
name = "cart"
secret = "cart-key"
role = "ingest"
services = ["cart", "cart-worker"]
"""


def request(name: str, service: str = "cart", bad: int = 1) -> ExportTraceServiceRequest:
    """One good span of that name and some without ids."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    scope = group.scope_spans.add()
    now = time.time_ns()
    scope.spans.add(trace_id=name.encode().ljust(16, b"t"), span_id=b"s" * 8, name=name, start_time_unix_nano=now, end_time_unix_nano=now)  # fmt: skip
    for _ in range(bad):
        scope.spans.add(name=f"bad {name}")
    return made


@pytest.fixture(scope="module")
def grpc_port() -> int:
    """A port for gRPC."""
    return free_port()


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any], grpc_port: int) -> Any:
    """A collector with a key that may write as two services."""
    return serve_module(f"grpc_port = {grpc_port}\n{KEYS}")


def test_the_rest_is_stored_and_the_answer_counts_what_is_not(
    served: Any, poll: Callable[..., Any], grpc_port: int
) -> None:
    """The same over each way; a repeat gets the same answer; the metric counts once."""
    key = {"Authorization": "Bearer cart-key"}
    body = request("one").SerializeToString()
    first, again = (served.client.post("/v1/traces", content=body, headers=PROTOBUF | key) for _ in range(2))
    text = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "two"}, {"traceId": "ab"}]}]}]}  # fmt: skip
    in_json = served.client.post("/v1/traces", json=text, headers=key)
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        by_grpc = TraceServiceStub(channel).Export(
            request("three", bad=3), metadata=[("authorization", "Bearer cart-key")], timeout=30
        )

    assert [answer.status_code for answer in (first, again, in_json)] == [200, 200, 200]
    assert ExportTraceServiceResponse.FromString(first.content).partial_success.rejected_spans == 1
    assert (again.content, again.headers["fuseboard-duplicate"]) == (first.content, "true")
    assert in_json.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert by_grpc.partial_success.rejected_spans == 3
    read = {"Authorization": "Bearer read"}

    def names() -> set[str]:
        answer = served.client.post("/api/v1/sql", json={"query": "SELECT name FROM spans"}, headers=read)
        return {row["name"] for row in answer.json()["data"]}

    poll(lambda: {"one", "two", "three"} <= names())
    assert not any(name.startswith("bad") for name in names())
    metrics = served.client.get("/metrics", headers=read).text
    assert 'fuseboard_receive_rejected_records_total{format="otlp_traces"} 4.0' in metrics


def test_a_key_is_told_what_it_may_not_write_as(served: Any) -> None:
    """All was taken: 0 are rejected, and the message says as whom it is written; a service of its own is no news."""
    headers = PROTOBUF | {"Authorization": "Bearer cart-key"}
    told, fine = (
        served.client.post(
            "/v1/traces", content=request(name, service, bad=0).SerializeToString(), headers=headers
        )
        for name, service in (("four", "billing"), ("five", "cart-worker"))
    )
    text = json.dumps({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "billing"}}]},
                                         "scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]})  # fmt: skip
    logs = served.client.post(
        "/v1/logs", content=text, headers=headers | {"Content-Type": "application/json"}
    )

    found = ExportTraceServiceResponse.FromString(told.content).partial_success
    assert (found.rejected_spans, found.error_message) == (
        0,
        "written as service 'cart': this key may not write as 'billing'",
    )
    assert (fine.status_code, fine.content) == (200, b"")
    assert logs.json() == {"partialSuccess": {"errorMessage": found.error_message}}


def test_nothing_but_bad_spans_is_a_bad_request(served: Any, grpc_port: int) -> None:
    """400 with a Status, INVALID_ARGUMENT over gRPC: permanent."""
    made = request("six", bad=2)
    del made.resource_spans[0].scope_spans[0].spans[0]
    answer = served.client.post(
        "/v1/traces",
        content=made.SerializeToString(),
        headers=PROTOBUF | {"Authorization": "Bearer cart-key"},
    )
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel, pytest.raises(grpc.RpcError) as refused:
        TraceServiceStub(channel).Export(made, metadata=[("authorization", "Bearer cart-key")], timeout=30)

    assert answer.status_code == 400
    assert b"bad_record: nothing of this request can be stored" in answer.content
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
