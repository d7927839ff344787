"""GET, POST, PUT, DELETE /dashboards: kept whole, checked before, nobody's change lost."""

import pytest

from collector.api import ApiParts
from collector.app.answering import authenticator
from collector.boards import Boards
from collector.receive.authenticate import Key, Keys
from collector.state import State
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

PATH = "/api/v1/dashboards"
PANELS = [
    {"kind": "metric", "title": "p95", "queries": ['rate(http_requests_total{service_name="cart"}[5m])', "up"], "text": "", "unit": "per_second", "width": 12, "height": 3},
    {"kind": "log_count", "title": "Errors", "queries": ["severity:>=error"], "text": "", "unit": "", "width": 6, "height": 2},
    {"kind": "logs", "title": "", "queries": [], "text": "", "unit": "", "width": 6, "height": 2},
    {"kind": "breakers", "title": "", "queries": ["checkout"], "text": "", "unit": "", "width": 4, "height": 1},
    {"kind": "text", "title": "Read me", "queries": [], "text": "<b>hello</b>", "unit": "", "width": 2, "height": 1},
]  # fmt: skip
BOARD = {"name": "Cart", "description": "What the cart does.", "panels": PANELS}


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """A client of the API over a state of its own, as an editor."""
    state = State(f"sqlite:///{tmp_path_factory.mktemp('boards') / 'state.db'}")
    keys = Keys([Key("r", "read", "read"), Key("ed", "edit", "editor"), Key("i", "ingest")])
    parts = ApiParts(
        store=None, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), boards=Boards(state),
        authenticate=authenticator(keys),
    )  # fmt: skip
    with served(parts) as client:
        client.headers["authorization"] = "Bearer edit"
        yield client
    state.close()


@pytest.fixture
def client(http):
    """The client, without dashboards."""
    for board in http.get(PATH).json()["data"]:
        http.delete(f"{PATH}/{board['id']}")
    return http


def test_what_is_exported_can_be_imported(client):
    """Every field of every kind of panel comes back; sent again under another name it is another dashboard."""
    made = client.post(PATH, json=BOARD).json()["data"][0]
    exported = client.get(f"{PATH}/{made['id']}").json()["data"][0]

    assert {name: exported[name] for name in BOARD} == BOARD
    assert (exported["revision"], exported["updated_by"]) == (1, "ed")
    again = {**{name: exported[name] for name in BOARD}, "name": "Another"}
    assert client.post(PATH, json=again).status_code == 200
    listed = client.get(PATH).json()["data"]
    assert [(board["name"], board["panels"]) for board in listed] == [("Another", 5), ("Cart", 5)]


def test_nobodys_change_is_lost(client):
    """Of two who changed the same revision the second is told, and by whom."""
    made = client.post(PATH, json=BOARD).json()["data"][0]
    first = client.put(f"{PATH}/{made['id']}", json={**BOARD, "panels": PANELS[:1], "revision": 1})
    second = client.put(f"{PATH}/{made['id']}", json={**BOARD, "panels": [], "revision": 1})

    assert first.json()["data"][0]["revision"] == 2
    assert (second.status_code, second.json()["error"]["code"]) == (409, "dashboard_changed")
    assert "ed changed 'Cart'" in second.json()["error"]["message"]
    assert len(client.get(f"{PATH}/{made['id']}").json()["data"][0]["panels"]) == 1
    assert client.put(f"{PATH}/{made['id']}", json=BOARD).json()["data"][0]["revision"] == 3


def test_names_and_ids(client):
    """A name is one dashboard's; an id nobody has is a 404."""
    made = client.post(PATH, json=BOARD).json()["data"][0]
    assert client.post(PATH, json=BOARD).json()["error"]["code"] == "dashboard_exists"
    assert client.delete(f"{PATH}/{made['id']}").status_code == 200

    for method in ("GET", "DELETE"):
        assert client.request(method, f"{PATH}/{made['id']}").status_code == 404
    assert client.put(f"{PATH}/%27%20OR%201", json=BOARD).status_code == 404


@pytest.mark.parametrize(
    ("key", "reads", "writes"), [("read", 200, 403), ("ingest", 403, 403), ("", 401, 401)]
)
def test_who_may(client, key, reads, writes):
    """Readers open, editors change."""
    headers = {"authorization": f"Bearer {key}" if key else ""}

    assert client.get(PATH, headers=headers).status_code == reads
    assert client.post(PATH, json=BOARD, headers=headers).status_code == writes


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "bad_parameter"),
        ({"name": "a\x00"}, "bad_parameter"),
        ({"name": "x" * 101}, "bad_parameter"),
        ({"id": "mine"}, "unknown_parameter"),
        ({"panels": {}}, "bad_parameter"),
        ({"panels": PANELS * 9}, "bad_parameter"),
        ({"panels": [{"kind": "iframe"}]}, "bad_parameter"),
        ({"panels": [{"kind": "text", "src": "http://x"}]}, "unknown_parameter"),
        ({"panels": [{"kind": "text", "width": 13}]}, "bad_parameter"),
        ({"panels": [{"kind": "text", "height": 0}]}, "bad_parameter"),
        ({"panels": [{"kind": "text", "text": "x" * 4001}]}, "bad_parameter"),
        ({"panels": [{"kind": "text", "queries": ["up"]}]}, "bad_panel"),
        ({"panels": [{"kind": "metric"}]}, "bad_panel"),
        ({"panels": [{"kind": "metric", "queries": ["rate("]}]}, "bad_panel"),
        ({"panels": [{"kind": "metric", "queries": ["up"] * 9}]}, "bad_parameter"),
        ({"panels": [{"kind": "metric", "queries": ["x" * 20_000]}]}, "bad_panel"),
        ({"panels": [{"kind": "logs", "queries": ["(open"]}]}, "bad_panel"),
        ({"panels": [{"kind": "logs", "queries": ["a", "b"]}]}, "bad_panel"),
    ],
)
def test_a_dashboard_that_nobody_could_open_is_not_kept(client, changed, code):
    """Bad fields and queries are 400s; a bad panel is named."""
    answer = client.post(PATH, json={**BOARD, **changed})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    if code == "bad_panel":
        assert answer.json()["error"]["param"] == "panels[0]"
    assert client.get(PATH).json()["data"] == []
