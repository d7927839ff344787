"""The customers' plan."""

from __future__ import annotations

import itertools

from demo.load import Journey, plan


def _first(count: int, seed: int, rate: float = 10) -> list[Journey]:
    return list(itertools.islice(plan(seed, rate), count))


def test_the_same_seed_makes_the_same_journeys() -> None:
    """Times, users, clients, products, cards and think times are all the same."""
    assert _first(500, seed=3) == _first(500, seed=3)


def test_another_seed_makes_other_journeys() -> None:
    """The seed decides."""
    assert _first(20, seed=3) != _first(20, seed=4)


def test_the_plan_keeps_the_rate() -> None:
    """Over many journeys the requests per second are within 5 % of what was asked for."""
    journeys = _first(3000, seed=1, rate=10)

    requests = sum(len(journey.steps) for journey in journeys)
    assert abs(requests / journeys[-1].begins_s - 10) < 0.5


def test_only_the_old_client_calls_the_old_cart_and_rarely() -> None:
    """GET /v1/cart comes from one client version, in a few percent of the carts looked at."""
    journeys = _first(3000, seed=1)

    carts = [
        (j.client, step.path[:3])
        for j in journeys
        for step in j.steps
        if "/cart/" in step.path and not step.body
    ]
    old = [client for client, version in carts if version == "/v1"]
    assert set(old) == {"shop-app/1.9.2"}
    assert 0.01 < len(old) / len(carts) < 0.06


def test_a_quarter_of_the_requests_are_orders() -> None:
    """So that five failures in a row take about two seconds at the default rate."""
    steps = [step for journey in _first(2000, seed=1) for step in journey.steps]

    assert 0.2 < sum(step.path == "/v2/orders" for step in steps) / len(steps) < 0.3
