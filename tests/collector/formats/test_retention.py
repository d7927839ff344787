"""Every mapping keeps a row for the days of its own service and environment, and lets its own time lie back as far."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.loki.receive import REQUEST as PUSH
from collector.journal.envelope import Head
from tests.collector.formats.segments import TABLES, Warehouse, filled
from tests.collector.formats.write_requests import Request, Table, add_series

DAY_NS = 86400 * 10**9
KEPT = [("chatty", "", 3), ("cart", "dev", 7), ("", "test", 7)]
# (service, env) -> days, by the first rule that fits.
SENDERS = {
    ("chatty", "dev"): 3,
    ("cart", "dev"): 7,
    ("cart", "prod"): 30,
    ("other", "test"): 7,
    ("it's \\ odd", "dev"): 30,
}
TIMES = {
    "logs": "occurred_at",
    "spans": "start",
    "metric_samples": "at",
    "exemplars": "at",
    "breaker_transitions": "at",
}
OWN_BOOKS = {"reports"}


def otlp(name: str, at_ns: int) -> bytes:
    """A record, span or sample with an exemplar."""
    if name == "otlp_logs":
        logs = ExportLogsServiceRequest()
        logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=at_ns)
        return logs.SerializeToString()
    if name == "otlp_traces":
        traces = ExportTraceServiceRequest()
        traces.resource_spans.add().scope_spans.add().spans.add(start_time_unix_nano=at_ns, name="x")
        return traces.SerializeToString()
    metrics = ExportMetricsServiceRequest()
    point = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="up").gauge.data_points.add()
    point.time_unix_nano, point.as_int = at_ns, 1
    point.exemplars.add(time_unix_nano=at_ns, as_int=1)
    return metrics.SerializeToString()


def otlp_json(name: str, at_ns: int) -> bytes:
    """The same as JSON."""
    at, inner = str(at_ns), {}
    if name == "otlp_logs_json":
        inner = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": at}]}]}]}
    elif name == "otlp_traces_json":
        inner = {"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": at, "name": "x"}]}]}]}
    else:
        point = {"timeUnixNano": at, "asInt": "1", "exemplars": [{"timeUnixNano": at, "asInt": "1"}]}
        inner = {
            "resourceMetrics": [
                {"scopeMetrics": [{"metrics": [{"name": "up", "gauge": {"dataPoints": [point]}}]}]}
            ]
        }
    return json.dumps(inner).encode()


def written(name: str, at_ns: int) -> bytes:
    """A request of remote_write with a sample and an exemplar."""
    if name == "remote_write":
        request = Request()
        series = add_series(request, "up")
    else:
        table = Table()
        series = table.series("up")
    series.samples.add(value=1, timestamp=at_ns // 10**6)
    series.exemplars.add(value=1, timestamp=at_ns // 10**6)
    return request.SerializeToString() if name == "remote_write" else table.body()


def pushed(at_ns: int) -> bytes:
    """A push to Loki."""
    message = PUSH()
    entry = message.streams.add(labels='{a="b"}').entries.add(line="x")
    entry.timestamp.seconds, entry.timestamp.nanos = divmod(at_ns, 10**9)
    return bytes(message.SerializeToString())


def body(name: str, at_ns: int) -> bytes:
    """One record of the format called *name* that says when, and not whose it is."""
    iso = datetime.fromtimestamp(at_ns / 10**9, UTC).isoformat()
    if name.startswith("otlp"):
        return otlp_json(name, at_ns) if name.endswith("json") else otlp(name, at_ns)
    if name.startswith("remote_write"):
        return written(name, at_ns)
    if name == "loki":
        return pushed(at_ns)
    texts: dict[str, Any] = {
        "lines": json.dumps({"time": iso, "msg": "x"}),
        "syslog": f"<14>1 {iso} - - - - - x",
        "fluent_forward": json.dumps([at_ns, {"log": "x"}]),
        "elasticsearch": f'{{"index":{{}}}}\n{{"@timestamp":"{iso}","message":"x"}}\n',
        "hec": json.dumps({"time": at_ns / 10**9, "event": "x"}),
        "loki_json": json.dumps({"streams": [{"stream": {"a": "b"}, "values": [[str(at_ns), "x"]]}]}),
        "exposition": f'up 1 {at_ns // 10**6} # {{a="b"}} 1 {at_ns / 10**9}\n',
        "collectd": json.dumps(
            [
                {
                    "values": [1],
                    "dstypes": ["gauge"],
                    "dsnames": ["value"],
                    "time": at_ns / 10**9,
                    "host": "h",
                    "plugin": "p",
                    "type": "t",
                }
            ]
        ),
        "zipkin": json.dumps([{"traceId": "1", "id": "2", "name": "x", "timestamp": at_ns // 1000}]),
        "breakers": json.dumps({"breaker": "b", "to": "open", "at": iso}),
    }
    return str(texts[name]).encode()


@pytest.mark.parametrize("name", sorted(set(TABLES) - OWN_BOOKS))
def test_a_row_is_kept_for_the_days_of_its_own_service_and_environment(
    warehouse: Warehouse, now_ns: int, name: str
) -> None:
    """First rule first; a time within those days stays, one before them becomes the time of receipt."""
    heads = [
        Head(f"{number}", now_ns, {"service.name": service, "deployment.environment.name": env})
        for number, (service, env) in enumerate(SENDERS)
    ]
    old = body(name, now_ns - 5 * DAY_NS)

    warehouse.load(name, *[(head, old) for head in heads], kept=KEPT)

    for table in filled(name) & set(TIMES):
        found = warehouse.rows(
            f"SELECT retention_days AS days, {TIMES[table]} > fromUnixTimestamp64Nano({now_ns - DAY_NS}) AS moved FROM {table} ORDER BY days LIMIT 10"
        )
        assert [(row["days"], row["moved"]) for row in found] == [
            (days, int(days == 3)) for days in sorted(SENDERS.values())
        ], table


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lines", b'{"service":"chatty","msg":"x"}'),
        ("breakers", b'{"service":"chatty","breaker":"b","to":"open"}'),
        ("zipkin", b'[{"traceId":"1","id":"2","localEndpoint":{"serviceName":"chatty"}}]'),
    ],
)
def test_what_a_record_says_of_itself_counts(
    warehouse: Warehouse, now_ns: int, name: str, told: bytes
) -> None:
    """And where its key may not write as that, what it is written as."""
    sender = {"service.name": "cart", "deployment.environment.name": "prod"}

    warehouse.load(
        name,
        (Head("a", now_ns, sender), told),
        (Head("b", now_ns, sender, services=("cart",)), told),
        kept=KEPT,
    )

    found = warehouse.rows(f"SELECT retention_days AS days FROM {TABLES[name][0]} ORDER BY batch_id LIMIT 10")
    assert [row["days"] for row in found] == [3, 30]


def test_rollups_follow_their_rows(warehouse: Warehouse, now_ns: int) -> None:
    """Counts of lines that go after three days go after three days."""
    head = Head("a", now_ns, {"service.name": "chatty"})

    warehouse.load("lines", (head, b"one\ntwo"), kept=KEPT)

    assert warehouse.rows(
        "SELECT DISTINCT retention_days AS days FROM log_minutes WHERE service = 'chatty' LIMIT 10"
    ) == [{"days": 3}]
