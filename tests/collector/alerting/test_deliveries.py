"""What ``/receivers`` and ``/deliveries`` answer, over the routes themselves."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from collector.alerting.settings import Receiver
from collector.api import ApiParts, build_api
from collector.api.actions import action_of
from tests.collector.alerting.conftest import SECRET


class Nobody:
    """A part that no test here asks."""


@pytest.fixture(scope="module")
def api():
    """Build the API once; each test gives it its own parts."""
    nobody = Nobody()
    return build_api(ApiParts(nobody, nobody, nobody, nobody))


@pytest.fixture
def ask(api, clock):
    """Give a function that makes a client of the API over an alerting."""

    def make(alerting):
        nobody = Nobody()
        parts = ApiParts(nobody, alerting, nobody, nobody, deliveries=alerting.sent)
        api.state.parts = replace(parts, clock_ns=lambda: int(clock.at.timestamp() * 1e9))
        return TestClient(Starlette(routes=[Mount("/api", api)]), base_url="http://127.0.0.1/api/v1")

    return make


def data(answer: httpx.Response):
    """Give the rows of a good answer."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def fire(alerting, breakers, clock, **fields):
    """Let a breaker be open for long enough and evaluate."""
    breakers.set(state="open", since=clock.at, **fields)
    clock.forward(15)
    alerting.round()


def test_a_receiver_is_shown_as_it_stands(start, receiving, receiver, breakers, clock, ask):
    """Ok, then limited by its own 429, then disabled by its 410, with what waits and what it said last."""
    alerting = start(receivers=(replace(receiver, url=receiving.url + "?key=t0ken"),))
    client = ask(alerting)
    (fresh,) = data(client.get("/receivers"))
    receiving.answer(429, Retry_After="60")
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    (limited,) = data(client.get("/receivers"))
    receiving.answer(410)
    clock.forward(61)
    alerting.deliver_due()
    (disabled,) = data(client.get("/receivers"))

    assert fresh == {
        "name": "pager",
        "kind": "webhook",
        "url": receiving.url,
        "types": ["alert.firing", "alert.resolved"],
        "state": "ok",
        "reason": "",
        "rate_per_minute": 0,
        "waiting": 0,
        "oldest_waiting_at": None,
        "last_success_at": None,
        "last_failure_at": None,
        "last_error": None,
        "breaker": {"state": "closed", "failures": 0, "since": None, "retry_at": None},
        "heartbeat_s": None,
    }
    assert (limited["state"], limited["waiting"], limited["last_error"]) == ("limited", 1, "answered 429")
    assert limited["oldest_waiting_at"] == "2026-11-22T03:00:15.000000000Z"
    assert disabled["state"] == "disabled"
    assert "410 Gone" in disabled["reason"]


def test_an_open_breaker_and_a_used_up_rate_are_shown(start, receiving, receiver, breakers, clock, ask):
    """Why nothing is sent now stands there."""
    alerting = start(receivers=(replace(receiver, rate_per_minute=1),))
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    (limited,) = data(ask(alerting).get("/receivers"))
    receiving.answer(*[500] * 9)
    fire(alerting, breakers, clock, breaker="other")
    for _ in range(6):
        clock.forward(60)
        alerting.deliver_due()
    (opened,) = data(ask(alerting).get("/receivers"))

    assert (limited["state"], limited["reason"]) == ("limited", "1 attempts in the last minute, 1 allowed")
    assert opened["state"] == "open"
    assert opened["breaker"]["state"] in ("open", "half_open")
    assert opened["breaker"]["failures"] >= 5


def test_a_disabled_receiver_is_enabled_over_the_api(start, receiving, breakers, clock, ask):
    """And gets what comes after."""
    alerting = start()
    receiving.answer(410)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    (enabled,) = data(ask(alerting).post("/receivers/pager/enable"))
    fire(alerting, breakers, clock, breaker="other")
    alerting.deliver_due()

    assert enabled["state"] == "ok"
    assert len(receiving.requests) == 2


