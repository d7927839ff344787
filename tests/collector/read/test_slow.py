"""The share of calls beyond a threshold, against the calls themselves."""

from __future__ import annotations

import pytest

from collector.query.window import SECOND_NS, Window
from collector.read.slow import slow
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, at, store

__all__ = ["store"]

# (what a call takes in ms, by its number; thresholds in ms)
SHAPES = {
    "bell": ("exp(4 + 1.5 * ((number * 7919 % 10007) / 10007 + (number * 104729 % 10007) / 10007 - 1))", (20, 55, 80, 150)),
    "two peaks": ("if(number % 100 < 3, 500. + (number * 7919 % 1009) / 150, 100. + (number * 7919 % 1009) / 92)", (50, 105, 111, 300, 499, 506, 900)),
    "a tail": ("if(number % 1000 < 2, 5000., 10. + number % 100)", (5, 60, 109, 111, 1000, 4999)),
    "one value": ("100.", (99, 101)),
}  # fmt: skip
CALLS = 20_000


@pytest.mark.parametrize("shape", SHAPES)
def test_the_share_of_slow_calls_is_right_to_a_hundredth(store, shape):
    """Merged from the digests of twenty minutes and two routes, below, between and beyond what calls take."""
    ms, thresholds = SHAPES[shape]
    store.command("TRUNCATE TABLE service_minutes")
    store.command(
        "INSERT INTO service_minutes (minute, service, env, kind, route, calls, retention_days, duration_ns) "
        f"SELECT toDateTime('{at(-60)[:19]}', 'UTC') - 60 * (number % 20) AS minute, 'checkout', 'prod', 'server', toString(number % 2) AS route, count(), 3000, "
        f"quantilesTDigestState(0.5, 0.95, 0.99)(({ms}) * 1e6) FROM numbers({CALLS}) GROUP BY minute, route"
    )
    window = Window(NOW_NS - 3600 * SECOND_NS, NOW_NS, NOW_NS)

    for threshold in thresholds:
        (truth,) = store.query(f"SELECT avg(({ms}) > {threshold}) AS share FROM numbers({CALLS})").rows
        told = slow(Reader(store), window, threshold / 1000)["checkout", "prod"]

        assert told["calls"] == CALLS
        assert told["slow_ratio"] == pytest.approx(truth["share"], abs=0.01), threshold
    store.command("TRUNCATE TABLE service_minutes")


def test_nobody_called_is_no_share(store):
    """A service without calls in the window is not there."""
    assert slow(Reader(store), Window(NOW_NS - SECOND_NS, NOW_NS, NOW_NS), 0.3) == {}
