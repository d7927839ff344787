"""When a delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerting.retry import GIVE_UP_AFTER, judge
from collector.alerting.webhooks import Outcome, retry_after_s

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def outcome(status, error=None, retry_after=None):
    """Give what an attempt brought."""
    return Outcome(status, error, retry_after, 1.0, None, "")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status):
    """Whatever success is called."""
    assert judge(outcome(status), 1, T0, T0, 1.0).kind == "delivered"


@pytest.mark.parametrize(
    ("answer", "attempts", "wait_s"),
    [
        (outcome(429), 1, 2),
        (outcome(500), 3, 8),
        (outcome(503), 100, 300),
        (outcome(None, "network: ConnectError"), 1, 2),
        (outcome(None, "timeout: no answer"), 2, 4),
        (outcome(None, "egress_refused: …"), 1, 60),
        (outcome(301), 1, 60),
        (outcome(400), 2, 120),
        (outcome(404), 100, 1800),
        (outcome(429, None, 600.0), 1, 600),
        (outcome(429, None, 1.0), 5, 32),
    ],
)
def test_pauses_double_up_to_a_bound(answer, attempts, wait_s):
    """Soon for what heals by itself, slowly for what someone must put right; Retry-After is a lower bound."""
    assert judge(answer, attempts, T0, T0, 1.0).again_at == T0 + timedelta(seconds=wait_s)


@given(
    st.sampled_from([None, 300, 400, 404, 429, 500]),
    st.integers(1, 10_000),
    st.one_of(st.none(), st.floats(0, 1e300)),
    st.floats(0, 3 * 86_400 - 1),
    st.floats(0.5, 1),
)
def test_the_next_attempt_is_in_the_future_and_within_three_days(
    status, attempts, retry_after, age_s, jitter
):
    """No receiver can make us wait beyond the three days, or not at all."""
    now = T0 + timedelta(seconds=age_s)
    again_at = judge(outcome(status, "x", retry_after), attempts, T0, now, jitter).again_at

    assert now < again_at <= T0 + GIVE_UP_AFTER


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("Sun, 22 Nov 2026 03:05:00 GMT", 300.0),
        ("Sun, 22 Nov 2026 02:00:00 GMT", 0.0),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    """What cannot be read is as if it were not there."""
    assert retry_after_s(value, T0) == seconds
