"""
Seeded bodies as the real senders of each path make them, for `paths.py` and `idle.py`.

What repeats in life repeats here: services, routes, metric names and label sets; what does not (ids, times, values, durations) is new in each
record, so that no two bodies are the same and every index has its work. Made from a few templates whose changing fields are written anew:
building is not measured, but somebody waits for it.
"""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cramjam
from backports import zstd
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.prometheus import message_of
from tests.collector.formats.segments import any_value, pairs

_SERVICES = ["gateway", "catalog", "cart", "checkout", "payment", "inventory", "notifications", "search"]
_ROUTES = ["/v1/cart", "/v2/cart/{id}", "/v1/orders", "/v1/orders/{id}", "/v1/items/{sku}", "/v1/pay"]
_THINGS = ["order", "cart", "payment intent", "stock level", "session", "address"]
_VERBS = ["accepted", "queued", "fetched", "stored", "priced", "reserved", "rendered", "retried", "expired"]
_TEMPLATES = 8
_SCRAPE_MS = 15_000

Body = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Sender:
    """
    How one protocol's real clients send.

    Attributes:
        name: The folder under ``collector/formats/``.
        path: Where they post.
        bodies: (seed, bodies, records in each) -> bodies before compression, with the records of each that ClickHouse will count.
        encode: The compression they use.
        headers: They send, ``Content-Encoding`` with them.
        table: Where the records are counted.
        size: Records per body, as the sender's defaults have it.
        varying: Headers of the nth body besides.
    """

    name: str
    path: str
    bodies: Callable[[int, int, int], Iterator[Body]]
    encode: Callable[[bytes], bytes]
    headers: dict[str, str] = field(default_factory=dict)
    table: str = "metric_samples"
    size: int = 2_000
    varying: Callable[[int], dict[str, str]] = lambda number: {}  # noqa: ARG005


