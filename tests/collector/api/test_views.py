import pytest

from collector.api import ApiParts
from collector.app.answering import authenticator
from collector.receive.authenticate import Key, Keys
from collector.state import State
from collector.views import Views
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

VIEWS = "/api/v1/views"
CHECKOUT = {
    "page": "logs",
    "name": "Checkout errors",
    "query": "service:checkout severity:>=error",
    "env": "prod",
    "start": "-6h",
    "end": "now",
}


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """A client of the API over a state of its own, with a key of each role."""
    state = State(f"sqlite:///{tmp_path_factory.mktemp('views') / 'state.db'}")
    keys = Keys([Key("r", "read", "read"), Key("a", "admin", "admin"), Key("i", "ingest", "ingest")])
    parts = ApiParts(
        store=None,
        alerts=FixedAlerts(),
        pipeline=FixedPipeline(),
        sql=FixedSql(),
        views=Views(state),
        authenticate=authenticator(keys),
    )
    with served(parts) as client:
        client.headers["authorization"] = "Bearer admin"
        yield client
    state.close()


@pytest.fixture
def client(http):
    """The client, without views."""
    for view in http.get(VIEWS).json()["data"]:
        http.delete(f"{VIEWS}/{view['id']}")
    return http


def test_a_view_is_saved_listed_changed_and_deleted(client):
    """Every field comes back; a page lists its own views by name."""
    saved = client.post(VIEWS, json=CHECKOUT).json()["data"][0]
    client.post(VIEWS, json={"page": "logs", "name": "All"})
    client.post(VIEWS, json={"page": "traces", "name": "All"})

    listed = client.get(VIEWS, params={"page": "logs"}).json()["data"]
    assert [view["name"] for view in listed] == ["All", "Checkout errors"]
    assert {name: listed[1][name] for name in CHECKOUT} == CHECKOUT
    assert len(client.get(VIEWS).json()["data"]) == 3

    changed = client.put(f"{VIEWS}/{saved['id']}", json={**CHECKOUT, "query": "x"}).json()["data"][0]
    assert (changed["id"], changed["query"]) == (saved["id"], "x")
    assert client.delete(f"{VIEWS}/{saved['id']}").status_code == 200
    assert client.delete(f"{VIEWS}/{saved['id']}").status_code == 404
    assert client.put(f"{VIEWS}/{saved['id']}", json=CHECKOUT).status_code == 404


def test_a_name_is_one_of_its_page(client):
    """A second view of the name is a 409 that quotes it, also by renaming."""
    client.post(VIEWS, json=CHECKOUT)
    other = client.post(VIEWS, json={"page": "logs", "name": "Other"}).json()["data"][0]

    for answer in (client.post(VIEWS, json=CHECKOUT), client.put(f"{VIEWS}/{other['id']}", json=CHECKOUT)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "view_exists")
        assert "Checkout errors" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("key", "lists", "saves"), [("read", 200, 403), ("admin", 200, 200), ("ingest", 403, 403), ("", 401, 401)]
)
def test_who_may_list_and_who_may_save(client, key, lists, saves):
    """Readers list, admins save; an agent's key does neither."""
    headers = {"authorization": f"Bearer {key}" if key else ""}

    assert client.get(VIEWS, headers=headers).status_code == lists
    assert (
        client.post(VIEWS, json={"page": "logs", "name": key or "none"}, headers=headers).status_code == saves
    )


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "bad_parameter"),
        ({"name": " "}, "bad_parameter"),
        ({"name": "x" * 101}, "bad_parameter"),
        ({"page": "../x"}, "bad_parameter"),
        ({"page": "javascript:"}, "bad_parameter"),
        ({"query": "x" * 5000}, "bad_parameter"),
        ({"start": "yesterday"}, "bad_time"),
        ({"start": "now", "end": "-1h"}, "bad_range"),
        ({"color": "red"}, "unknown_parameter"),
        ({"name": None}, "bad_parameter"),
    ],
)
def test_a_view_that_nobody_could_open_is_not_saved(client, changed, code):
    """Bad fields are 400s."""
    answer = client.post(VIEWS, json={**CHECKOUT, **changed})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert client.get(VIEWS).json()["data"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"nonsense", b'{"page": "logs"}'])
def test_bodies_that_are_no_view(client, body):
    """A half-finished or other body is a 400."""
    answer = client.post(VIEWS, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
