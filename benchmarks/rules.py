"""Rules as a platform team has them: twenty shapes, each written for many metrics, services and zones; and samples that they are about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime

from collector.store.client import Store

# Gauges `load_0` … of each service; a service's value is its number, so that `< 20` holds for twenty of them.
METRICS = 100
ZONES = 10
_CODES = ("200", "404", "500")
_BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf")

# Those of the first ten fire for {each} services, the others find nothing wrong. {k} and {j} are metrics, {s} a service, {z} a zone.
SHAPES: Mapping[str, str] = {
    "gauge": "load_{k} < {each}",
    "average over time": "avg by (service_name) (avg_over_time(load_{k}[5m])) < {each}",
    "highest over time": "max_over_time(load_{k}[10m]) < {each}",
    "offset": "min by (service_name) (load_{k} offset 5m) < {each}",
    "sum without": "sum without (zone) (load_{k}) < {each}",
    "and": "load_{k} < {each} and on (service_name) load_{j} < {each}",
    "two gauges": "(load_{k} + load_{j}) / 2 < {each}",
    "unless": "load_{k} < {each} unless on (service_name) load_{j} > 1000",
    "quantile over time": "quantile_over_time(0.9, load_{k}[5m]) < {each}",
    "clamped": "clamp_max(load_{k}, 50) < {each}",
    "error ratio": 'sum by (service_name) (rate(requests_total{{code=~"5..",zone="{z}"}}[5m])) / sum by (service_name) (rate(requests_total{{zone="{z}"}}[5m])) > 0.5',
    "increase": 'sum by (service_name, code) (increase(requests_total{{code="500",service_name="service-{s}"}}[10m])) > 1e6',
    "quantile by service": 'histogram_quantile(0.99, sum by (le, service_name) (rate(latency_bucket{{zone="{z}"}}[5m]))) > 100',
    "quantile of one": 'histogram_quantile(0.9, sum by (le) (rate(latency_bucket{{service_name="service-{s}"}}[5m]))) > 100',
    "absent": 'absent(load_{k}{{service_name="service-{s}"}})',
    "absent over time": 'absent_over_time(requests_total{{service_name="service-{s}"}}[10m])',
    "changes": 'changes(load_{k}{{zone="{z}"}}[10m]) > 5',
    "prediction": 'predict_linear(load_{k}{{zone="{z}"}}[10m], 14400) > 1e9',
    "share that is down": "count by (zone) (load_{k} < 0) / count by (zone) (load_{k}) > 0.5",
    "recorded": 'sum by (service_name) (rate(requests_total{{zone="{z}"}}[5m]))',
}
FIRING = 10
# What is not evaluated here: one rule in a hundred.
BY_STATEMENT = 'max_over_time(sum by (zone) (rate(requests_total{{zone="{z}"}}[1m]))[5m:1m]) > 1e9'
_ONE_IN = 100


def rules(count: int, alerts: int) -> Iterator[dict[str, object]]:
    """Give *count* rules that have *alerts* alerts together."""
    shapes = list(SHAPES.items())
    firing = sum(1 for number in range(count) if _shape(number) in range(FIRING))
    for number in range(count):
        shape = _shape(number)
        name, text = shapes[shape] if shape is not None else ("subquery", BY_STATEMENT)
        expr = expression(text, number // len(shapes), max(1, alerts // max(1, firing)))
        if name == "recorded":
            yield {"record": f"zone:requests:rate5m_{number}", "expr": expr}
            continue
        yield {
            "alert": f"{name.title().replace(' ', '')}{number}",
            "expr": expr,
            "labels": {"severity": "ticket"},
            "annotations": {"summary": "{{ $labels.service_name }}: {{ $value | humanize }}"},
            **({"for": "1m"} if number % 7 == 0 else {}),
        }


def _shape(number: int) -> int | None:
    return None if number % _ONE_IN == _ONE_IN - 1 else number % len(SHAPES)


def expression(text: str, number: int, each: int) -> str:
    """Write the *number*th expression of a shape."""
    return text.format(
        k=number % METRICS, j=(number + 7) % METRICS, s=number % 100, z=f"z{number % ZONES}", each=each
    )


def groups(count: int, alerts: int) -> list[dict[str, object]]:
    """Give them in groups of twenty, evaluated every 15 s."""
    made = rules(count, alerts)
    return [
        {"name": f"g{number}", "interval": "15s", "rules": some}
        for number, some in enumerate(iter(lambda: list(itertools.islice(made, 20)), []))
    ]


_SERIES = """INSERT INTO metric_series (series_id, name, type, service, env, labels, first_seen, last_seen)
SELECT id, {name}, 'gauge', 'service-' || toString(place), 'prod',
    mapUpdate(map('service_name', 'service-' || toString(place), 'zone', 'z' || toString(place % {zones})), {labels}),
    toDateTime64('{at}', 3, 'UTC') - 600, toDateTime64('{at}', 3, 'UTC')
FROM (SELECT number + {first} AS id, intDiv(number, {per}) AS place, number % {per} AS kind FROM numbers({per} * {services}))"""
_SAMPLES = """INSERT INTO metric_samples (series_id, at, value, retention_days)
SELECT id, toDateTime64('{at}', 3, 'UTC') - 15 * ago, {value}, 3000
FROM (SELECT intDiv(number, 40) + {first} AS id, number % 40 AS ago, intDiv(intDiv(number, 40), {per}) AS place, intDiv(number, 40) % {per} AS kind
    FROM numbers(40 * {per} * {services}))"""


def fill(store: Store, services: int, now: datetime) -> None:
    """Write ten minutes of samples every 15 s: gauges, counters by status, a histogram."""
    first = 1
    for per, name, labels, value in (
        (METRICS, "'load_' || toString(kind)", "CAST(map(), 'Map(String, String)')", "place"),
        (len(_CODES), "'requests_total'", f"map('code', {list(_CODES)}[kind + 1])", "(40 - ago) * (100 - 40 * kind)"),
        (len(_BOUNDS), "'latency_bucket'", f"map('le', {list(_BOUNDS)}[kind + 1])", "(40 - ago) * (kind + 1) * (place + 1)"),
    ):  # fmt: skip
        places = {"at": f"{now:%Y-%m-%d %H:%M:%S}", "first": first, "per": per, "services": services, "zones": ZONES}  # fmt: skip
        store.command(_SERIES.format(name=name, labels=labels, **places))
        store.command(_SAMPLES.format(value=value, **places))
        first += per * services
