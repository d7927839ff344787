"""Delivery over a shared PostgreSQL: the same statements, the same answers as on SQLite."""

from __future__ import annotations

from datetime import timedelta

import pytest

from collector.alerting import standing
from collector.alerting.deliveries import Wanted
from tests.collector.alerting.conftest import START, Breaker
from tests.postgres import MISSING, postgres

pytestmark = pytest.mark.skipif(MISSING, reason="PostgreSQL is not installed")


@pytest.fixture
def state_url():
    """Give the URL of a PostgreSQL of the test's own, in place of a file's."""
    with postgres() as running:
        yield running.url


def test_delivery_does_the_same_on_postgresql(start, receiving, breakers, clock):
    """Batches, retries, the breaker, a test, filters, attempts, noise and expiry."""
    alerting = start()
    receiving.answer(*[500] * 24)
    breakers.now = [Breaker(breaker=f"b{n}", since=START - timedelta(minutes=1)) for n in range(20)]
    alerting.round()
    for _ in range(60):
        alerting.deliver_due()
        clock.forward(3)
    (row,) = alerting.sent.receivers()
    tested = alerting.sent.test("pager")
    again = start()
    again.deliver_due()

    told = again.sent.find(Wanted(type="alert.firing", since=START, limit=50))
    assert {one["status"] for one in told} == {"delivered"}
    assert len(told) == 20
    assert max(len(one["attempt_log"]) for one in told) > 1
    assert tested["delivered"]
    assert row["last_error"] == "answered 500"
    assert again.noise(START, START + timedelta(days=1), 5)[0]["fired"] == 20
    with again._state.read() as tx:
        assert standing.read(tx, "pager").breaker(clock.at) == "closed"
    clock.forward(100 * 86_400)
    again.round()
    assert again.deliveries() == []
