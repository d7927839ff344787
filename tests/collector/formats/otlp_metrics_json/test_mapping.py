"""JSON requests become the samples that the same requests make as Protobuf."""

from __future__ import annotations

import json

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.journal.envelope import Head
from tests.collector.formats.otlp_json import as_otlp_json
from tests.collector.formats.segments import Warehouse, pairs

TABLES = ("metric_series", "metric_samples", "exemplars")


def request(now_ns: int) -> ExportMetricsServiceRequest:
    """A request with every kind of metric, both kinds of number, exemplars, and a point without a value."""
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(
        pairs({"service.name": "shop", "service.instance.id": "c1", "service.version": "1.4"})
    )
    metrics = group.scope_metrics.add().metrics
    gauge = metrics.add(name="queue.size", unit="{item}", description="waiting").gauge
    gauge.data_points.add(time_unix_nano=now_ns, as_int=-3).attributes.extend(
        pairs({"q.name": "a", "n": [1]})
    )
    gauge.data_points.add(time_unix_nano=1, as_double=0.25)
    gauge.data_points.add(time_unix_nano=now_ns, flags=1).attributes.extend(pairs({"none": True}))
    gauge.data_points.add(time_unix_nano=now_ns, as_double=float("inf")).attributes.extend(
        pairs({"inf": True})
    )
    total = metrics.add(name="http.requests", unit="By/s").sum
    total.is_monotonic, total.aggregation_temporality = True, 2
    point = total.data_points.add(time_unix_nano=now_ns, as_int=2**53)
    point.exemplars.add(time_unix_nano=now_ns - 10**6, as_int=7, trace_id=b"\1" * 16, span_id=b"\2" * 8)
    explicit = metrics.add(name="rpc", unit="s").histogram
    explicit.aggregation_temporality = 1
    point = explicit.data_points.add(
        time_unix_nano=now_ns, count=6, sum=3.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.1, 1]
    )
    point.exemplars.add(time_unix_nano=now_ns, as_double=0.7).filtered_attributes.extend(pairs({"u.v": 3}))
    explicit.data_points.add(time_unix_nano=now_ns, count=2)
    exponential = metrics.add(name="size").exponential_histogram
    exponential.aggregation_temporality = 2
    point = exponential.data_points.add(
        time_unix_nano=now_ns, count=10, sum=1, scale=1, zero_count=1, zero_threshold=0.001
    )
    point.positive.offset, point.negative.offset = 1, -2
    point.positive.bucket_counts.extend([1, 2])
    point.negative.bucket_counts.extend([2, 4])
    summary = metrics.add(name="old").summary
    summary.data_points.add(time_unix_nano=now_ns, count=3, sum=9.5).quantile_values.add(
        quantile=0.99, value=5
    )
    return message


def tables(warehouse: Warehouse) -> dict[str, list[dict]]:
    """Return what a load has written, in an order of its own."""
    return {
        table: sorted(
            warehouse.rows(f"SELECT * FROM {table}"), key=lambda row: json.dumps(row, sort_keys=True)
        )
        for table in TABLES
    }


def test_a_request_makes_the_rows_it_makes_as_protobuf(warehouse, now_ns):
    """Series, samples and exemplars are equal: names, labels, identities, times, values."""
    message = request(now_ns)
    head = Head("b1", now_ns)
    warehouse.load("otlp_metrics", (head, message.SerializeToString()))
    wanted = tables(warehouse)
    warehouse.empty()

    warehouse.load("otlp_metrics_json", (head, as_otlp_json(message)))

    found = tables(warehouse)
    assert [len(found[table]) for table in TABLES] == [21, 23, 2]
    assert found == wanted


def test_a_temporality_may_be_a_name(warehouse, now_ns):
    """Protobuf's own JSON writes enums as names."""
    point = {"timeUnixNano": str(now_ns), "asDouble": "NaN"}
    metric = {
        "name": "m",
        "sum": {
            "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA",
            "isMonotonic": True,
            "dataPoints": [point],
        },
    }
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric, {"name": "empty"}]}]}]})

    warehouse.load("otlp_metrics_json", (Head("b", now_ns), body.encode()))

    [row] = warehouse.rows(
        "SELECT name, temporality, isNaN(s.value) AS nan FROM metric_samples s JOIN metric_series m USING series_id"
    )
    assert row == {"name": "m_total", "temporality": "delta", "nan": 1}
