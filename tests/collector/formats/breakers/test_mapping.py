from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.journal.envelope import Head

RESOURCE = {"service.name": "checkout", "service.instance.id": "c1", "deployment.environment.name": "demo"}


def transition(**fields) -> str:
    """Return a transition as JSON."""
    return json.dumps({"breaker": "payment", "from": "half-open", "to": "OPEN", **fields})


@pytest.mark.parametrize(
    "form",
    ["{one}", "[{one}, {two}]", " [\n{one},{two}\n] ", "{one}\n\r\n{two}\r\n"],
    ids=["object", "array", "spaced array", "ndjson"],
)
def test_every_form_of_body_is_read(warehouse, now_ns, form):
    """One object, an array and one per line mean the same."""
    body = form.replace("{one}", transition()).replace("{two}", transition(service="cart", instance="i9"))

    warehouse.load("breakers", (Head("b", now_ns, resource=RESOURCE), body.encode()))

    rows = warehouse.rows(
        "SELECT service, env, instance, from_state, to_state, source FROM breaker_transitions ORDER BY service DESC"
    )
    assert rows[0] == {
        "service": "checkout",
        "env": "demo",
        "instance": "c1",
        "from_state": "half_open",
        "to_state": "open",
        "source": "post",
    }
    assert [(row["service"], row["instance"]) for row in rows[1:]] == (
        [("cart", "i9")] if "two" in form else []
    )


def test_at_may_be_text_or_epoch_in_any_unit(warehouse, now_ns):
    """RFC 3339, seconds, milli-, micro- and nanoseconds; absent or outside the window means received_at."""
    text = datetime.fromtimestamp(now_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    claims = [
        text,
        now_ns // 10**9,
        now_ns // 10**6,
        now_ns // 1000,
        now_ns,
        str(now_ns // 10**6),
        now_ns // 10**6 / 1000,
        None,
        5,
    ]
    body = "\n".join(transition(at=claim, reason=str(n)) for n, claim in enumerate(claims))

    warehouse.load("breakers", (Head("b", now_ns), body.encode()))

    rows = warehouse.rows(
        "SELECT toUnixTimestamp64Nano(at) AS at FROM breaker_transitions ORDER BY toUInt8(reason)"
    )
    s, ms, us = (now_ns // unit * unit for unit in (10**9, 10**6, 10**3))
    assert [row["at"] for row in rows] == [now_ns, s, ms, us, now_ns, ms, ms, now_ns, now_ns]


def test_numbers_are_null_when_absent(warehouse, now_ns):
    """Nothing said is not zero."""
    body = transition(failure_rate=0.5, calls=0, trace_id="AB" * 16)

    warehouse.load("breakers", (Head("b", now_ns, services=("pay",)), body.encode()))

    assert warehouse.rows(
        "SELECT service, failure_rate, slow_call_rate, calls, not_permitted, trace_id FROM breaker_transitions"
    ) == [
        {
            "service": "pay",
            "failure_rate": 0.5,
            "slow_call_rate": None,
            "calls": 0,
            "not_permitted": None,
            "trace_id": "ab" * 16,
        }
    ]