def logs(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield log records with five attributes and a trace, of eight services, the time growing."""
    rng = random.Random(seed)
    made = [_log_request(rng, size) for _ in range(_TEMPLATES)]
    at = _begin_ns()
    for number in range(bodies):
        request = made[number % len(made)]
        for record in _records(request.resource_logs, "scope_logs", "log_records"):
            at += rng.randrange(20_000)
            record.time_unix_nano = record.observed_time_unix_nano = at
            record.trace_id, record.span_id = rng.randbytes(16), rng.randbytes(8)
            record.body.string_value = f"{rng.choice(_THINGS)} {rng.choice(_VERBS)} for customer {rng.randrange(50_000)} in {rng.random() * 100:.3f} ms"
        yield request.SerializeToString(), size


def _log_request(rng: random.Random, size: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for service, number in zip(_SERVICES, _shares(size), strict=True):
        group = request.resource_logs.add()
        group.resource.attributes.extend(_resource(service))
        scope = group.scope_logs.add()
        scope.scope.name = "shop.orders"
        for _ in range(number):
            level, text = rng.choice([(9, "INFO")] * 18 + [(13, "WARN"), (17, "ERROR")])
            record = scope.log_records.add(severity_number=level, severity_text=text)
            record.body.CopyFrom(any_value(""))
            record.attributes.extend(_call_attributes(rng))
    return request


def spans(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield spans with six attributes, server and client by turns, one in twenty with an event."""
    rng = random.Random(seed)
    made = [_span_request(rng, size) for _ in range(_TEMPLATES)]
    at = _begin_ns()
    for number in range(bodies):
        request = made[number % len(made)]
        trace, parent = b"", b""
        for nth, span in enumerate(_records(request.resource_spans, "scope_spans", "spans")):
            at += rng.randrange(20_000)
            if nth % 8 == 0:
                trace, parent = rng.randbytes(16), b""
            span.trace_id, span.span_id, span.parent_span_id = trace, rng.randbytes(8), parent
            parent = span.span_id
            span.start_time_unix_nano, span.end_time_unix_nano = at, at + rng.randrange(10**8)
        yield request.SerializeToString(), size


def _span_request(rng: random.Random, size: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for service, number in zip(_SERVICES, _shares(size), strict=True):
        group = request.resource_spans.add()
        group.resource.attributes.extend(_resource(service))
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.asgi", "0.58b0"
        for nth in range(number):
            span = scope.spans.add(name="GET /v1/orders/{id}", kind=2 + nth % 2)
            span.attributes.extend(_call_attributes(rng))
            if nth % 2:
                span.attributes.extend(pairs({"peer.service": rng.choice(_SERVICES)}))
            if nth % 20 == 0:
                event = span.events.add(name="exception", time_unix_nano=_begin_ns())
                event.attributes.extend(pairs({"exception.type": "TimeoutError"}))
                span.status.code = 2
    return request


def points(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield points of counters and gauges of twenty instances, each exported again and again: 160,000 series where *size* is 8,000."""
    rng = random.Random(seed)
    made = [_points_request(rng, size, instance) for instance in range(20)]
    at = _begin_ns()
    for number in range(bodies):
        request = made[number % len(made)]
        at += _SCRAPE_MS * 1_000_000 // len(made)
        for resource in request.resource_metrics:
            for metric in resource.scope_metrics[0].metrics:
                for point in (metric.sum if metric.HasField("sum") else metric.gauge).data_points:
                    point.time_unix_nano, point.as_int = at, rng.randrange(10**6)
        yield request.SerializeToString(), size


def _points_request(rng: random.Random, size: int, instance: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(_resource(rng.choice(_SERVICES), f"i-{instance:04}"))
    added = group.scope_metrics.add().metrics
    for name in range(-(-size // 50)):
        metric = added.add(name=f"shop.orders.{name}", description="Orders by route.", unit="1")
        if name % 4:
            metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
        points = (metric.sum if name % 4 else metric.gauge).data_points
        for place in range(min(50, size - name * 50)):
            points.add().attributes.extend(
                pairs(
                    {
                        "http.route": _ROUTES[place % len(_ROUTES)],
                        "http.response.status_code": 200 + place,
                        "shop": f"s-{place}",
                    }
                )
            )
    return request


def histograms(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield histograms of fifteen buckets; *size* counts the samples that they become: buckets, sum and count."""
    rng = random.Random(seed)
    bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    made = [ExportMetricsServiceRequest() for _ in range(20)]
    for instance, request in enumerate(made):
        group = request.resource_metrics.add()
        group.resource.attributes.extend(_resource(rng.choice(_SERVICES), f"i-{instance:04}"))
        metric = group.scope_metrics.add().metrics.add(name="http.server.request.duration", unit="s")
        metric.histogram.aggregation_temporality = 2
        for place in range(size // (len(bounds) + 3)):
            point = metric.histogram.data_points.add(
                count=100, sum=rng.random(), explicit_bounds=bounds, bucket_counts=[7] * (len(bounds) + 1)
            )
            point.attributes.extend(
                pairs({"http.route": _ROUTES[place % len(_ROUTES)], "shop": f"s-{place}"})
            )
    at = _begin_ns()
    for number in range(bodies):
        request = made[number % len(made)]
        at += _SCRAPE_MS * 1_000_000 // len(made)
        data = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
        for point in data:
            point.time_unix_nano, point.sum = at, rng.random()
        yield request.SerializeToString(), len(data) * (len(bounds) + 3)


def remote_write(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield write requests of version 1.0: a sample of each of twenty thousand series, nine labels each, scrape after scrape."""
    rng = random.Random(seed)
    made = [message_of("remote_write")() for _ in range(20_000 // size)]
    for shard, request in enumerate(made):
        for nth in range(size):
            series = request.timeseries.add()
            for name, value in _labels(shard * size + nth).items():
                series.labels.add(name=name, value=value)
            series.samples.add()
    yield from _scrapes(rng, made, bodies, size)


def remote_write_v2(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield the same as requests of version 2.0, with what each family is."""
    rng = random.Random(seed)
    made = [message_of("remote_write_v2")() for _ in range(20_000 // size)]
    for shard, request in enumerate(made):
        symbols = {"": 0}
        for nth in range(size):
            series = request.timeseries.add()
            for pair in _labels(shard * size + nth).items():
                series.labels_refs.extend(symbols.setdefault(text, len(symbols)) for text in pair)
            series.samples.add()
            series.metadata.type = 1
            series.metadata.help_ref = symbols.setdefault("Requests.", len(symbols))
        request.symbols.extend(symbols)
    yield from _scrapes(rng, made, bodies, size)


def _scrapes(rng: random.Random, made: list[Any], bodies: int, size: int) -> Iterator[Body]:
    at = _begin_ns() // 1_000_000
    for number in range(bodies):
        request = made[number % len(made)]
        at += _SCRAPE_MS // len(made)
        for series in request.timeseries:
            series.samples[0].timestamp, series.samples[0].value = at, rng.randrange(10**6)
        yield request.SerializeToString(), size


def exposition(seed: int, bodies: int, size: int) -> Iterator[Body]:
    """Yield scrapes of one target: counters, gauges and histograms, *size* samples of series that stay the same."""
    rng = random.Random(seed)
    series = list(_exposed(size))
    for _ in range(bodies):
        lines = [text if text.startswith("#") else f"{text} {rng.randrange(10**6)}" for text in series]
        yield ("\n".join(lines) + "\n").encode(), size


def _exposed(size: int) -> Iterator[str]:
    """Yield the lines of an exposition without their values: twenty series to a family."""
    for family in range(-(-size // 20)):
        name = f"shop_orders_{family}"
        kind = ("counter", "gauge", "histogram")[family % 3]
        full = {"counter": f"{name}_total", "gauge": name, "histogram": f"{name}_seconds"}[kind]
        yield f"# HELP {full} Orders by route and code."
        yield f"# TYPE {full} {kind}"
        for place in range(min(20, size - family * 20)):
            labels = f'route="{_ROUTES[place % len(_ROUTES)]}",code="{200 + place}",region="eu-west-1"'
            if kind == "histogram":
                ending = ["_sum", "_count"][place - 18] if place >= 18 else "_bucket"
                bound = "" if place >= 18 else f',le="{"+Inf" if place == 17 else 0.005 * 2**place}"'
                labels = f'route="{_ROUTES[family % len(_ROUTES)]}",region="eu-west-1"{bound}'
                yield f"{full}{ending}{{{labels}}}"
            else:
                yield f"{full}{{{labels}}}"


def _shares(size: int) -> list[int]:
    """Share *size* records among the services."""
    return [size // len(_SERVICES) + (place < size % len(_SERVICES)) for place in range(len(_SERVICES))]


def _labels(n: int) -> dict[str, str]:
    return {
        "__name__": f"http_requests_{n % 40}_total", "code": str(200 + n % 5), "env": "prod",
        "instance": f"10.0.0.{n % 50}:8080", "job": _SERVICES[n % 8], "method": "GET", "namespace": "shop",
        "pod": f"checkout-7d9f8b6c5-{n % 50:05}", "route": f"/orders/{n}",
    }  # fmt: skip


def _resource(service: str, instance: str = "i-1") -> list[Any]:
    return pairs(
        {
            "service.name": service,
            "service.instance.id": instance,
            "service.version": "1.4.2",
            "deployment.environment.name": "prod",
            "telemetry.sdk.language": "python",
        }
    )


def _call_attributes(rng: random.Random) -> list[Any]:
    return pairs(
        {
            "http.route": rng.choice(_ROUTES),
            "http.request.method": rng.choice(["GET", "POST"]),
            "http.response.status_code": rng.choice([200, 200, 200, 404, 500]),
            "user.id": f"u-{rng.randrange(10**5)}",
            "cache.hit": rng.random() < 0.5,
        }
    )


def _records(resources: Any, scopes: str, records: str) -> Iterator[Any]:
    for resource in resources:
        for scope in getattr(resource, scopes):
            yield from getattr(scope, records)


def _begin_ns() -> int:
    """Give a time from which hours of data fit before now."""
    return time.time_ns() - 3 * 3600 * 10**9


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 6)


def _zstd(body: bytes) -> bytes:
    return zstd.compress(body, 1)


def _snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


# An OpenTelemetry Collector exports batches of 8192 with gzip; Prometheus 2000 samples with snappy; our agent a scrape with zstd.
_OTLP = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
_PROMETHEUS = {"Content-Encoding": "snappy", "User-Agent": "Prometheus/3.0.0"}
_V1 = {"Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
_V2 = {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "X-Prometheus-Remote-Write-Version": "2.0.0",
}


def _target(number: int) -> dict[str, str]:
    """Return what says whose exposition the nth is: forty targets by turns."""
    service, instance = _SERVICES[number % 8], number % 40
    return {
        "Fuseboard-Resource": f"service.name={service},service.instance.id=c-{instance},deployment.environment.name=prod"
    }


SENDERS = {
    sender.name: sender
    for sender in (
        Sender("otlp_logs", "/v1/logs", logs, _gzip, _OTLP, "logs", 8192),
        Sender("otlp_traces", "/v1/traces", spans, _gzip, _OTLP, "spans", 8192),
        Sender("otlp_metrics", "/v1/metrics", points, _gzip, _OTLP, size=8000),
        Sender("remote_write", "/api/v1/write", remote_write, _snappy, {**_PROMETHEUS, **_V1}),
        Sender("remote_write_v2", "/api/v1/write", remote_write_v2, _snappy, {**_PROMETHEUS, **_V2}),
        Sender(
            "exposition", "/v1/exposition", exposition, _zstd, {"Content-Encoding": "zstd"}, varying=_target
        ),
    )
}
HISTOGRAMS = Sender("otlp_metrics", "/v1/metrics", histograms, _gzip, _OTLP, size=8000)
