from __future__ import annotations

import re

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from collector.journal.envelope import Head
from tests.collector.formats.segments import mappings, pairs

JOINED = """SELECT name, type, unit, temporality, labels, original_name, s.value AS value
FROM metric_samples s JOIN metric_series m USING series_id ORDER BY name, toFloat64OrZero(labels['le'])"""


def request() -> tuple[ExportMetricsServiceRequest, object]:
    """Return a request and its list of metrics."""
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(pairs({"service.name": "shop", "service.instance.id": "c1"}))
    return message, group.scope_metrics.add().metrics


def load(warehouse, now_ns, message) -> list[dict]:
    """Load one request and return its samples beside their series."""
    warehouse.load("otlp_metrics", (Head("b", now_ns), message.SerializeToString()))
    return warehouse.rows(JOINED)


def test_names_follow_prometheus(warehouse, now_ns):
    """Dots become underscores, units and _total are appended once, and the original stays."""
    message, metrics = request()
    for name, unit in [("queue.size", "{item}"), ("cpu.use", "1"), ("heap.bytes", "By"), ("flow", "By/s")]:
        metrics.add(name=name, unit=unit).gauge.data_points.add(time_unix_nano=now_ns, as_int=0)
    for name in ("http.requests", "jobs_total"):
        counter = metrics.add(name=name, unit="{request}").sum
        counter.is_monotonic, counter.aggregation_temporality = True, 2
        counter.data_points.add(time_unix_nano=now_ns, as_double=1.5).attributes.extend(
            pairs({"q.name": "a", "n": 0})
        )

    rows = {row["original_name"]: row for row in load(warehouse, now_ns, message)}

    assert {original: row["name"] for original, row in rows.items()} == {
        "queue.size": "queue_size", "cpu.use": "cpu_use_ratio", "heap.bytes": "heap_bytes", "flow": "flow_bytes_per_second",
        "http.requests": "http_requests_total", "jobs_total": "jobs_total",
    }  # fmt: skip
    assert rows["http.requests"]["labels"] == {"job": "shop", "instance": "c1", "q_name": "a", "n": "0"}
    assert (
        rows["http.requests"]["type"],
        rows["http.requests"]["temporality"],
        rows["queue.size"]["type"],
    ) == ("counter", "cumulative", "gauge")
    assert (rows["queue.size"]["value"], rows["http.requests"]["value"]) == (0, 1.5)


def test_histograms_become_cumulative_buckets(warehouse, now_ns):
    """Explicit and exponential bounds both end in +Inf, and a delta stays marked as one."""
    message, metrics = request()
    explicit = metrics.add(name="rpc", unit="s").histogram
    explicit.aggregation_temporality = 1
    point = explicit.data_points.add(
        time_unix_nano=now_ns, count=6, sum=3.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.1, 1]
    )
    point.exemplars.add(time_unix_nano=now_ns, as_double=0.7, trace_id=b"\1" * 16).filtered_attributes.extend(
        pairs({"u.v": 3})
    )
    exponential = metrics.add(name="size").exponential_histogram
    exponential.aggregation_temporality = 2
    point = exponential.data_points.add(time_unix_nano=now_ns, count=10, scale=0, zero_count=1)
    point.positive.offset, point.negative.offset = 1, 0
    point.positive.bucket_counts.extend([1, 2])
    point.negative.bucket_counts.extend([2, 4])

    rows = load(warehouse, now_ns, message)

    def buckets(name: str) -> dict[str, float]:
        return {row["labels"]["le"]: row["value"] for row in rows if row["name"] == f"{name}_bucket"}

    assert buckets("rpc_seconds") == {"0.1": 1, "1": 3, "+Inf": 6}
    assert buckets("size") == {"-2": 4, "-1": 6, "0": 7, "4": 8, "8": 10, "+Inf": 10}
    totals = {row["name"]: (row["value"], row["temporality"]) for row in rows if "le" not in row["labels"]}
    assert totals == {
        "rpc_seconds_sum": (3.5, "delta"),
        "rpc_seconds_count": (6, "delta"),
        "size_count": (10, "cumulative"),
    }
    [exemplar] = warehouse.rows(
        "SELECT m.labels['le'] AS le, e.labels AS labels, trace_id, e.value AS value FROM exemplars e JOIN metric_series m USING series_id"
    )
    assert exemplar == {"le": "1", "labels": {"u_v": "3"}, "trace_id": "01" * 16, "value": 0.7}


def test_summaries_become_quantiles(warehouse, now_ns):
    """A quantile is a label, sum and count stand beside."""
    message, metrics = request()
    point = metrics.add(name="wait").summary.data_points.add(time_unix_nano=now_ns, count=6, sum=3.5)
    point.quantile_values.add(quantile=0.5, value=3)

    rows = load(warehouse, now_ns, message)

    assert [(row["name"], row["labels"].get("quantile"), row["value"]) for row in rows] == [
        ("wait", "0.5", 3),
        ("wait_count", None, 6),
        ("wait_sum", None, 3.5),
    ]


def test_the_stock_sdk_is_understood(warehouse, now_ns):
    """What the OpenTelemetry SDK's own encoder writes arrives under Prometheus' names."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource({"service.name": "sdk"}), shutdown_on_exit=False)
    meter = provider.get_meter("lib")
    meter.create_counter("orders", unit="{order}").add(3, {"ok": False})
    meter.create_histogram("latency", unit="ms").record(7.5)
    warehouse.load(
        "otlp_metrics", (Head("b", now_ns), encode_metrics(reader.get_metrics_data()).SerializeToString())
    )
    provider.shutdown()

    rows = warehouse.rows(JOINED)

    assert [(row["labels"]["ok"], row["value"]) for row in rows if row["name"] == "orders_total"] == [
        ("false", 3)
    ]
    assert [
        row["value"]
        for row in rows
        if row["name"] in ("latency_milliseconds_sum", "latency_milliseconds_count")
    ] == [1, 7.5]
    assert {row["labels"]["job"] for row in rows} == {"sdk"}


def test_the_statements_share_what_makes_the_series_id():
    """Up to the end of `samples` the three files are the same text."""
    shared = {
        re.search(r"^WITH\n.*?^    samples AS\n    \(\n.*?^    \)$", mapping.sql, re.MULTILINE | re.DOTALL)[0]
        for mapping in mappings("otlp_metrics")
    }
    assert len(shared) == 1
