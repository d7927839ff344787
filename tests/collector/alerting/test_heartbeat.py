"""The dead-man's heartbeat: beaten while evaluation works, and silent when it does not."""

from __future__ import annotations

import json
import time

import pytest
from prometheus_client import CollectorRegistry

from collector.alerting.dispatch import Dispatcher
from collector.alerting.guard import Egress
from collector.alerting.heartbeat import Heartbeat
from collector.alerting.heartbeat_settings import HeartbeatSettings
from collector.alerting.metrics import AlertingMetrics
from collector.alerting.settings import Receiver
from collector.errors import Malformed, StoreUnavailable
from collector.settings import SettingsError, load
from collector.state import State
from collector.wiring import alerting


@pytest.fixture
def own(receiving):
    """Give the receiver a URL alone makes."""
    return Receiver("heartbeat", receiving.url, kind="alertmanager", allow_private=True)


@pytest.fixture
def beating(own, state_url, clock):
    """Give a function that makes a heartbeat over a state."""
    state = State(state_url)

    def make(receiver=own, alive=lambda: True):
        return Heartbeat(
            HeartbeatSettings(receiver, 60),
            state=state,
            dispatch=Dispatcher(Egress(())),
            metrics=AlertingMetrics(CollectorRegistry()),
            clock=clock,
            public_url="https://fuse.example",
            alive=alive,
        )

    yield make
    state.close()


def test_a_beat_is_an_alert_that_always_fires(beating, receiving):
    """What dead-man's switches know: Alertmanager's body with a Watchdog."""
    assert beating().beat() == 60

    told = json.loads(receiving.requests[0].body)
    assert (told["status"], told["alerts"][0]["labels"]["alertname"]) == ("firing", "Watchdog")


def test_a_beat_through_a_receiver_is_signed_as_its_others(beating, receiver, receiving):
    """``type`` is heartbeat, whatever the receiver's ``types``."""
    beating(receiver).beat()

    (request,) = receiving.requests
    assert json.loads(request.body)["type"] == "heartbeat"
    assert request.headers["webhook-signature"].startswith("v1,")


def test_the_id_is_that_of_the_interval(beating, receiving, clock):
    """Two collectors in one interval, or a repeat, are one beat; the next interval is another."""
    heart = beating()
    heart.beat()
    clock.forward(30)
    heart.beat()
    clock.forward(31)
    heart.beat()

    first, repeat, after = (request.headers["webhook-id"] for request in receiving.requests)
    assert first == repeat != after


def test_a_beat_that_fails_is_made_again_sooner(beating, receiving):
    """After a quarter of the interval; nothing is queued up."""
    receiving.answer(500)
    heart = beating()

    assert [heart.beat(), heart.beat()] == [15, 60]
    assert len(receiving.requests) == 2


def test_nothing_is_beaten_while_evaluation_does_not_work(beating, receiving):
    """Silence is the message."""
    assert beating(alive=lambda: False).beat() == 15
    assert receiving.requests == []


def test_the_service_beats_while_it_evaluates_and_stops_with_the_engine(start, receiving, own, breakers):
    """With the threads of a collector: beats come, the engine dies, they end."""
    component = start(receivers=(), heartbeat=HeartbeatSettings(own, 5), interval_s=0.05)
    assert not component.evaluates()
    component.start()
    until = time.monotonic() + 60
    while not receiving.requests:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert component.evaluates()
    breakers.error = StoreUnavailable("gone")
    while component.evaluates():
        assert time.monotonic() < until
        time.sleep(0.01)
    component.stop(60)
    (row,) = component.sent.receivers()

    assert (row["name"], row["heartbeat_s"], row["state"]) == ("heartbeat", 5, "ok")
    assert row["last_success_at"] is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[heartbeat]", "a receiver or a url, one of them"),
        ('[heartbeat]\nreceiver = "x"\nurl = "https://h/hunter2"', "one of them"),
        ('[heartbeat]\nreceiver = "x"', "heartbeat.receiver = 'x': no such receiver; known: none"),
        ('[heartbeat]\nurl = "https://h/"\ninterval_s = 1', "heartbeat.interval_s = 1.0: give seconds"),
        ('[heartbeat]\nurl = "gopher://h/hunter"', "write http://host"),
        ('[heartbeat]\nurl_env = "NO_SUCH"', "the environment has no 'NO_SUCH'"),
        (
            '[heartbeat]\nurl = "https://h/"\n[[receivers]]\nname="heartbeat"\nkind="slack"\nurl="https://s/"',
            "is taken",
        ),
    ],
)
def test_a_wrong_heartbeat_is_named(tmp_path, text, says):
    """The setting and what is wrong with it, the URL unquoted where it may be a secret."""
    config = tmp_path / "fuseboard.toml"
    config.write_text(text + "\n")
    with pytest.raises(Malformed) as wrong:
        alerting(load(config, {}, {}), {})

    assert says in wrong.value.message
    assert "hunter2" not in wrong.value.message


def test_a_heartbeat_comes_from_the_environment_too():
    """As JSON; what is no table is refused without its words."""
    made = alerting(load(None, {}, {"FUSEBOARD_HEARTBEAT": '{"url": "https://h/x", "interval_s": 30}'}), {})
    with pytest.raises(SettingsError) as wrong:
        load(None, {}, {"FUSEBOARD_HEARTBEAT": "https://h/hunter2"})

    assert (made.heartbeat.interval_s, made.heartbeat.receiver.kind) == (30, "alertmanager")
    assert "hunter2" not in str(wrong.value)
