"""GET /services: verdicts from latency, metrics and deploys, on the real engine."""

import pytest

from collector.health.facts import board
from collector.query.window import SECOND_NS, Window
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, at, span

NOW = 0
DAY_S = 86_400


@pytest.fixture
def traffic(fill):
    """Store requests of payment, six a minute, from *first_s* to *last_s*."""

    def store(first_s, last_s, ms=20, **fields):
        fill(
            "spans",
            [
                span(
                    second,
                    "payment",
                    "POST /pay",
                    duration_ns=int(ms * 1e6),
                    attributes={"http.route": "/pay"},
                    **fields,
                )
                for second in range(first_s, last_s, 10)
            ],
        )

    return store


@pytest.fixture
def metric(fill):
    """Store a metric of payment, a sample a minute from an hour ago."""
    known = iter(range(1, 100))

    def store(name, values, kind="gauge"):
        series_id = next(known)
        labels = {"instance": "payment-0", "pool": "main"}
        fill("metric_series", [{"series_id": series_id, "name": name, "type": kind, "unit": "", "temporality": "", "service": "payment", "env": "demo",
                                "labels": labels, "help": "", "original_name": name, "first_seen": at(-3600)[:23], "last_seen": at(-30)[:23]}])  # fmt: skip
        fill("metric_samples", [{"series_id": series_id, "at": at(-3600 + 60 * place + 20)[:23], "value": value, "retention_days": 3000}
                                for place, value in enumerate(values)])  # fmt: skip

    return store


@pytest.fixture
def verdict(client):
    """Ask for payment's health, and the codes of the evidence."""

    def ask():
        answer = client.get("/api/v1/services")
        assert answer.status_code == 200, answer.text
        row = next(row for row in answer.json()["data"] if row["service"] == "payment")
        return row["health"], {each["code"]: each for each in row["reasons"]}

    return ask


def test_a_service_that_takes_longer_than_usual_is_degraded(traffic, verdict):
    """Against the hour before; the evidence has both numbers."""
    traffic(-3600, -300)
    traffic(-300, NOW, ms=200)

    health, reasons = verdict()

    assert health == "degraded"
    assert reasons["latency"]["value"] == pytest.approx(200)
    assert reasons["latency"]["threshold"] == pytest.approx(20)


@pytest.mark.parametrize("days", [1, 7])
def test_what_is_as_slow_at_this_time_of_other_days_is_usual(traffic, verdict, days):
    """A batch that runs every night, or every week, wakes nobody."""
    traffic(-3600, -300)
    traffic(-300, NOW, ms=200)
    traffic(-DAY_S * days - 600, -DAY_S * days + 600, ms=190)

    assert verdict() == ("healthy", {})


@pytest.mark.parametrize(
    ("code", "metrics"),
    [
        ("restarts", {"kube_pod_container_status_restarts_total": [2] * 57 + [3] * 3}),
        ("oom", {"container_oom_events_total": [0] * 57 + [1] * 3}),
        ("throttling", {"container_cpu_cfs_periods_total": range(0, 36_000, 600), "container_cpu_cfs_throttled_periods_total": [0] * 55 + [300, 600, 900, 1200, 1500]}),
        ("memory", {"container_memory_working_set_bytes": [2e8] * 55 + [4.8e8] * 5, "container_spec_memory_limit_bytes": [5e8] * 60}),
        ("saturation", {"hikaricp_connections_active": [2] * 55 + [10] * 5, "hikaricp_connections_max": [10] * 60, "hikaricp_connections_pending": [0] * 55 + [6] * 5}),
    ],
)  # fmt: skip
def test_what_metrics_say_of_its_container_and_pools_counts(traffic, metric, verdict, code, metrics):
    """Each degrades: enough to look at, no outage by itself."""
    traffic(-3600, NOW)
    for name, values in metrics.items():
        metric(name, values)

    health, reasons = verdict()

    assert (health, set(reasons)) == ("degraded", {code})


def test_a_version_that_began_shortly_before_is_named_beside_other_evidence(traffic, verdict):
    """By itself a deploy is nothing wrong."""
    traffic(-3600, -300, resource={"service.version": "1"})
    traffic(-300, NOW, resource={"service.version": "2"})
    well = verdict()
    traffic(-300, NOW, ms=900, resource={"service.version": "2"})

    health, reasons = verdict()

    assert well == ("healthy", {})
    assert health == "degraded"
    assert "version 2 " in reasons["deploy"]["message"]


def test_a_service_that_seldom_speaks_is_not_silent_for_saying_nothing(fill, verdict):
    """One request a minute, none for two and a half: chance."""
    fill("spans", [span(second, "payment", "POST /pay") for second in range(-900, -140, 60)])

    assert verdict() == ("healthy", {})


def test_nobody_is_silent_whose_records_may_wait_to_be_loaded(traffic, store):
    """After an engine was away, or while it is slow, silence counts up to when the first record arrived that is not loaded yet."""
    traffic(-800, -300)
    window = Window(NOW_NS - 3600 * SECOND_NS, NOW_NS, NOW_NS)

    def reasons(waits_since_s):
        first_ns = None if waits_since_s is None else NOW_NS - waits_since_s * SECOND_NS
        (row,) = board(Reader(store, unloaded_ns=lambda _: first_ns), window, "")
        return [each["code"] for each in row["reasons"]]

    assert [reasons(None), reasons(10), reasons(290)] == [["silent"], ["silent"], []]
