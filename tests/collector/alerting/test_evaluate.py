"""The state machine, as a function of rules, alerts, breakers and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerting.evaluate import CLOSED, OPEN, evaluate
from collector.alerting.expression import Matcher
from collector.alerting.rules import Rule

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
RULE = Rule(
    id="r",
    name="BreakerOpen",
    group="g",
    expr="open for 15s",
    for_s=15,
    matchers=(),
    labels={"severity": "page", "team": "{{ $labels.service }}-team"},
    annotations={"summary": "{{ $labels.team }}: {{ $value }}"},
)
STATES = (
    "closed",
    "open",
    "half_open",
    "forced_open",
    "disabled",
    "metrics_only",
    "unknown",
    "no such state",
)


@dataclass(frozen=True)
class Seen:
    """One instance's view of a breaker."""

    state: str
    since: datetime = T0
    instance: str = "i1"
    service: str = "checkout"
    env: str = "demo"
    breaker: str = "payment"
    target: str = "payment"
    reason: str = ""
    trace_id: str = ""


def step(living, breakers, at_s, rules=(RULE,)):
    """Give (changes, alerts living afterwards)."""
    changes = list(evaluate(rules, living, breakers, T0 + timedelta(seconds=at_s)))
    after = {alert.id: alert for alert in living} | {change.alert.id: change.alert for change in changes}
    ended = {change.alert.id for change in changes if change.kind in ("resolved", "dropped")}
    return [change.kind for change in changes], [alert for key, alert in after.items() if key not in ended]


def test_pending_then_firing_then_resolved():
    """The clock starts when the breaker opened, not when it was first looked at."""
    kinds, living = step([], [Seen("open")], 5)
    assert kinds == ["pending"]
    kinds, living = step(living, [Seen("open")], 14.9)
    assert kinds == []
    kinds, living = step(living, [Seen("open")], 15)
    assert kinds == ["firing"]
    kinds, living = step(living, [Seen("open")], 600)
    assert kinds == []
    kinds, living = step(living, [Seen("closed")], 601)
    assert (kinds, living) == (["resolved"], [])


def test_a_breaker_found_long_open_fires_at_once():
    """After an outage of our own there is no second waiting time."""
    assert step([], [Seen("open")], 3600)[0] == ["firing"]


def test_a_short_opening_ends_without_a_word():
    """Pending that closes again is dropped, not resolved."""
    _, living = step([], [Seen("open")], 1)

    assert step(living, [Seen("closed")], 3) == (["dropped"], [])


@pytest.mark.parametrize("state", ["half_open", "unknown", "no such state"])
def test_unclear_states_start_and_end_nothing(state):
    """A trial or a stale breaker neither begins an alert nor resolves one, however long it lasts."""
    assert step([], [Seen(state)], 3600)[0] == []
    _, firing = step([], [Seen("open")], 60)
    assert step(firing, [Seen(state)], 1e6)[0] == []
    _, pending = step([], [Seen("open")], 1)
    assert step(pending, [Seen(state)], 1e6)[0] == []


def test_no_data_resolves_nothing():
    """An empty answer, or one about other breakers, changes no alert."""
    _, firing = step([], [Seen("open")], 60)

    assert step(firing, [], 1e6)[0] == []
    assert step(firing, [Seen("closed", service="cart")], 1e6)[0] == []


@pytest.mark.parametrize("state", sorted(CLOSED))
def test_a_breaker_switched_off_is_not_open(state):
    """Disabled and metrics_only let calls pass: the alert is over."""
    _, firing = step([], [Seen("open")], 60)

    assert step(firing, [Seen(state)], 61)[0] == ["resolved"]


def test_one_open_instance_is_enough_and_all_must_close():
    """Instances that disagree keep the alert; the longest open one starts the clock."""
    since = T0 + timedelta(seconds=10)
    kinds, living = step(
        [], [Seen("closed", instance="a"), Seen("open", since, "b"), Seen("open", instance="c")], 15
    )
    assert kinds == ["firing"]
    assert living[0].pending_since == T0
    assert [one["instance"] for one in living[0].instances] == ["a", "b", "c"]
    assert step(living, [Seen("closed", instance="a"), Seen("unknown", instance="b")], 20)[0] == []
    assert step(living, [Seen("closed", instance="a"), Seen("closed", instance="b")], 20)[0] == ["resolved"]


def test_a_clock_ahead_of_ours_does_not_delay():
    """Since in the future counts as now."""
    _, living = step([], [Seen("open", T0 + timedelta(hours=1))], 0)

    assert living[0].pending_since == T0
    assert step(living, [Seen("open", T0 + timedelta(hours=1))], 15)[0] == ["firing"]


def test_a_removed_rule_ends_its_alerts():
    """Firing resolves with the reason, pending is dropped."""
    _, firing = step([], [Seen("open")], 60)
    changes = list(evaluate([], firing, [Seen("open")], T0))

    assert [(change.kind, change.alert.reason) for change in changes] == [
        ("resolved", "the rule was removed")
    ]


def test_matchers_choose_breakers():
    """A rule sees what its matchers let through, instances included."""
    rule = Rule(
        **{
            **RULE.__dict__,
            "matchers": (Matcher("service", "=~", "check.*"), Matcher("instance", "!=", "i2")),
        }
    )

    assert step([], [Seen("open", service="cart")], 60, [rule])[0] == []
    assert step([], [Seen("open", instance="i2")], 60, [rule])[0] == []
    assert step([], [Seen("open", service="my-checkout")], 60, [rule])[0] == []
    assert step([], [Seen("open")], 60, [rule])[0] == ["firing"]


def test_labels_and_annotations_are_filled():
    """Rule labels may use the breaker's, annotations both."""
    _, (alert,) = step([], [Seen("open")], 60)

    assert alert.labels["team"] == "checkout-team"
    assert alert.annotations == {"summary": "checkout-team: 60"}


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 30),
            st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from("ab")), max_size=3),
        ),
        max_size=30,
    )
)
def test_whatever_breakers_do_each_firing_has_one_resolved(story):
    """Kinds alternate per subject; nothing fires before 15 s; nothing ends unless every instance is closed."""
    at_s, living, phase, opened_at = 0.0, [], "inactive", 0.0
    for pause, states in story:
        at_s += pause
        now = T0 + timedelta(seconds=at_s)
        seen = [Seen(state, now, instance) for state, instance in states]
        before = len(living)
        kinds, living = step(living, seen, at_s)
        assert len(kinds) <= 1
        for kind in kinds:
            assert (phase, kind) in {
                ("inactive", "pending"),
                ("pending", "firing"),
                ("pending", "dropped"),
                ("firing", "resolved"),
            }
            if kind == "pending":
                opened_at = at_s
            if kind == "firing":
                assert at_s - opened_at >= 15 - 1e-6
                assert any(state in OPEN for state, _ in states)
            if kind in ("resolved", "dropped"):
                assert states
                assert all(state in CLOSED for state, _ in states)
            phase = "inactive" if kind in ("resolved", "dropped") else kind
        assert len(living) <= max(1, before)
