"""Rotel, an OpenTelemetry collector in a wheel, between the SDK and a running collector: over HTTP and over gRPC."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import rotel
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(300)]

_COUNT = 50


class Rotel:
    """A running ``rotel-agent`` that passes on what it gets, in batches of its own."""

    def __init__(self, folder: Path, endpoint: str, protocol: str) -> None:
        program = folder / "rotel-agent"
        program.write_bytes((Path(rotel.__file__).parent / "rotel-agent").read_bytes())
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = (folder / "rotel.log").open("wb")
        command = [
            str(program), "start", "--otlp-http-endpoint", self.url.removeprefix("http://"), "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}",
            "--otlp-exporter-endpoint", endpoint, "--otlp-exporter-protocol", protocol, "--batch-timeout", "200ms",
        ]  # fmt: skip
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ROTEL_"))
        }
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=60)
        self._log.close()


@pytest.fixture(params=["http", "grpc"])
def between(
    request: Any, serve: Callable[..., Any], poll: Callable[..., Any], tmp_path: Path
) -> Iterator[tuple[Rotel, Any]]:
    """Rotel and the collector behind it."""
    port = free_port()
    served = serve(f"grpc_port = {port}\n")
    endpoint = served.url if request.param == "http" else f"http://127.0.0.1:{port}"
    passing = Rotel(tmp_path, endpoint, request.param)

    def listens() -> bool:
        return httpx.get(passing.url).status_code > 0

    poll(listens)
    yield passing, served
    passing.close()


def _post(url: str, message: Any) -> None:
    answer = httpx.post(
        url, content=message.SerializeToString(), headers={"Content-Type": "application/x-protobuf"}
    )
    assert answer.status_code == 200, answer.text


def test_what_passes_through_rotel_arrives_once(between: tuple[Rotel, Any], poll: Callable[..., Any]) -> None:
    """Its batches, its compression, its retries: every record and span is found once."""
    passing, served = between
    for number in range(_COUNT):
        logs, traces = ExportLogsServiceRequest(), ExportTraceServiceRequest()
        group, spans = logs.resource_logs.add(), traces.resource_spans.add()
        for resource in (group.resource, spans.resource):
            resource.attributes.add(key="service.name").value.string_value = "rotel-shop"
        group.scope_logs.add().log_records.add(severity_number=9).body.string_value = f"record {number}"
        spans.scope_spans.add().spans.add(
            trace_id=bytes([number + 1]) * 16,
            span_id=b"\1" * 8,
            name="GET /",
            start_time_unix_nano=time.time_ns() - 50,
            end_time_unix_nano=time.time_ns(),
        )
        _post(f"{passing.url}/v1/logs", logs)
        _post(f"{passing.url}/v1/traces", traces)

    rows = poll(
        lambda: (
            found
            if len(found := served.data("/logs", query="service:rotel-shop", limit=200)) >= _COUNT
            else None
        )
    )
    traces_found = poll(
        lambda: (
            found if len(found := served.data("/traces", service="rotel-shop", limit=200)) >= _COUNT else None
        )
    )

    assert sorted(row["body"] for row in rows) == sorted(f"record {number}" for number in range(_COUNT))
    assert {row["trace_id"] for row in traces_found} == {
        (bytes([number + 1]) * 16).hex() for number in range(_COUNT)
    }
