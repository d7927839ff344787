"""
Records per CPU-second of every mapping, and what a load costs before its first row; statements for which the bodies hold nothing are not run, as by the loader.

Run: ``python -m benchmarks.mappings [--rules N] [name …]``. Seeded; one thread; into the real tables with their views and indexes.
With ``--rules`` there are N rules of retention, none of which fits a row: each is compared with every row.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.prometheus import message_of
from collector.formats.registry import PROTOCOLS
from collector.journal.envelope import Head
from tests.collector.formats.segments import Warehouse, any_value, pairs

RESOURCE = pairs(
    {"service.name": "checkout", "deployment.environment.name": "demo", "service.instance.id": "c-1"}
)
NOW_NS = time.time_ns()


def lines(rng: random.Random, count: int) -> bytes:
    """Return *count* lines of JSON that name their service."""
    rows = [
        {
            "level": "info",
            "service": "checkout",
            "msg": f"order {rng.randrange(10**6)} placed",
            "user": rng.randrange(10**5),
        }
        for _ in range(count)
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


def logs(rng: random.Random, count: int) -> bytes:
    """Return a request of *count* log records with five attributes each."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(RESOURCE)
    records = group.scope_logs.add().log_records
    for n in range(count):
        record = records.add(
            time_unix_nano=NOW_NS - n, severity_number=9, trace_id=rng.randbytes(16), span_id=rng.randbytes(8)
        )
        record.body.CopyFrom(any_value(f"order {rng.randrange(10**6)} placed in {rng.random() * 100:.3f} ms"))
        record.attributes.extend(_attributes(rng))
    return message.SerializeToString()


def spans(rng: random.Random, count: int) -> bytes:
    """Return a request of *count* spans with five attributes each, one in twenty with an event."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(RESOURCE)
    added = group.scope_spans.add().spans
    for n in range(count):
        span = added.add(trace_id=rng.randbytes(16), span_id=rng.randbytes(8), name="GET /orders", kind=2)
        span.start_time_unix_nano, span.end_time_unix_nano = NOW_NS - 10**6, NOW_NS
        span.attributes.extend(_attributes(rng))
        if n % 20 == 0:
            span.events.add(name="exception", time_unix_nano=NOW_NS).attributes.extend(
                pairs({"exception.type": "E"})
            )
    return message.SerializeToString()


def metrics(rng: random.Random, count: int) -> bytes:
    """Return a request of *count* samples, a counter's points."""
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(RESOURCE)
    counter = group.scope_metrics.add().metrics.add(name="http.requests").sum
    counter.is_monotonic, counter.aggregation_temporality = True, 2
    for n in range(count):
        counter.data_points.add(time_unix_nano=NOW_NS, as_int=rng.randrange(999)).attributes.extend(
            pairs({"route": f"/{n}"})
        )
    return message.SerializeToString()


def exposition(rng: random.Random, count: int) -> bytes:
    """Return an exposition of *count* samples."""
    lines = [f'http_requests_total{{route="/{n}",code="200"}} {rng.randrange(999)}\n' for n in range(count)]
    return "".join(["# TYPE http_requests_total counter\n", *lines]).encode()


def remote_write(rng: random.Random, count: int) -> bytes:
    """Return a WriteRequest of *count* series with nine labels and a sample each, as Prometheus sends them."""
    message = message_of("remote_write")()
    for _ in range(count):
        series = message.timeseries.add()
        for name, value in _labels(rng.getrandbits(30)).items():
            series.labels.add(name=name, value=value)
        series.samples.add(value=rng.randrange(999), timestamp=NOW_NS // 10**6)
    return message.SerializeToString()


def remote_write_v2(rng: random.Random, count: int) -> bytes:
    """Return the same as a request of version 2.0."""
    message, symbols = message_of("remote_write_v2")(), {"": 0}
    for _ in range(count):
        series = message.timeseries.add()
        for pair in _labels(rng.getrandbits(30)).items():
            series.labels_refs.extend(symbols.setdefault(text, len(symbols)) for text in pair)
        series.samples.add(value=rng.randrange(999), timestamp=NOW_NS // 10**6)
        series.metadata.type, series.metadata.help_ref = 1, symbols.setdefault("Requests.", len(symbols))
    message.symbols.extend(symbols)
    return message.SerializeToString()


def _labels(n: int) -> dict[str, str]:
    return {
        "__name__": "http_requests_total", "code": "200", "env": "prod", "instance": f"10.0.0.{n % 50}:8080", "job": "checkout",
        "method": "GET", "namespace": "shop", "pod": f"checkout-7d9f8b6c5-{n % 50:05}", "route": f"/orders/{n}",
    }  # fmt: skip


def _attributes(rng: random.Random) -> list:
    return pairs(
        {
            "http.route": "/orders/{id}",
            "http.request.method": "GET",
            "http.response.status_code": rng.choice([200, 404, 500]),
            "user.id": f"u-{rng.randrange(10**5)}",
            "cache.hit": rng.random() < 0.5,
        }
    )


_LOOKS = {protocol.name: protocol.judge for protocol in PROTOCOLS}


def _cpu_s(warehouse: Warehouse, name: str, bodies: list[bytes], rules: int) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    warehouse.load(
        name,
        *[(Head(f"b{n}", NOW_NS), body) for n, body in enumerate(bodies)],
        kept=[(f"service-{n}", "dev", 7) for n in range(rules)],
        lacks=_LOOKS[name](bodies[0], {}).lacks,
    )
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line per format: CPU of an insert of one record, and records per CPU-second beyond that."""
    made = {
        "lines": lines,
        "otlp_logs": logs,
        "otlp_traces": spans,
        "otlp_metrics": metrics,
        "exposition": exposition,
        "remote_write": remote_write,
        "remote_write_v2": remote_write_v2,
    }
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=0)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    made = {name: make for name, make in made.items() if not asked.names or name in asked.names}
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        for name, make in made.items():
            rng = random.Random(1)
            bodies = [make(rng, 1000) for _ in range(20)] * 5
            one = [make(rng, 1)]
            _cpu_s(warehouse, name, one, asked.rules)
            fixed = _cpu_s(warehouse, name, one, asked.rules)
            rate = 100_000 / (_cpu_s(warehouse, name, bodies, asked.rules) - fixed)
            print(f"{name}: {fixed * 1000:.0f} ms CPU per load, then {rate:,.0f} records per CPU-second")
        warehouse.close()


if __name__ == "__main__":
    main()
