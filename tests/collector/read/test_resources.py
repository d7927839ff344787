"""What metrics say of services, minute by minute."""

from __future__ import annotations

from itertools import count

import pytest

from collector.query.window import SECOND_NS, Window
from collector.read.resources import Told, minutes
from tests.collector.read.real_store import NOW_NS, at

S = SECOND_NS
# Five whole minutes before the tests' now, which is in the middle of one.
FIRST_S = NOW_NS // S // 60 * 60 - 300
WINDOW = Window(FIRST_S * S, NOW_NS, NOW_NS)
OFFSET_S = FIRST_S - NOW_NS // S


@pytest.fixture
def metric(fill):
    """Store a series of a service with samples at seconds after the window's beginning."""
    known = count(1)

    def store(metric, samples, service="payment", **labels):
        series_id = next(known)
        fill("metric_series", [{"series_id": series_id, "name": metric, "type": "gauge", "unit": "", "temporality": "", "service": service, "env": "demo",
                                "labels": labels, "help": "", "original_name": metric, "first_seen": at(-3600)[:23], "last_seen": at(0)[:23]}])  # fmt: skip
        fill("metric_samples", [{"series_id": series_id, "at": at(OFFSET_S + second)[:23], "value": value, "retention_days": 3000}
                                for second, value in samples])  # fmt: skip

    return store


def found(reader, role, about=""):
    """Give payment's minutes of one role, counted from the window's beginning."""
    values = minutes(reader, WINDOW, "")[Told("", "payment", "demo")][role, about]
    return {(second - FIRST_S) // 60: value for second, value in values.items()}


def test_a_minute_of_nothing_is_not_a_minute_without_samples(reader, metric):
    """A gauge that is 0 is known to be 0; a minute between without a sample is not told."""
    metric("bulkhead_in_use", [(0, 0), (30, 0), (130, 4), (150, 6)], name="pool")

    assert found(reader, "pool_in_use", "pool") == {0: 0, 2: 5}


def test_of_pools_those_are_told_that_may_have_been_full(reader, metric):
    """By what is in use of a limit, or by what is left of it, in the part that is judged; whoever was never near it is left out, with all that is told of it."""
    judged = Window((FIRST_S + 120) * S, NOW_NS, NOW_NS)
    for name, used in (("never", [(0, 20), (200, 12)]), ("full", [(0, 2), (200, 19)])):
        metric("bulkhead_in_use", used, name=name)
        metric("bulkhead_limit", [(0, 20), (200, 20)], name=name)
        metric("bulkhead_rejected_total", [(0, 1), (200, 5)], name=name)
    for name, left in (("roomy", 3), ("spent", 0)):
        metric("resilience4j_bulkhead_available_concurrent_calls", [(200, left)], name=name)
        metric("resilience4j_bulkhead_max_allowed_concurrent_calls", [(200, 10)], name=name)
    metric("cpu", [(200, 0.5)])

    told = minutes(reader, WINDOW, "", judged=judged)[Told("", "payment", "demo")]

    assert {about for _, about in told} == {"", "full", "spent"}
    assert told["pool_in_use", "full"] == {FIRST_S: 2, FIRST_S + 180: 19}
    assert told["pool_rejected", "full"] == {FIRST_S: 0, FIRST_S + 180: 4}
    assert minutes(reader, WINDOW, "demo", {"pool_in_use"}, judged).keys() == {Told("", "payment", "demo")}


def test_a_counter_has_grown_since_its_minute_before(reader, metric):
    """Within the first minute since its first sample, over a hole since the last one, after a restart from nothing; instances are added up."""
    metric(
        "bulkhead_rejected_total",
        [(0, 10), (30, 12), (60, 15), (190, 25), (250, 3)],
        name="pool",
        instance="a",
    )
    metric("bulkhead_rejected_total", [(70, 100), (200, 101)], name="pool", instance="b")

    assert found(reader, "pool_rejected", "pool") == {0: 2, 1: 3, 3: 11, 4: 3}


def test_of_latencies_the_highest_counts_and_gauges_are_added_up(reader, metric):
    """Two instances are as slow as the slower one, and use as much as both."""
    metric("latency", [(0, 10), (20, 30)], instance="a")
    metric("latency", [(10, 50), (70, 5)], instance="b")
    metric("cpu", [(0, 0.25)], instance="a")
    metric("cpu", [(10, 0.5)], instance="b")

    assert found(reader, "column_latency") == {0: 50, 1: 5}
    assert found(reader, "column_cpu") == {0: 0.75}


def test_samples_of_a_label_count_for_the_metric_that_asks_for_it(reader, metric):
    """Connections that are idle are not in use."""
    metric(
        "db_client_connection_count",
        [(0, 7)],
        db_client_connection_pool_name="pg",
        db_client_connection_state="used",
    )
    metric(
        "db_client_connection_count",
        [(0, 3)],
        db_client_connection_pool_name="pg",
        db_client_connection_state="idle",
    )

    assert found(reader, "pool_in_use", "pg") == {0: 7}