def test_a_test_is_sent_at_once_and_says_what_came_back(start, receiving, clock, ask):
    """Signed like any other, kept as a delivery, past a breaker and without touching what waits."""
    alerting = start()
    (good,) = data(ask(alerting).post("/receivers/pager/test"))
    receiving.answer(401)
    receiving.answers[0].body = b"who are you?"
    (bad,) = data(ask(alerting).post("/receivers/pager/test"))

    assert (good["delivered"], good["status"], good["error"], good["address"]) == (
        True,
        204,
        None,
        "127.0.0.1",
    )
    assert good["elapsed_ms"] > 0
    assert (bad["delivered"], bad["status"], bad["body_excerpt"]) == (False, 401, "who are you?")
    event = json.loads(receiving.requests[0].body)
    assert (event["type"], event["data"]["receiver"]) == ("test", "pager")
    assert receiving.requests[0].headers["webhook-id"] == good["webhook_id"] != bad["webhook_id"]
    assert receiving.requests[0].headers["webhook-signature"].startswith("v1,")
    kept = data(ask(alerting).get("/deliveries"))
    assert [(one["type"], one["status"], one["attempts"]) for one in kept] == [
        ("test", "failed", 1),
        ("test", "delivered", 1),
    ]
    clock.forward(3600)
    assert alerting.deliver_due() == 0


def test_a_test_that_gets_through_closes_the_breaker(start, receiving, breakers, clock, ask):
    """Whoever put the receiver right need not wait: what is pending goes at once."""
    alerting = start()
    receiving.answer(*[500] * 9)
    fire(alerting, breakers, clock)
    for _ in range(6):
        alerting.deliver_due()
        clock.forward(40)
    receiving.answers.clear()
    data(ask(alerting).post("/receivers/pager/test"))

    assert data(ask(alerting).get("/receivers"))[0]["state"] == "ok"
    assert alerting.deliver_due() == 1


def test_a_receiver_of_any_kind_can_be_tested(start, receiving, ask):
    """Each gets the test in its own form."""
    url = receiving.url
    kinds = (
        Receiver("a", url, kind="alertmanager", allow_private=True),
        Receiver("s", url, kind="slack", allow_private=True),
        Receiver("t", url, kind="msteams", allow_private=True),
        Receiver("p", url, kind="pagerduty", routing_key="k", allow_private=True),
        Receiver("o", url, kind="opsgenie", api_key="k", allow_private=True),
    )
    client = ask(start(receivers=kinds))
    answers = [data(client.post(f"/receivers/{receiver.name}/test"))[0] for receiver in kinds]

    assert [answer["delivered"] for answer in answers] == [True] * 5
    assert [request.path for request in receiving.requests][-1] == "/hook/v2/alerts"
    bodies = [json.loads(request.body) for request in receiving.requests]
    assert bodies[0]["alerts"][0]["labels"]["alertname"] == "FuseboardTest"
    assert bodies[1]["text"] == "[TEST] A test of receiver s: Fuseboard reaches you."
    assert bodies[3]["payload"]["severity"] == "info"


