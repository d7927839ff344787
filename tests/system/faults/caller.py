"""
The service beside the agent: spans, samples and transitions through the relay, and an endpoint to be scraped.

Each request to the relay is repeated, byte for byte, until it is acknowledged: then all of it must be stored once. What a
scrape answered may be missing (the agent may be killed before it keeps it) but is never stored twice.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

GAUGE = "caller_request_number"
PATIENCE_S = 120.0


@dataclass
class Called:
    """What was acknowledged: ids of spans, values of samples, names of posted breakers and of those in span events."""

    spans: set[str] = field(default_factory=set)
    samples: set[int] = field(default_factory=set)
    posted: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)


def attributes(**values: str) -> list[KeyValue]:
    """OTLP attributes; ``__`` in a name is a dot."""
    return [
        KeyValue(key=name.replace("__", "."), value=AnyValue(string_value=value))
        for name, value in values.items()
    ]


def resource(service: str) -> Resource:
    """A resource as an SDK would say it."""
    return Resource(
        attributes=attributes(
            service__name=service, service__version="2.0", deployment__environment__name="test"
        )
    )


class Caller:
    """
    Calls the relay in a loop: traces, metrics, breakers in turn.

    Args:
        relay: The relay's URL.
        service: The service it is.
        per_s: Requests per second.
    """

    def __init__(self, relay: str, service: str = "caller", per_s: float = 20.0) -> None:
        self.called = Called()
        self.repeated = 0
        self._relay = relay
        self._service = service
        self._pause_s = 1 / per_s
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._guarded, name="caller", daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def stop(self) -> Called:
        """End after the present request is acknowledged; what was acknowledged."""
        self._stopping.set()
        self._thread.join(PATIENCE_S + 10)
        if self._errors:
            raise self._errors[0]
        return self.called

    def _guarded(self) -> None:
        try:
            for number, call in self._calls():
                call(number)
                if self._stopping.wait(self._pause_s):
                    return
        except BaseException as error:  # noqa: BLE001 - told to the test by stop
            self._errors.append(error)

    def _calls(self) -> Iterator[tuple[int, object]]:
        number = 0
        while True:
            yield number, (self._trace, self._sample, self._transition)[number % 3]
            number += 1

    def _trace(self, number: int) -> None:
        now = time.time_ns()
        trace_id = (number + 1).to_bytes(16, "big")
        breaker = f"event-{number}"
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add(resource=resource(self._service)).scope_spans.add()
        for place in range(4):
            span = Span(
                trace_id=trace_id,
                span_id=((number << 8) + place + 1).to_bytes(8, "big"),
                parent_span_id=b"" if place == 0 else ((number << 8) + 1).to_bytes(8, "big"),
                name=f"step {place}",
                kind=Span.SPAN_KIND_SERVER if place == 0 else Span.SPAN_KIND_CLIENT,
                start_time_unix_nano=now + place,
                end_time_unix_nano=now + 1_000_000 * (place + 1),
                attributes=attributes(
                    http__request__method="GET", http__route=f"/r/{number % 3}", peer__service="stock"
                ),
                status=Status(code=Status.STATUS_CODE_ERROR if number % 5 == 0 else Status.STATUS_CODE_OK),
            )
            if place == 1:
                span.events.add(
                    name="circuit_breaker.transition",
                    time_unix_nano=now,
                    attributes=attributes(breaker=breaker, to="open"),
                )
            spans.spans.append(span)
        self._send("/v1/traces", request.SerializeToString(), "application/x-protobuf")
        self.called.spans |= {span.span_id.hex() for span in spans.spans}
        self.called.events.add(breaker)

    def _sample(self, number: int) -> None:
        request = ExportMetricsServiceRequest()
        metric = (
            request.resource_metrics.add(resource=resource(self._service))
            .scope_metrics.add()
            .metrics.add(name=GAUGE)
        )
        metric.gauge.data_points.add(time_unix_nano=time.time_ns(), as_int=number)
        self._send("/v1/metrics", request.SerializeToString(), "application/x-protobuf")
        self.called.samples.add(number)

    def _transition(self, number: int) -> None:
        name = f"posted-{number}"
        body = json.dumps(
            {"service": self._service, "breaker": name, "from": "closed", "to": "open", "at": time.time()}
        )
        self._send("/v1/breakers", body.encode(), "application/json", name)
        self.called.posted.add(name)

    def _send(self, path: str, body: bytes, content_type: str, key: str = "") -> None:
        headers = {"Content-Type": content_type} | ({"Idempotency-Key": key} if key else {})
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            request = urllib.request.Request(self._relay + path, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=20):
                    return
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in {429, 503}:
                    raise AssertionError(f"{path}: {error.code}") from error
            except (OSError, http.client.HTTPException):
                pass  # killed before or after it was kept: only a repeat can tell
            self.repeated += 1
            time.sleep(0.1)
        raise AssertionError(f"{path} was not acknowledged within {PATIENCE_S} s")


class Target:
    """A ``/metrics`` endpoint whose one gauge counts the scrapes."""

    def __init__(self) -> None:
        self.served: set[int] = set()
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with target._lock:
                    number = len(target.served)
                    target.served.add(number)
                body = f"# TYPE target_scrapes gauge\ntarget_scrapes {number}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/metrics"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
