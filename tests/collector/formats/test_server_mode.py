"""The mappings as a ClickHouse server runs them: the segment is the request's body."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.journal.envelope import Head
from collector.store.client import Store
from collector.store.migrate import migrate
from collector.store.target import Target
from tests.collector.formats.segments import mappings, pairs, segment
from tests.collector.formats.write_requests import Request, Table, add_series
from tests.collector.real_engine import engine_at

ATTRIBUTES = {"n": 0, "m": {"a": [1, {"b": "c"}]}}


def _body(name: str, now_ns: int) -> bytes:
    message = {
        "otlp_logs": ExportLogsServiceRequest,
        "otlp_traces": ExportTraceServiceRequest,
        "otlp_metrics": ExportMetricsServiceRequest,
    }[name]()
    if name == "otlp_logs":
        record = message.resource_logs.add().scope_logs.add().log_records.add()
    elif name == "otlp_traces":
        spans = message.resource_spans.add().scope_spans.add().spans
        record = spans.add(start_time_unix_nano=now_ns, end_time_unix_nano=now_ns)
    else:
        metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="up")
        record = metric.gauge.data_points.add(time_unix_nano=now_ns, as_int=1)
    record.attributes.extend(pairs(ATTRIBUTES))
    return message.SerializeToString()


def _others(now_ns: int) -> dict[str, bytes]:
    """A body of each other protocol whose mappings read what is nested."""
    first, second = Request(), Table()
    for series in (add_series(first, "rw1"), second.series("rw2")):
        series.samples.add(value=1, timestamp=now_ns // 10**6)
        series.exemplars.add(value=1, timestamp=now_ns // 10**6)
    spans = b'[{"traceId":"1","id":"2","name":"zipkin"}]'
    return {"remote_write": first.SerializeToString(), "remote_write_v2": second.body(), "zipkin": spans}


@pytest.mark.timeout(120)
def test_the_segment_can_be_the_body_of_the_request(tmp_path: Path, now_ns: int) -> None:
    """Every mapping of nested bodies loads through ``input()``, with the rows it makes of a file."""
    with engine_at(tmp_path / "db") as engine:
        store = Store(lambda: Target(engine.target().url, shared_disk=False))
        migrate(store)
        for name in ("otlp_logs", "otlp_traces", "otlp_metrics"):
            for mapping in mappings(name):
                sealed = segment([(Head("b", now_ns), _body(name, now_ns))])
                store.load(
                    mapping.insert_from_input(),
                    {"retention_days": 30, "kept": [("", "", 30)]},
                    mapping.settings(),
                    sealed,
                )

        told = [
            store.query(f"SELECT attributes FROM {table} LIMIT 1").rows[0]["attributes"]
            for table in ("logs", "spans")
        ]
        assert told == [{"n": "0", "m.a": '[1,{"b":"c"}]'}] * 2
        (sample,) = store.query("SELECT value FROM metric_samples LIMIT 1").rows
        assert sample == {"value": 1}
        for name, body in _others(now_ns).items():
            for mapping in mappings(name):
                sealed = segment([(Head("b", now_ns), body)])
                store.load(mapping.insert_from_input(), {"kept": [("", "", 30)]}, mapping.settings(), sealed)
        found = store.query("SELECT name FROM metric_series WHERE name LIKE 'rw%' ORDER BY name LIMIT 9").rows
        assert [row["name"] for row in found] == ["rw1", "rw2"]
        assert store.query("SELECT name FROM spans WHERE name = 'zipkin' LIMIT 1").rows == [
            {"name": "zipkin"}
        ]
