"""Requests of remote_write 1.0 become series, samples and exemplars."""

from __future__ import annotations

from collector.journal.envelope import Head
from tests.collector.formats.write_requests import BUCKETS, JOINED, STALE, Request, add_series, fill_histogram


def load(warehouse, now_ns, request, **head) -> list[dict]:
    """Load one request; its samples beside their series."""
    warehouse.load("remote_write", (Head("b", now_ns, **head), request.SerializeToString()))
    return warehouse.rows(JOINED)


def test_samples_keep_their_time_value_and_labels(warehouse, now_ns):
    """Milliseconds, several samples of a series, and every label but the name."""
    ms = now_ns // 10**6
    request = Request()
    series = add_series(request, "http_requests_total", job="shop", instance="i:1", code="200")
    series.samples.add(value=1.5, timestamp=ms - 15_000)
    series.samples.add(value=2.5, timestamp=ms)

    first, second = load(warehouse, now_ns, request)

    assert (first["ms"], first["value"], second["ms"], second["value"]) == (ms - 15_000, 1.5, ms, 2.5)
    assert first["labels"] == {"code": "200", "instance": "i:1", "job": "shop"}
    assert (first["name"], first["type"], first["temporality"], first["service"]) == (
        "http_requests_total",
        "counter",
        "cumulative",
        "shop",
    )
    (seen,) = warehouse.rows(
        "SELECT toUnixTimestamp64Milli(last_seen) - toUnixTimestamp64Milli(first_seen) AS ms FROM metric_series"
    )
    assert int(seen["ms"]) == 15_000


