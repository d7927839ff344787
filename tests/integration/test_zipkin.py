"""Stock Zipkin clients against a running collector: OpenTelemetry's exporter and py_zipkin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from py_zipkin import Encoding, Kind
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.util import ZipkinAttrs
from py_zipkin.zipkin import zipkin_span

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(180)]


def _opentelemetry(url: str) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "otel-shop"}))
    provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=f"{url}/api/v2/spans")))
    for number in range(20):
        with provider.get_tracer("t").start_as_current_span(
            f"span {number}", kind=SpanKind.CLIENT, attributes={"n": number}
        ) as span:
            span.add_event("happened")
            if number % 10 == 0:
                span.set_status(Status(StatusCode.ERROR, "broken on purpose"))
    provider.shutdown()


def _py_zipkin(port: int) -> None:
    """A server's half of a span that somebody else began, and a local span in it."""
    began = ZipkinAttrs("80f1da5e10147517", "67fae42571535f60", "90394f6bcffb5d13", "0", is_sampled=True)
    told: dict[str, Any] = {
        "transport_handler": SimpleHTTPTransport("127.0.0.1", port),
        "encoding": Encoding.V2_JSON,
    }
    with (
        zipkin_span(
            "py-shop", "server", zipkin_attrs=began, kind=Kind.SERVER, binary_annotations={"a": "b"}, **told
        ),
        zipkin_span("py-shop", "inner"),
    ):
        pass


def test_spans_of_stock_clients_arrive(serve: Callable[..., Any]) -> None:
    """Each once, with kind, status, attributes and events; ids as they were sent, in 32 and 16 digits."""
    served = serve()
    _opentelemetry(served.url)
    _py_zipkin(served.port)
    again = httpx.post(
        f"{served.url}/api/v2/spans", content=b"[]", headers={"Content-Type": "application/json"}
    )
    assert (again.status_code, again.content) == (202, b"")
    assert served.stop() == 0

    rows = served.tables("SELECT * FROM spans ORDER BY name")
    otel = {row["name"].lower(): row for row in rows if row["service"] == "otel-shop"}
    own = {row["name"]: row for row in rows if row["service"] == "py-shop"}

    assert len(rows) == 22
    assert set(otel) == {f"span {number}" for number in range(20)}
    assert {(row["kind"], row["attributes"]["n"]) for row in otel.values()} == {
        ("client", str(number)) for number in range(20)
    }
    assert [name for name, row in otel.items() if row["status"] == "error"] == ["span 0", "span 10"]
    assert otel["span 10"]["status_message"] == "broken on purpose"
    assert all(
        len(row["trace_id"]) == 32 and len(row["span_id"]) == 16 and len(row["events"]) == 1
        for row in otel.values()
    )
    assert {row["trace_id"] for row in own.values()} == {"000000000000000080f1da5e10147517"}
    assert (own["server"]["kind"], own["server"]["attributes"]["a"]) == ("server", "b")
    assert own["inner"]["parent_span_id"] == "67fae42571535f60"
    assert (
        own["server"]["parent_span_id"]
        == own["server"]["attributes"]["zipkin.shared_id"]
        == "67fae42571535f60"
    )
