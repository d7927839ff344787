"""The component from a breaker's state to the receiver's log."""

from __future__ import annotations

import json
from datetime import timedelta

from standardwebhooks import Webhook

from collector.alerting.history import AlertsWanted
from collector.alerting.kinds.asking import Sources
from collector.errors import StoreUnavailable
from collector.read.sql import Reader
from tests.collector.alerting.conftest import START
from tests.conftest import eventually

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def bodies(receiving):
    """Give what arrived, in order."""
    return [json.loads(request.body) for request in receiving.requests]


def test_an_open_breaker_fires_after_its_time_and_resolves_when_closed(start, receiving, breakers, clock):
    """Open for 15 s gives one firing webhook, closed gives one resolved webhook, in between nothing."""
    alerting = start()
    breakers.set(state="open")
    for _ in range(20):
        alerting.round()
        alerting.deliver_due()
        clock.forward(1)
    breakers.set(state="closed", since=clock.at)
    for _ in range(3):
        alerting.round()
        alerting.deliver_due()
        clock.forward(1)

    firing, resolved = bodies(receiving)
    assert firing["type"] == "alert.firing"
    assert firing["timestamp"] == "2026-11-22T03:00:15.000000000Z"
    assert firing["data"] == {
        "rule": "BreakerOpen",
        "state": "firing",
        "labels": {
            "severity": "page",
            "service": "checkout",
            "env": "demo",
            "breaker": "payment",
            "target": "payment",
        },
        "annotations": {"summary": "checkout has lost payment for 15 s"},
        "message": "checkout has lost payment for 15 s",
        "since": "2026-11-22T03:00:00.000000000Z",
        "fired_at": "2026-11-22T03:00:15.000000000Z",
        "resolved_at": None,
        "value": 15.0,
        "url": "https://fuse.example/breakers/checkout/payment?env=demo",
        "reason": "5 of 5 calls failed",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "instances": [{"instance": "checkout-1", "state": "open", "since": "2026-11-22T03:00:00.000000000Z"}],
    }
    assert resolved["type"] == "alert.resolved"
    assert resolved["data"]["resolved_at"] == "2026-11-22T03:00:20.000000000Z"
    assert resolved["data"]["value"] == 20.0
    assert resolved["data"]["trace_id"] == firing["data"]["trace_id"]
    assert receiving.requests[0].headers["webhook-id"] != receiving.requests[1].headers["webhook-id"]


def test_every_webhook_verifies_with_the_reference_implementation(start, receiving, breakers):
    """PyPI's standardwebhooks accepts the signature over the bytes as they arrived."""
    alerting = start()
    # The oracle checks the timestamp against the machine's clock.
    from datetime import UTC, datetime

    alerting._couriers[0]._clock = lambda: datetime.now(UTC)
    breakers.set(state="open", since=datetime(2026, 11, 22, 2, 0, tzinfo=UTC))
    alerting.round()
    alerting.deliver_due()

    (request,) = receiving.requests
    verified = Webhook(SECRET).verify(request.body, request.headers)
    assert verified["type"] == "alert.firing"
    assert request.headers["content-type"] == "application/json"


def test_a_dead_engine_changes_nothing(start, breakers, clock):
    """While the breakers cannot be read a firing alert stays, and health says why."""
    alerting = start()
    breakers.set(state="open")
    clock.forward(15)
    alerting.round()
    breakers.error = StoreUnavailable("connection refused")
    clock.forward(3600)

    assert alerting.round().outcome == "engine_unavailable"
    assert [alert["state"] for alert in alerting.alerts()] == ["firing"]
    assert alerting.health().reasons == (("engine_unavailable", "connection refused"),)


def test_the_pending_clock_survives_a_restart(start, receiving, breakers, clock):
    """A half-open trial and a restart in the middle of pending do not begin the 15 s anew."""
    first = start()
    breakers.set(state="open")
    first.round()
    clock.forward(8)
    breakers.set(state="half_open", since=clock.at)
    first.round()
    second = start()
    clock.forward(2)
    breakers.set(state="open", since=clock.at)
    second.round()
    clock.forward(5)
    second.round()
    second.deliver_due()

    (firing,) = bodies(receiving)
    assert firing["data"]["since"] == "2026-11-22T03:00:00.000000000Z"
    assert firing["data"]["fired_at"] == "2026-11-22T03:00:15.000000000Z"


def test_what_was_pending_in_the_outbox_is_sent_after_a_restart(start, receiving, breakers, clock):
    """A process that ends between commit and send loses nothing."""
    breakers.set(state="open", since=clock.at - timedelta(minutes=1))
    start().round()

    start().deliver_due()

    assert [body["type"] for body in bodies(receiving)] == ["alert.firing"]


def test_the_threads_deliver_and_stop(start, receiving, breakers, clock):
    """start() evaluates and delivers by itself; stop() ends every thread and frees the lease."""
    alerting = start(interval_s=0.05)
    breakers.set(state="open", since=clock.at - timedelta(minutes=1))
    alerting.start()
    eventually(lambda: [each["status"] for each in alerting.deliveries()] == ["delivered"], 60, 0.01)
    assert alerting.health().ok
    alerting.stop(60)

    assert not alerting._threads.running
    assert start(holder="another").round().outcome == "done"
    assert len(receiving.requests) == 1