def test_the_stale_marker_keeps_its_bits(warehouse, now_ns):
    """It is not just any NaN; neither is any NaN a marker."""
    request = Request()
    series = add_series(request, "up")
    series.samples.add(value=STALE, timestamp=now_ns // 10**6)
    series.samples.add(value=float("nan"), timestamp=now_ns // 10**6 + 1)

    assert [row["bits"] for row in load(warehouse, now_ns, request)] == [
        "7FF0000000000002",
        "7FF8000000000000",
    ]


def test_service_and_env_are_found_among_the_labels(warehouse, now_ns):
    """service_name before service before job, then what the sender said of itself; env by its usual names."""
    request = Request()
    told = {
        "a": {"service_name": "cart", "service": "x", "job": "y", "env": "prod"},
        "b": {"service": "pay", "job": "y", "environment": "dev"},
        "c": {"job": "node", "deployment_environment": "qa"},
        "d": {},
    }
    for name, labels in told.items():
        add_series(request, name, **labels).samples.add(value=1, timestamp=now_ns // 10**6)

    rows = load(
        warehouse, now_ns, request, resource={"service.name": "edge", "deployment.environment": "lab"}
    )

    assert [(row["service"], row["env"]) for row in rows] == [
        ("cart", "prod"),
        ("pay", "dev"),
        ("node", "qa"),
        ("edge", "lab"),
    ]


def test_a_key_writes_as_its_own_services(warehouse, now_ns):
    """What the labels say is overwritten where the key is bound to others; without anything the service is unknown."""
    request = Request()
    add_series(request, "a", job="other", env="prod").samples.add(value=1, timestamp=now_ns // 10**6)
    add_series(request, "b", job="pay", env="dev").samples.add(value=1, timestamp=now_ns // 10**6)

    rows = load(warehouse, now_ns, request, services=["cart", "pay"], envs=["dev"])

    assert [(row["service"], row["env"]) for row in rows] == [("cart", "dev"), ("pay", "dev")]
    warehouse.empty()
    nameless = Request()
    add_series(nameless, "c").samples.add(value=1, timestamp=now_ns // 10**6)
    assert [row["service"] for row in load(warehouse, now_ns, nameless)] == ["unknown_service"]


def test_native_histograms_become_buckets(warehouse, now_ns):
    """Whole and floating counts, spans with gaps, negative buckets and custom bounds; a stale one ends its series."""
    ms = now_ns // 10**6
    request = Request()
    fill_histogram(add_series(request, "whole", job="pay").histograms.add(), ms)
    floating = add_series(request, "floating").histograms.add(count_float=2.5, sum=1, schema=1, timestamp=ms)
    floating.positive_spans.add(offset=0, length=2)
    floating.positive_counts.extend([0.5, 2])
    custom = add_series(request, "custom").histograms.add(
        count_int=4, sum=1, schema=-53, timestamp=ms, custom_values=[0.5, 5]
    )
    custom.positive_spans.add(offset=1, length=2)
    custom.positive_deltas.extend([3, -2])
    add_series(request, "ended").histograms.add(sum=STALE, timestamp=ms)

    rows = load(warehouse, now_ns, request)

    def buckets(name: str) -> dict[str, float]:
        return {row["labels"]["le"]: row["value"] for row in rows if row["name"] == f"{name}_bucket"}

    assert buckets("whole") == BUCKETS
    assert buckets("floating") == {"0": 0, "1": 0.5, "1.4142135623730951": 2.5, "+Inf": 2.5}
    assert buckets("custom") == {"5": 3, "+Inf": 4}
    assert {row["name"]: row["value"] for row in rows if row["name"] in {"whole_sum", "whole_count"}} == {
        "whole_sum": 3.5,
        "whole_count": 10,
    }
    assert {row["bits"] for row in rows if row["name"].startswith("ended")} == {"7FF0000000000002"}
    assert {(row["type"], row["temporality"]) for row in rows} == {("histogram", "cumulative")}


def test_metadata_is_a_family_of_its_own(warehouse, now_ns):
    """With type, help and unit, beside series or alone; it has neither labels nor samples."""
    request = Request()
    add_series(request, "up", job="shop", env="prod").samples.add(value=1, timestamp=now_ns // 10**6)
    request.metadata.add(type=2, metric_family_name="up", help="Is it up?")
    request.metadata.add(type=1, metric_family_name="bytes_total", help="Sent", unit="bytes")
    alone = Request()
    alone.metadata.add(type=3, metric_family_name="latency")
    warehouse.load(
        "remote_write",
        *[(Head(f"b{n}", now_ns), part.SerializeToString()) for n, part in enumerate([request, alone])],
    )

    rows = warehouse.rows(
        "SELECT name, type, help, unit, labels, service FROM metric_series WHERE empty(labels) ORDER BY name"
    )

    assert [(row["name"], row["type"], row["help"], row["unit"]) for row in rows] == [
        ("bytes_total", "counter", "Sent", "bytes"), ("latency", "histogram", "", ""), ("up", "gauge", "Is it up?", ""),
    ]  # fmt: skip
    assert len(warehouse.rows(JOINED)) == 1


def test_exemplars_point_into_their_trace(warehouse, now_ns):
    """Whatever the trace's label is called; with a native histogram the exemplar lies in its bucket."""
    ms = now_ns // 10**6
    request = Request()
    classic = add_series(request, "lat_bucket", le="1")
    classic.samples.add(value=3, timestamp=ms)
    exemplar = classic.exemplars.add(value=0.7, timestamp=ms - 5)
    for name, value in {"traceID": "AB", "span_id": "CD", "user": "u"}.items():
        exemplar.labels.add(name=name, value=value)
    native = add_series(request, "size")
    fill_histogram(native.histograms.add(), ms)
    native.exemplars.add(value=3, timestamp=ms)
    warehouse.load("remote_write", (Head("b", now_ns), request.SerializeToString()))

    rows = warehouse.rows(
        "SELECT name, m.labels['le'] AS le, e.labels AS labels, trace_id, span_id, value, toUnixTimestamp64Milli(at) AS ms "
        "FROM exemplars e JOIN metric_series m USING series_id ORDER BY name"
    )

    assert rows[0] == {
        "name": "lat_bucket",
        "le": "1",
        "labels": {"user": "u"},
        "trace_id": "ab",
        "span_id": "cd",
        "value": 0.7,
        "ms": ms - 5,
    }
    assert (rows[1]["name"], rows[1]["le"]) == ("size_bucket", "4")


def test_times_beyond_belief_become_the_time_of_receipt(warehouse, now_ns):
    """Older than the retention or ten minutes ahead."""
    ms = now_ns // 10**6
    request = Request()
    series = add_series(request, "up")
    for at in (5, ms - 29 * 86_400_000, ms + 3_600_000):
        series.samples.add(value=1, timestamp=at)

    assert [row["ms"] for row in load(warehouse, now_ns, request)] == [ms - 29 * 86_400_000, ms, ms]