def test_deliveries_are_found_by_receiver_status_type_and_time(
    start, receiving, receiver, breakers, clock, ask
):
    """Filters combine; pages follow each other by cursor; each row carries its attempts."""
    second = Receiver("second", receiving.url, SECRET, allow_private=True, types=("breaker.opened",))
    alerting = start(receivers=(receiver, second))
    client = ask(alerting)
    receiving.answer(500)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    clock.forward(7200)
    fire(alerting, breakers, clock, breaker="other")
    alerting.deliver_due()

    def found(**params):
        return [(one["receiver"], one["type"]) for one in data(client.get("/deliveries", params=params))]

    assert len(found()) == 4
    assert found(receiver="second") == [("second", "breaker.opened")] * 2
    assert found(type="alert.firing", since="-1h") == [("pager", "alert.firing")]
    assert found(status="pending") == []
    assert found(since="2026-11-22T04:00:00Z", receiver="pager", status="delivered") == [
        ("pager", "alert.firing")
    ]
    first = client.get("/deliveries", params={"limit": 3}).json()
    rest = client.get("/deliveries", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    ids = [one["id"] for one in (*first["data"], *rest["data"])]
    assert (len(ids), ids, rest["next_cursor"]) == (4, sorted(ids, reverse=True), None)
    retried = [one for one in data(client.get("/deliveries")) if one["attempts"] == 2]
    assert [[attempt["status"] for attempt in one["attempt_log"]] for one in retried] == [[500, 204]]
    assert retried[0]["attempt_log"][0]["elapsed_ms"] > 0


def test_one_delivery_shows_what_is_told(start, receiving, breakers, clock, ask):
    """With the event itself."""
    alerting = start()
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    (listed,) = data(ask(alerting).get("/deliveries"))
    (one,) = data(ask(alerting).get(f"/deliveries/{listed['id']}"))

    assert one["payload"]["type"] == "alert.firing"
    assert {name: value for name, value in one.items() if name != "payload"} == listed
    assert len(receiving.requests) == 1


def test_a_failed_delivery_gets_a_second_chance(start, receiving, breakers, clock, ask):
    """Under the webhook-id it has, with three days ahead of it."""
    alerting = start()
    receiving.answer(500, 500)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    clock.forward(4 * 86_400)
    alerting.deliver_due()
    (failed,) = data(ask(alerting).get("/deliveries", params={"status": "failed"}))
    data(ask(alerting).post(f"/deliveries/{failed['id']}/retry"))
    alerting.deliver_due()

    assert len({request.headers["webhook-id"] for request in receiving.requests}) == 1
    (done,) = data(ask(alerting).get("/deliveries"))
    assert (done["status"], done["attempts"]) == ("delivered", 3)
    again = ask(alerting).post(f"/deliveries/{failed['id']}/retry")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not_failed")


def test_noise_is_answered_for_a_window(start, breakers, clock, ask):
    """The last week unless said otherwise."""
    alerting = start()
    fire(alerting, breakers, clock)
    clock.forward(1)
    client = ask(alerting)

    (noise,) = data(client.get("/alerts/noise"))
    assert (noise["rule"], noise["fired"], noise["firing"], noise["advice"]) == ("BreakerOpen", 1, 1, "")
    assert data(client.get("/alerts/noise", params={"end": "-1d"})) == []
    assert client.get("/alerts/noise?start=now&end=-1d").status_code == 400
    assert client.get("/alerts/noise?start=never").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/receivers/nobody/test", 404, "unknown_receiver"),
        ("POST", "/receivers/nobody/enable", 404, "unknown_receiver"),
        ("POST", "/receivers/%00/test", 404, "unknown_receiver"),
        ("GET", "/deliveries/1", 404, "unknown_delivery"),
        ("GET", "/deliveries/x", 400, None),
        ("GET", "/deliveries/99999999999999999999999", 400, None),
        ("POST", "/deliveries/7/retry", 404, "unknown_delivery"),
        ("GET", "/deliveries?status=lost", 400, None),
        ("GET", "/deliveries?since=yesterday", 400, "bad_time"),
        ("GET", "/deliveries?cursor=-1", 400, None),
        ("GET", "/deliveries?limit=0", 400, None),
        ("GET", "/deliveries?nosuch=1", 400, None),
        ("GET", "/receivers?nosuch=1", 400, None),
        ("GET", "/receivers/pager/test", 405, None),
    ],
)
def test_a_bad_question_is_refused_by_name(start, ask, method, path, status, code):
    """Unknown names, ids and parameters get the API's error object."""
    answer = ask(start()).request(method, path)

    assert answer.status_code == status
    assert code in (None, answer.json()["error"]["code"])


def test_only_admins_send():
    """Reading is for everyone who may read; what goes out into the world or changes a receiver is not."""
    assert action_of("GET", "/api/v1/receivers") == "read"
    assert action_of("POST", "/api/v1/receivers/pager/test") == "manage"
    assert action_of("POST", "/api/v1/receivers/pager/enable") == "manage"
    assert action_of("POST", "/api/v1/deliveries/1/retry") == "change"
