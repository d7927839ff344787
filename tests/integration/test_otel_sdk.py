"""The stock OpenTelemetry Python SDK against a running collector: nothing adapted, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(300)]

_RESOURCE = Resource.create(
    {"service.name": "sdk-shop", "service.version": "1.4", "deployment.environment.name": "test"}
)
# Every AnyValue kind, the empty and zero ones included.
_ATTRIBUTES: dict[str, Any] = {
    "text": "hello", "text.empty": "", "int": 42, "int.zero": 0, "int.negative": -7, "double": 1.5, "double.zero": 0.0,
    "bool": True, "bool.false": False, "array": ["a", "", "b"], "array.empty": [], "array.int": [0, 1, 2],
}  # fmt: skip
_STORED = {
    "text": "hello", "text.empty": "", "int": "42", "int.zero": "0", "int.negative": "-7", "double": "1.5", "double.zero": "0",
    "bool": "true", "bool.false": "false", "array.empty": "[]",
}  # fmt: skip
_NESTED: dict[str, Any] = {
    "outer": {"inner": [1, {"deep": False}], "zero": 0, "none": ""},
    "list": [[1, 2], ["x"]],
}
_RECORDS = 250


@pytest.fixture(scope="module")
def sent(serve_module: Callable[..., Any]) -> Any:
    """A collector that got logs and spans of the SDK."""
    served = serve_module()
    _send_logs(served.url)
    _send_spans(served.url)
    return served


def _send_logs(url: str) -> None:
    provider = LoggerProvider(resource=_RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{url}/v1/logs")))
    logger = provider.get_logger("sdk.test", "0.1")
    for number in range(_RECORDS):
        logger.emit(
            LogRecord(
                body=f"record {number}",
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                attributes={**_ATTRIBUTES, "number": number},
            )
        )
    logger.emit(LogRecord(body="nested", severity_number=SeverityNumber.INFO, attributes=_NESTED))
    provider.shutdown()


def _send_spans(url: str) -> None:
    provider = TracerProvider(resource=_RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    tracer = provider.get_tracer("sdk.test")
    for number in range(_RECORDS):
        with tracer.start_as_current_span(f"span {number}", attributes=_ATTRIBUTES) as span:
            span.add_event("happened", {"zero": 0, "no": False})
            if number % 50 == 0:
                span.set_status(Status(StatusCode.ERROR, "broken on purpose"))
    provider.shutdown()


def _send_metrics(url: str) -> None:
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{url}/v1/metrics"), export_interval_millis=3_600_000
    )
    provider = MeterProvider(resource=_RESOURCE, metric_readers=[reader])
    meter = provider.get_meter("sdk.test")
    meter.create_counter("shop.orders", unit="1").add(3, {"kind": "web"})
    meter.create_histogram("shop.latency", unit="ms").record(12.5)
    meter.create_up_down_counter("shop.queue").add(-2)
    provider.shutdown()


def test_every_log_record_is_found_with_its_attributes(sent: Any, poll: Callable[..., Any]) -> None:
    """All records once; zero, empty, false and arrays as they were sent."""

    def logs() -> list[dict[str, Any]] | None:
        rows: list[dict[str, Any]] = sent.data("/logs", query="service:sdk-shop severity:warn", limit=1000)
        return rows if len(rows) >= _RECORDS else None

    rows = poll(logs)

    assert sorted(row["body"] for row in rows) == sorted(f"record {number}" for number in range(_RECORDS))
    for row in rows:
        assert {name: row["attributes"].get(name) for name in _STORED} == _STORED
        assert json.loads(row["attributes"]["array"]) == ["a", "", "b"]
        assert [int(item) for item in json.loads(row["attributes"]["array.int"])] == [0, 1, 2]


def test_nested_values_arrive_whole(sent: Any, poll: Callable[..., Any]) -> None:
    """A map becomes dotted attributes, an array JSON text, whatever they hold."""
    row = poll(lambda: sent.data("/logs", query='"nested" service:sdk-shop'))[0]

    found = row["attributes"]
    assert found["outer.zero"] == "0"
    assert found["outer.none"] == ""
    inner = json.loads(found["outer.inner"])
    assert int(inner[0]) == 1
    assert inner[1] == {"deep": False}
    assert len(json.loads(found["list"])) == 2


def test_every_span_is_found_in_its_trace(sent: Any, poll: Callable[..., Any]) -> None:
    """All traces, the failed ones marked, each with its span's attributes and event."""

    def traces() -> list[dict[str, Any]] | None:
        rows: list[dict[str, Any]] = sent.data("/traces", service="sdk-shop", limit=1000)
        return rows if len(rows) >= _RECORDS else None

    rows = poll(traces)
    failed = [row for row in rows if row["error"]]
    span = sent.data(f"/traces/{failed[0]['trace_id']}")[0]["spans"][0]

    assert sorted(row["root_name"] for row in rows) == sorted(f"span {number}" for number in range(_RECORDS))
    assert len(failed) == _RECORDS // 50
    assert span["status_message"] == "broken on purpose"
    assert {name: span["attributes"].get(name) for name in _STORED} == _STORED
    assert span["events"][0]["name"] == "happened"
    assert span["events"][0]["attributes"] == {"zero": "0", "no": "false"}


def test_every_metric_is_stored_under_its_prometheus_name(serve: Callable[..., Any]) -> None:
    """Counter, histogram and up-down counter, normalised, with their values; ending the collector drains the journal."""
    served = serve()
    _send_metrics(served.url)
    assert served.stop() == 0

    rows = served.tables(
        "SELECT name, labels['kind'] AS kind, value FROM metric_samples JOIN "
        "(SELECT DISTINCT series_id, name, labels FROM metric_series) AS series USING (series_id)"
    )
    values = {row["name"]: row["value"] for row in rows}
    orders = next(row for row in rows if row["name"] == "shop_orders_total")

    assert (orders["value"], orders["kind"]) == (3, "web")
    assert values["shop_queue"] == -2
    assert values["shop_latency_milliseconds_count"] == 1
    assert values["shop_latency_milliseconds_sum"] == 12.5


def test_exporters_set_up_for_loki_and_prometheus_need_another_host_only(serve, poll) -> None:
    """Loki's path for OTLP logs and Prometheus' for metrics, as the SDK's exporters make them from their endpoints; Protobuf."""
    served = serve()
    resource = Resource.create({"service.name": "moved"})
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{served.url}/otlp/v1/logs"))
    )
    logs.get_logger("t").emit(LogRecord(body="to Loki"))
    logs.shutdown()
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{served.url}/api/v1/otlp/v1/metrics")
    )
    metrics = MeterProvider(resource=resource, metric_readers=[reader])
    metrics.get_meter("t").create_counter("to_prometheus").add(3)
    metrics.shutdown()

    found = poll(lambda: served.data("/logs", query="service:moved"))
    assert [row["body"] for row in found] == ["to Loki"]
    series = {"query": "SELECT name FROM metric_series WHERE service = 'moved'"}
    assert poll(lambda: served.client.post("/api/v1/sql", json=series).json()["data"]) == [{"name": "to_prometheus_total"}]  # fmt: skip