def test_what_was_resolved_is_found_months_later(start, breakers, clock):
    """By state and time, long after it has left the page of today."""
    alerting = start()
    breakers.set(state="open")
    clock.forward(15)
    alerting.round()
    breakers.set(state="closed", since=clock.at)
    alerting.round()
    ended = clock.at
    clock.forward(60 * 86_400)

    assert alerting.alerts() == []
    long_ago = AlertsWanted("resolved", ended - timedelta(days=1), ended + timedelta(days=1))
    assert [alert["state"] for alert in alerting.alerts(long_ago)] == ["resolved"]
    assert alerting.alerts(AlertsWanted("resolved", ended + timedelta(days=1))) == []


def test_a_rule_file_that_breaks_keeps_its_rules_and_is_told(start, rule_file):
    """Health names the line; mended, it is quiet again."""
    alerting = start()
    text = rule_file.read_text()
    rule_file.write_text("groups: [")

    alerting.book.reread()

    assert [rule["name"] for rule in alerting.rules()] == ["BreakerOpen"]
    (reason,) = alerting.health().reasons
    assert reason[0] == "bad_rule"
    assert f"{rule_file}:2: not YAML" in reason[1]
    rule_file.write_text(text)
    assert alerting.book.reread_if_changed()
    assert alerting.health().ok


def test_a_round_that_left_nothing_to_the_clock_need_not_come_again(start, breakers, clock):
    """Until a breaker changes, an alert lives, or it is time to renew the lease and to find out whether the engine answers."""
    alerting = start()
    breakers.set(state="closed")
    rests = alerting._evaluator.rests
    before = rests(clock.at)
    alerting.round()
    after = rests(clock.at)
    clock.forward(5)
    late = rests(clock.at)
    alerting.round()
    breakers.set(state="open", since=clock.at)
    opened = rests(clock.at)
    alerting.round()
    pending = rests(clock.at)

    assert (before, after, late, opened, pending) == (False, True, False, False, False)


def test_a_dead_engine_is_no_rest(start, breakers, clock):
    """The round finds out and says so."""
    alerting = start()
    alerting.round()
    breakers.error = StoreUnavailable("gone")

    assert not alerting._evaluator.rests(clock.at)
    assert alerting.round().outcome == "engine_unavailable"


def test_what_was_told_waits_for_its_time_at_no_rest(start, breakers, clock):
    """An incident that is open is looked at in every round, whatever lives."""
    alerting = start()
    breakers.set(state="open")
    clock.forward(15)
    alerting.round()

    assert not alerting._evaluator.rests(clock.at)


FULL = """\
groups:
  - name: own
    interval: 10s
    rules:
      - alert: Full
        fuseboard: journal above 0.7
"""


def _asks(start, rule_file, told):
    """Give the component with one rule that asks about what *told* says."""
    rule_file.write_text(FULL)
    return start(sources=Sources(Reader, own=lambda: told))


def test_what_finds_the_same_again_is_written_down_once_a_minute(start, rule_file, clock):
    """An idle collector does not write six times a minute that nothing was found; it says when it looked last all the same."""
    alerting = _asks(start, rule_file, {"journal": {"bytes": 1, "max_bytes": 100}})
    alerting.round()
    writes = 0
    for _ in range(26):  # 13 evaluations in two minutes
        clock.forward(5)
        alerting.look()
        before = alerting._state.mark()
        alerting.ask_due()
        writes += alerting._state.mark() != before

    assert writes == 2
    assert "03:02:05" <= alerting.rules()[0]["last_evaluation"][11:19] <= "03:02:10"


def test_who_asks_comes_again_when_a_group_is_due(start, rule_file, clock):
    """Not twice a second: nothing is due in between."""
    alerting = _asks(start, rule_file, {"journal": {"bytes": 1, "max_bytes": 100}})
    waits = []
    for _ in range(20):
        waits.append(alerting._rounds.asks_in_s())
        alerting.round()
        clock.forward(max(alerting._rounds.asks_in_s(), 0.001))

    assert waits == [0.0] * 20
    assert timedelta(seconds=190) <= clock.at - START <= timedelta(seconds=200)


def test_what_is_found_is_written_at_once(start, rule_file, clock):
    """However shortly before it was written down that nothing was found; a restart knows it."""
    told = {"journal": {"bytes": 1, "max_bytes": 100}}
    alerting = _asks(start, rule_file, told)
    for _ in range(3):
        alerting.round()
        clock.forward(10)
    told["journal"]["bytes"] = 90

    alerting.round()

    (alert,) = _asks(start, rule_file, told).alerts()
    assert (alert["rule"], alert["state"]) == ("Full", "firing")


def test_a_transition_that_was_stored_is_looked_at_at_once(start, breakers, clock):
    """Not at the next interval; nothing else hastens a round."""
    alerting = start(interval_s=60)
    alerting.start()
    eventually(alerting.evaluates)
    breakers.set(state="open", since=clock.at - timedelta(seconds=20))

    alerting.hear()

    eventually(lambda: "firing" in [alert["state"] for alert in alerting.alerts()])
    alerting.stop()
