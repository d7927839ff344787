"""Rules in PromQL, from samples in a real engine to the receiver's log, at times set by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from collector.alerting import Alerting
from collector.alerting.kinds.asking import Sources
from collector.alerting.kinds.promql import read_promql
from collector.read.sql import Reader
from tests.collector.query.promql.samples import SamplesFiller
from tests.collector.read.real_store import store

__all__ = ["store"]

RULES = """\
groups:
  - name: checkout
    interval: 15s
    query_offset: 0s
    rules:
      - alert: ManyErrors
        expr: 'sum by (service_name) (errors) > 5'
        for: 30s
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.service_name }}: {{ $value }}"
"""


@pytest.fixture
def fill(store) -> Iterator[SamplesFiller]:
    """Insert series; what was inserted is gone after the test."""
    filler = SamplesFiller(store)
    yield filler
    filler.empty()


@pytest.fixture
def go(start, store, rule_file, clock, receiving) -> Callable[..., list[dict[str, object]]]:
    """Move the clock by 15 s as often as asked, each time with a round of a collector that has just started; give the new webhooks."""

    def run(rounds: int, rules: str = RULES) -> list[dict[str, object]]:
        rule_file.write_text(rules)
        before = len(receiving.requests)
        for _ in range(rounds):
            alerting: Alerting = start(sources=Sources(lambda: Reader(store)))
            alerting.round()
            alerting.deliver_due()
            clock.forward(15)
        return [json.loads(request.body) for request in receiving.requests[before:]]

    return run


def told(bodies) -> list[str]:
    """Give the types of webhooks."""
    return [body["type"] for body in bodies]


def test_an_expression_fires_after_its_time_and_resolves_when_its_condition_ends(go, fill, clock):
    """Pending, firing and resolved, each across a restart, with labels of series and rule."""
    t = clock.at.timestamp()
    samples = [(t + 15 * n - 60, 9.0 if n < 9 else 1.0) for n in range(14)]
    fill("errors", samples, {"service_name": "checkout", "pod": "a"}, service="checkout")

    assert told(go(2)) == []
    (firing,) = go(1)
    assert firing["type"] == "alert.firing"
    assert firing["data"]["labels"] == {
        "alertname": "ManyErrors",
        "service_name": "checkout",
        "severity": "page",
    }
    assert firing["data"]["annotations"] == {"summary": "checkout: 9"}
    assert told(go(2)) == []
    assert told(go(2)) == ["alert.resolved"]


def test_series_that_vanish_with_their_service_resolve_nothing(go, fill, clock):
    """The service stops in the middle of its errors: the alert fires on, until the service is heard of without them."""
    t = clock.at.timestamp()
    fill(
        "errors", [(t + 15 * n - 30, 9.0) for n in range(5)], {"service_name": "checkout"}, service="checkout"
    )
    assert told(go(3)) == ["alert.firing"]
    clock.forward(600)
    assert told(go(3)) == []

    t = clock.at.timestamp()
    fill("up", [(t + 15 * n, 1.0) for n in range(8)], {"service_name": "checkout"}, service="checkout")

    assert told(go(3)) == ["alert.resolved"]


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("up == 0", "up"),
        ("0.5 < sum by (job) (rate(a[5m])) / b", "(sum by (job) (rate(a[5m]))) /  (b)"),
        ("a > 1 and on (x) b < 2", "(a) and on (x) (b)"),
        ("a > 1 unless b", "a"),
        ("a > on (x) group_left (y) b", "(a) * on (x) group_left (y) (b)"),
        ("(a > bool 1) == 1", "((a) > bool (1))"),
        ("count by (x) (up == 0) > 3", "count by (x) (up)"),
        ("a > 1 or b", "(a) or  (b)"),
        ("absent(a)", None),
        ("topk(3, a > 1)", "topk  (3, a)"),
        ("rate(a[5m])", "rate(a[5m])"),
        ("a > scalar(b)", "a"),
    ],
)
def test_the_conditions_of_an_expression_can_be_left_out(text, present):
    """What is left has the same label sets whether or not the comparisons hold, and is PromQL."""
    asking = read_promql(text)

    assert asking.present == present
    assert present is None or read_promql(present)
