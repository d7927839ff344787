"""Objectives that the catalogue names, and how fast their budgets burn."""

from __future__ import annotations

import pytest

from collector.health.objectives import Burn, burns, objective
from collector.query.window import SECOND_NS, Window
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Filler, span, store

__all__ = ["store"]

WINDOW = Window(NOW_NS - 3600 * SECOND_NS, NOW_NS, NOW_NS)


@pytest.fixture
def traffic(store):
    """Store a call of payment every ten seconds, of which every *nth* fails, from *first_s* to *last_s*."""
    filler = Filler(store)

    def fill(first_s, last_s, nth):
        filler("spans", [span(second, "payment", "POST /pay", status="error" if nth and place % nth == 0 else "ok")
                         for place, second in enumerate(range(first_s, last_s, 10))])  # fmt: skip

    yield fill
    filler.empty()


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("99.9 % of requests, 300 ms", 0.999),
        ("p95 < 300 ms for 99.95%", 0.9995),
        ("99,9 %", None),
        ("100 % of requests", None),
        ("10 % slower than last year, 99 % ok", 0.99),
        ("fast", None),
        ("999.9 %", None),
        ("", None),
    ],
)
def test_the_share_that_a_text_promises(text, share):
    """The first percentage that can be an objective; whatever else people write is none."""
    assert objective(text) == share


def test_a_budget_burns_while_both_windows_say_so(store, traffic):
    """One call in ten fails for an hour: a hundred times what 99.9 % allows, twice what 95 % does; another service's objective is its own."""
    traffic(-3590, -5, 10)

    def found(text):
        return burns(Reader(store), WINDOW, "", {"payment": text, "cart": "99.9 %"})

    assert found("99.9 %") == {("payment", "demo"): Burn(0.999, pytest.approx(100, rel=0.1), 14.4, 1)}
    assert found("95 %") == {}
    assert found("no objective") == {}


def test_what_is_over_burns_no_more(store, traffic):
    """Hours were bad, the last half hour was not: nothing to do."""
    traffic(-7200, -2000, 4)
    traffic(-1990, -5, 0)

    assert burns(Reader(store), WINDOW, "", {"payment": "99.9 %"}) == {}


def test_a_slow_burn_is_told_by_six_hours(store, traffic):
    """A budget that lasts four days is found, though no hour of it is an alarm."""
    traffic(-21_500, -5, 125)

    assert burns(Reader(store), WINDOW, "", {"payment": "99.9 %"})[("payment", "demo")].hours == 6
