"""Rules of a round that ask together: what they cost, and that none is in another's way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from collector.alerting.kinds.asking import Sources
from collector.alerting.rules import Group
from collector.errors import StoreUnavailable
from collector.read import leaves
from collector.read.sql import Reader
from tests.collector.query.promql.samples import SamplesFiller
from tests.collector.read.real_store import store

__all__ = ["store"]


class Counting:
    """A store that counts statements, and is away when told."""

    def __init__(self, store):
        self._store = store
        self.statements = 0
        self.away = False

    def query(self, *args):
        """Run one."""
        if self.away:
            raise StoreUnavailable("nobody is there")
        self.statements += 1
        return self._store.query(*args)


@pytest.fixture
def counting(store) -> Counting:
    """The store, counted."""
    return Counting(store)


@pytest.fixture
def fill(store) -> Iterator[SamplesFiller]:
    """Insert series; what was inserted is gone after the test."""
    filler = SamplesFiller(store)
    yield filler
    filler.empty()


@pytest.fixture
def go(start, counting, rule_file, clock, receiving, fill):
    """Run one round of these expressions, each a group's; give the rules that fired and what the others say."""
    t = clock.at.timestamp()
    for service in ("cart", "checkout"):
        fill("up", [(t - 30, 1.0), (t - 15, 1.0)], {"service_name": service}, service=service)
        fill("errors_total", [(t - 60 + 15 * n, 30.0 * n) for n in range(4)], {"service_name": service}, service=service)  # fmt: skip

    def run(expressions: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        groups = [
            {"name": name, "query_offset": "0s", "rules": [{"alert": name, "expr": expr}]}
            for name, expr in expressions.items()
        ]
        rule_file.write_text(yaml.safe_dump({"groups": groups}))
        alerting = start(sources=Sources(lambda: Reader(counting)))
        alerting.round()
        alerting.deliver_due()
        fired = [json.loads(request.body)["data"]["labels"] for request in receiving.requests]
        problems = {rule["name"]: rule["last_error"] for rule in alerting.rules() if rule["last_error"]}
        return sorted(f"{one['alertname']} {one.get('service_name', '-')}" for one in fired), problems

    return run


def test_rules_of_a_round_share_their_statements(go, counting):
    """Sixty rules of three windows take a statement for their series and one for each window and time."""
    fired, problems = go(
        {f"Rate{n}": f"sum by (service_name) (rate(errors_total[5m])) > {n}" for n in range(20)}
        | {f"Up{n}": f'up{{service_name="cart"}} + {n} == 20' for n in range(20)}
        | {f"Max{n}": f"max_over_time(errors_total[1m]) > {80 + n}" for n in range(20)}
    )

    assert problems == {}
    assert fired.count("Rate0 cart") == 1
    assert [one for one in fired if one.startswith("Up")] == ["Up19 cart"]
    assert {one.partition(" ")[0] for one in fired if one.startswith("Max")} == {f"Max{n}" for n in range(10)}
    # groups begin at three places of their interval, and two windows are five minutes long
    assert counting.statements <= 1 + 3 * 3


def test_a_pattern_that_the_engine_refuses_is_one_rules_problem(go):
    """The rules beside it are evaluated; it says what is wrong."""
    fired, problems = go({"Bad": 'up{service_name=~"a{1001}"}', "Good": "up == 1", "Well": "up > 5"})

    assert fired == ["Good cart", "Good checkout"]
    assert list(problems) == ["Bad"]
    assert "RE2" in problems["Bad"]


def test_a_selector_of_too_many_series_asks_by_itself(go, monkeypatch):
    """It fires all the same."""
    monkeypatch.setattr(leaves, "SELECTED_LIMIT", 1)

    fired, problems = go({"Wide": "count(up) > 1", "Narrow": 'up{service_name="cart"} == 1'})

    assert fired == ["Narrow cart", "Wide -"]
    assert problems == {}


def test_too_many_series_at_a_time_are_asked_for_in_parts(go, monkeypatch):
    """However few are held at a time, each rule is evaluated."""
    monkeypatch.setattr(leaves, "SERIES_LIMIT", 2)

    fired, problems = go({f"R{n}": "up == 1" if n % 2 else "rate(errors_total[5m]) > 0" for n in range(5)})

    assert len(fired) == 10
    assert problems == {}


def test_what_is_odd_is_told_in_the_statements_words(go):
    """A match that is ambiguous is given up here, and refused there."""
    fired, problems = go({"Odd": "up / on () errors_total", "Good": "up == 1"})

    assert fired == ["Good cart", "Good checkout"]
    assert "duplicate series" in problems["Odd"]


def test_an_engine_that_is_away_is_every_rules_problem(go, counting):
    """Nothing fires, and each says why."""
    counting.away = True

    fired, problems = go({"One": "up == 1", "Two": "absent(up)", "Three": "topk(1, up)"})

    assert fired == []
    assert set(problems) == {"One", "Two", "Three"}
    assert "nobody is there" in problems["One"]


@pytest.mark.parametrize(("interval_s", "places"), [(15.0, 3), (60.0, 12), (5.0, 1), (7.0, 1), (1.0, 1)])
def test_groups_of_an_interval_meet_at_its_places(interval_s, places):
    """They are spread over it, five seconds apart, always in the same way; an interval that five seconds do not divide has one place."""
    now = datetime(2026, 11, 27, 12, 0, 3, tzinfo=UTC)
    groups = [Group(f"g{n}", "rules.yaml", (), interval_s) for n in range(200)]

    slots = {group.slot(now, 15) for group in groups}

    assert len(slots) == places
    assert all(now - timedelta(seconds=interval_s) < slot <= now for slot in slots)
    assert places == 1 or all(slot.timestamp() % 5 == 0 for slot in slots)
