"""GET /hot: what presses a service and what would help, on the real engine."""

from __future__ import annotations

import itertools

import pytest

from collector.api.answer import Page
from collector.api.v1.hot import HotService
from tests.collector.read.real_store import at, span

_IDS = itertools.count(900_000)


@pytest.fixture
def sample(fill):
    """Store a series with its samples, newest last, a minute apart."""

    def store(service, name, values, **labels):
        series_id = next(_IDS)
        times = [-10 - 60 * back for back in range(len(values))][::-1]
        fill("metric_series", [{"series_id": series_id, "name": name, "type": "gauge", "unit": "", "temporality": "", "service": service, "env": "demo",
                                "labels": labels, "first_seen": at(times[0])[:23], "last_seen": at(times[-1])[:23]}])  # fmt: skip
        fill("metric_samples", [{"series_id": series_id, "at": at(time)[:23], "value": value, "retention_days": 3000} for time, value in zip(times, values, strict=True)])  # fmt: skip

    return store


@pytest.fixture
def container(sample):
    """A service's containers: cores in use of a limit each, and periods of ten in which it was held back."""

    def store(service, cores, limit=1.0, throttled=0, instances=1):
        for number in range(instances):
            labels = {"instance": str(number)}
            sample(
                service,
                "container_cpu_usage_seconds_total",
                [100 + 60 * cores * minute for minute in range(6)],
                **labels,
            )
            sample(service, "container_spec_cpu_limit_cores", [limit] * 6, **labels)
            sample(
                service, "container_cpu_cfs_periods_total", [600 * minute for minute in range(6)], **labels
            )
            sample(
                service,
                "container_cpu_cfs_throttled_periods_total",
                [60 * throttled * minute for minute in range(6)],
                **labels,
            )

    return store


@pytest.fixture
def asked(client):
    """The documented rows, the hottest first."""

    def ask(**params):
        answer = client.get("/api/v1/hot", params=params)
        assert answer.status_code == 200, answer.text
        return Page[HotService].model_validate(answer.json()).data

    return ask


def calls(service, per_minute, took_ms=lambda _: 10, minutes=30):
    """Calls of a service, *per_minute* a function of the minute."""
    return [
        span(
            -60 * minute - 20 + number / 100,
            service,
            "GET /",
            duration_ns=int(took_ms(per_minute(minute)) * 1e6),
        )
        for minute in range(1, minutes + 1)
        for number in range(per_minute(minute))
    ]


def test_a_service_at_its_limit_comes_first_with_what_to_do(container, fill, asked):
    """Instances added up; its share of all CPU and of all calls."""
    fill("spans", [*calls("cart", lambda _: 3), *calls("web", lambda _: 9)])
    container("cart", 0.95, instances=2, throttled=3)
    container("web", 0.1)

    cart, web = asked()

    assert (cart.service, cart.pressed, cart.instances) == ("cart", True, 2)
    assert (cart.cpu_cores, cart.cpu_limit_cores, cart.cpu_saturation) == (
        pytest.approx(1.9),
        2,
        pytest.approx(0.95),
    )
    assert cart.throttled_ratio == pytest.approx(0.3)
    assert [each.code for each in cart.evidence] == ["throttled", "cpu"]
    assert cart.recommendation.startswith("Give it more CPU, or another instance")
    assert (cart.throughput_share, cart.cost_share) == (pytest.approx(0.25, rel=0.1), pytest.approx(0.95))
    assert (web.evidence, web.recommendation) == ([], "Nothing presses it: it needs no more than it has.")


def test_calls_that_slow_down_with_load_press(fill, asked):
    """And without CPU to blame, waiting is."""
    load = lambda minute: 2 if minute % 2 else 12  # noqa: E731 - a function of the minute
    fill("spans", [*calls("stock", load, took_ms=lambda calls: 5 * calls), *calls("even", load)])

    stock, even = asked()

    assert (stock.service, [each.code for each in stock.evidence]) == ("stock", ["slower_with_load"])
    assert stock.recommendation.startswith("Measure its CPU, then decide")
    assert (even.evidence, even.cost_share) == ([], pytest.approx(10 / 66, abs=0.1))


def test_a_full_bulkhead_and_a_growing_queue_press_who_they_belong_to(sample, fill, asked):
    """The pool its holder, the queue its consumer."""
    sample("checkout", "hikaricp_connections_max", [10] * 6, pool="orders")
    sample("checkout", "hikaricp_connections_active", [10] * 6, pool="orders")
    fill(
        "spans",
        [
            span(
                -100,
                "mailer",
                "process",
                kind="consumer",
                attributes={"messaging.system": "rabbitmq", "messaging.destination.name": "mails"},
            )
        ],
    )
    sample("rabbit", "rabbitmq_queue_messages_ready", [100, 300, 500, 700, 900], queue="mails")

    rows = {row.service: row for row in asked()}

    assert [each.code for each in rows["checkout"].evidence] == ["bulkhead"]
    assert [each.code for each in rows["mailer"].evidence] == ["queue"]
    assert rows["mailer"].recommendation.startswith("Add consumers")
    assert rows["rabbit"].evidence == [] if "rabbit" in rows else True


def test_kubernetes_quota_is_a_limit_and_a_restart_is_no_use(sample, asked):
    """By cAdvisor's names; a counter that begins anew."""
    sample("cart", "container_cpu_usage_seconds_total", [100, 130, 160, 10, 40, 70])
    sample("cart", "container_spec_cpu_quota", [100_000] * 6)
    sample("cart", "container_spec_cpu_period", [100_000] * 6)

    (cart,) = asked()

    assert (cart.cpu_limit_cores, cart.cpu_cores) == (1, pytest.approx(130 / 300, abs=1e-4))


def test_nothing_is_no_error(asked):
    """An empty system has no hot services."""
    assert asked() == []


@pytest.mark.parametrize("params", [{"limit": 0}, {"by": "cpu"}, {"start": "x"}])
def test_wrong_parameters_are_refused(client, params):
    """By name."""
    refused = client.get("/api/v1/hot", params=params)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(params)))
