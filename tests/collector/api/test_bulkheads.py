"""GET /bulkheads on the real engine: samples of many libraries, one answer."""

import itertools
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import exc
from sqlalchemy.pool import QueuePool

from collector.api.answer import Page
from collector.api.v1.bulkheads import Bulkhead
from tests.collector.read.real_store import at

EXPOSITIONS = Path(__file__).parent / "bulkheads"
_IDS = itertools.count(1)


@pytest.fixture
def gauge(fill):
    """Store a series with its samples, newest last, *step_s* apart, the last one *ago_s* before now."""

    def store(name, values, *, labels, service="checkout", ago_s=10, step_s=60):
        series_id = next(_IDS)
        times = [-ago_s - step_s * back for back in range(len(values))][::-1]
        fill("metric_series", [{"series_id": series_id, "name": name, "type": "gauge", "unit": "", "temporality": "", "service": service, "env": "demo",
                                "labels": labels, "first_seen": at(times[0])[:23], "last_seen": at(times[-1])[:23]}])  # fmt: skip
        fill("metric_samples", [{"series_id": series_id, "at": at(time)[:23], "value": value, "retention_days": 3000} for time, value in zip(times, values, strict=True)])  # fmt: skip

    return store


@pytest.fixture
def asked(client):
    """The documented rows by bulkhead."""

    def ask(**params):
        answer = client.get("/api/v1/bulkheads", params=params)
        assert answer.status_code == 200, answer.text
        return {row.bulkhead: row for row in Page[Bulkhead].model_validate(answer.json()).data}

    return ask


@pytest.mark.parametrize("path", sorted(EXPOSITIONS.glob("*.prom")), ids=lambda path: path.stem)
def test_each_library_is_understood_as_it_exposes_itself(gauge, asked, path):
    """A file per library: what it is, the bulkhead's name and kind, and the numbers that its samples tell; those nobody tells are null."""
    head = dict(line[2:].split(": ", 1) for line in path.read_text().splitlines()[:4])
    looks = [list(text_string_to_metric_families(look + "\n")) for look in path.read_text().split("# look\n")]
    samples = defaultdict(list)
    for sample in (sample for look in looks for family in look for sample in family.samples):
        samples[sample.name, tuple(sample.labels.items())].append(sample.value)
    for (name, labels), values in samples.items():
        gauge(name, values, labels=dict(labels))

    row = asked()[head["bulkhead"]]

    told = {name: float(value) for name, value in (pair.split("=") for pair in head["told"].split())}
    numbers = ("in_use", "limit", "queued", "rejected_1h", "saturation")
    assert {name: getattr(row, name) for name in numbers if getattr(row, name) is not None} == told
    assert row.kind == head["kind"]


def test_a_pool_of_sqlalchemy_tells_of_itself(gauge, asked):
    """The real pool behind three gauges: two connections of five are out, then all, and one waits in vain."""
    pool = QueuePool(lambda: sqlite3.connect(":memory:"), pool_size=3, max_overflow=2, timeout=0.01)
    numbers = {
        "sqlalchemy_pool_checked_out": pool.checkedout,
        "sqlalchemy_pool_size": lambda: pool.size() + pool._max_overflow,
    }
    held = [pool.connect() for _ in range(2)]
    first = {name: [number()] for name, number in numbers.items()}
    held += [pool.connect() for _ in range(3)]
    with pytest.raises(exc.TimeoutError):
        pool.connect()
    for name, number in numbers.items():
        gauge(name, [*first[name], number()], labels={"pool": "orders"})

    row = asked()["orders"]
    for connection in held:
        connection.close()
    pool.dispose()

    assert (row.in_use, row.limit, row.saturation, row.full_in_s) == (5, 5, 1, 0)


def test_resilience4j_tells_what_is_left(gauge, asked):
    """In use is the limit less what is available; what was turned away within the hour counts, across a restart too."""
    name = {"name": "payment", "instance": "c1"}
    gauge("resilience4j_bulkhead_max_allowed_concurrent_calls", [25], labels=name)
    gauge("resilience4j_bulkhead_available_concurrent_calls", [5], labels=name)
    gauge("resilience4j_bulkhead_queue_depth", [3], labels=name)
    gauge("resilience4j_bulkhead_rejected_calls_total", [100, 110, 4, 7], labels=name, step_s=600)

    row = asked()["payment"]

    assert (row.in_use, row.limit, row.queued, row.saturation) == (20, 25, 3, 0.8)
    assert (row.rejected_1h, row.instance, row.kind) == (17, "c1", "semaphore")


def test_a_pool_that_fills_says_when_it_is_full(gauge, asked):
    """At the trend of ten minutes; one that empties, or is full, says so."""
    for pool, values in {
        "fills": [10, 12, 14, 16, 18, 20],
        "empties": [9, 7, 5, 3, 2, 1],
        "full": [40] * 6,
    }.items():
        gauge("hikaricp_connections_max", [40], labels={"pool": pool})
        gauge("hikaricp_connections_active", values, labels={"pool": pool})

    rows = asked()

    assert list(rows) == ["full", "fills", "empties"]
    assert rows["fills"].full_in_s == pytest.approx(600, abs=1)
    assert (rows["empties"].full_in_s, rows["full"].full_in_s) == (None, 0)


def test_opentelemetrys_pools_count_by_state(gauge, asked):
    """Only connections in use are in use."""
    pool = {"db_client_connection_pool_name": "orders"}
    gauge("db_client_connection_count", [6], labels={**pool, "db_client_connection_state": "used"})
    gauge("db_client_connection_count", [4], labels={**pool, "db_client_connection_state": "idle"})
    gauge("db_client_connection_max", [10], labels=pool)

    row = asked()["orders"]

    assert (row.in_use, row.limit, row.kind) == (6, 10, "connections")


def test_instances_are_apart_and_services_can_be_chosen(gauge, client):
    """One row per instance; another service's are left out."""
    for instance in ("a", "b"):
        gauge("bulkhead_in_use", [1], labels={"name": "x", "instance": instance})
    gauge("bulkhead_in_use", [1], labels={"name": "y"}, service="cart")

    rows = client.get("/api/v1/bulkheads", params={"service": "checkout"}).json()["data"]

    assert [(row["bulkhead"], row["instance"], row["saturation"]) for row in rows] == [
        ("x", "a", None),
        ("x", "b", None),
    ]


def test_old_samples_nan_and_nameless_ones_are_no_bulkhead(gauge, asked):
    """What was not heard of for three minutes is not the present."""
    gauge("bulkhead_in_use", [1], labels={"name": "old"}, ago_s=300)
    gauge("bulkhead_in_use", [1], labels={"other": "x"})

    assert asked() == {}
