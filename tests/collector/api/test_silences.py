from datetime import UTC, datetime

import pytest

from collector.alerting.silences.service import Silences
from collector.api import ApiParts
from collector.state import State
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

SILENCES = "/api/v1/silences"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
# As amtool and Alertmanager's page send it.
ALERTMANAGERS = {
    "matchers": [
        {"name": "service", "value": "checkout|cart", "isRegex": True, "isEqual": True},
        {"name": "env", "value": "demo", "isRegex": False},
    ],
    "startsAt": "2026-11-22T03:00:00Z",
    "endsAt": "2026-11-22T05:00:00Z",
    "createdBy": "ada",
    "comment": "moving the database",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of the API over a state of its own."""
    state = State(f"sqlite:///{tmp_path_factory.mktemp('silences') / 'state.db'}")
    parts = ApiParts(
        store=None,
        alerts=FixedAlerts(),
        pipeline=FixedPipeline(),
        sql=FixedSql(),
        silences=Silences(state, lambda: NOW),
        clock_ns=lambda: int(NOW.timestamp()) * 10**9,
    )
    with served(parts) as http:
        yield http
    state.close()


def test_alertmanagers_shape_is_taken_and_ours_is_given(client):
    """Posted, listed, read, ended."""
    made = client.post(SILENCES, json=ALERTMANAGERS).json()["data"][0]

    assert made["state"] == "active"
    assert made["matchers"][0] == {
        "name": "service",
        "value": "checkout|cart",
        "is_regex": True,
        "is_equal": True,
    }
    assert made["text"] == 'service=~"checkout|cart", env="demo"'
    assert (made["starts_at"], made["ends_at"]) == (
        "2026-11-22T03:00:00.000000000Z",
        "2026-11-22T05:00:00.000000000Z",
    )
    assert made["id"] in [each["id"] for each in client.get(SILENCES).json()["data"]]
    assert client.get(f"{SILENCES}/{made['id']}").json()["data"] == [made]
    ended = client.delete(f"{SILENCES}/{made['id']}")
    assert (ended.status_code, ended.json()["data"][0]["state"]) == (200, "expired")


def test_our_shape_takes_matchers_as_text_and_a_duration(client):
    """What fits one line of curl; changed by its id, also from what was answered."""
    fields = {"matchers": 'service="bank"', "duration": "2h", "created_by": "ada", "comment": "new bank"}
    made = client.post(SILENCES, json=fields).json()["data"][0]
    longer = client.post(
        SILENCES, json={**fields, "matchers": made["matchers"], "duration": "3h", "id": made["id"]}
    ).json()["data"][0]

    assert made["ends_at"] == "2026-11-22T05:00:00.000000000Z"
    assert (longer["id"], longer["ends_at"]) == (made["id"], "2026-11-22T06:00:00.000000000Z")


def test_a_maintenance_window_needs_no_end(client):
    """With a schedule."""
    fields = {
        "matchers": 'service="bank"',
        "created_by": "ada",
        "comment": "the bank's nights",
        "schedule": {"weekdays": ["sun"], "start": "02:00", "end": "05:00", "timezone": "Europe/Berlin"},
    }
    made = client.post(SILENCES, json=fields).json()["data"][0]

    assert (made["state"], made["ends_at"], made["until"]) == (
        "active",
        None,
        "2026-11-22T04:00:00.000000000Z",
    )
    assert made["schedule"] == fields["schedule"]


def test_a_preview_keeps_nothing(client):
    """It answers with alerts, of which there are none here."""
    before = client.get(SILENCES).json()["data"]

    assert client.post(f"{SILENCES}/preview", json={"matchers": 'a="b"'}).json()["data"] == []
    assert client.get(SILENCES).json()["data"] == before


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"matchers": 'service=~"("'}, "matchers"),
        ({"matchers": [{"name": "9", "value": "x"}]}, "matchers"),
        ({"matchers": [{"name": "a", "value": "x", "op": "="}]}, None),
        ({"matchers": ""}, "matchers"),
        ({"duration": "soon"}, "duration"),
        ({"duration": "99999999999999y"}, "duration"),
        ({"duration": "2h", "ends_at": "+1h"}, "duration"),
        ({"duration": "", "ends_at": "yesterday"}, "ends_at"),
        ({"created_by": ""}, "created_by"),
        ({"comment": " "}, "comment"),
        ({"schedule": {"start": "9"}}, "schedule"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_named(client, change, param):
    """400 with the field."""
    fields = {"matchers": 'a="b"', "duration": "2h", "created_by": "ada", "comment": "why"}
    answer = client.post(SILENCES, json={**fields, **change})

    assert answer.status_code == 400
    if param:
        assert param in answer.json()["error"]["param"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"matchers": ' + b"[" * 5000])
def test_what_is_no_silence_at_all_is_refused(client, body):
    """Half-finished and hostile bodies."""
    answer = client.post(SILENCES, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400


def test_an_unknown_silence_is_not_found(client):
    """404 for reading, ending and changing."""
    fields = {**ALERTMANAGERS, "id": "nobody"}

    assert client.get(f"{SILENCES}/nobody").status_code == 404
    assert client.delete(f"{SILENCES}/nobody").status_code == 404
    assert client.post(SILENCES, json=fields).status_code == 404
