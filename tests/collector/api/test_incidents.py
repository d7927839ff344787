import pytest

from collector.alerting.incidents.answers import Answers
from collector.alerting.incidents.hands import Hands
from collector.alerting.incidents.service import Incidents
from collector.api import ApiParts
from collector.state import State
from tests.collector.alerting.world import World
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

INCIDENTS = "/api/v1/incidents"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Planning over a state of its own."""
    state = State(f"sqlite:///{tmp_path_factory.mktemp('incidents') / 'state.db'}")
    yield World(state)
    state.close()


@pytest.fixture(scope="module")
def client(world):
    """A client of the API over it."""
    url = "https://fuse.example"
    parts = ApiParts(
        store=None,
        alerts=FixedAlerts(),
        pipeline=FixedPipeline(),
        sql=FixedSql(),
        incidents=Incidents(
            Answers(world.state, url), Hands(world.state, world.settings.receivers, url, lambda: world.now)
        ),
    )
    with served(parts) as http:
        yield http


def opened(world, client, service):
    """Let a service page; give its incident's id."""
    world.fire(service=service)
    world.round()
    found = client.get(INCIDENTS, params={"state": "open,acknowledged"}).json()["data"]
    return next(row["id"] for row in found if row["service"] == service)


def test_an_incident_is_listed_read_acknowledged_annotated_and_resolved(world, client):
    """Each answer is the incident as it is then."""
    one = f"{INCIDENTS}/{opened(world, client, 'cart')}"
    acknowledged = client.post(f"{one}/ack", json={"by": "ada"}).json()["data"][0]
    noted = client.post(f"{one}/note", json={"by": "ada", "text": "disk full"}).json()["data"][0]
    resolved = client.post(f"{one}/resolve", json={"by": "ada"}).json()["data"][0]

    assert [row["state"] for row in (acknowledged, noted, resolved)] == [
        "acknowledged",
        "acknowledged",
        "resolved",
    ]
    assert noted["timeline"][-1]["text"] == "disk full"
    assert client.get(one).json()["data"] == [resolved]
    assert client.post(f"{one}/ack", json={"by": "ada"}).status_code == 409


def test_one_is_merged_into_another(world, client):
    """The answer is the one that goes on."""
    first, second = opened(world, client, "bank"), opened(world, client, "desk")
    answer = client.post(f"{INCIDENTS}/{first}/merge", json={"into": second, "by": "ada"}).json()["data"][0]

    assert (answer["id"], answer["alerts_count"]) == (second, 2)
    assert client.get(INCIDENTS, params={"state": "merged"}).json()["data"][0]["merged_into"] == second


def test_the_export_is_a_markdown_file(world, client):
    """With a name to save it under."""
    one = opened(world, client, "shop")
    answer = client.get(f"{INCIDENTS}/{one}/export")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert f'filename="incident-{one}.md"' in answer.headers["content-disposition"]
    assert answer.text.startswith("# shop is in trouble")


@pytest.fixture(scope="module")
def till(world, client):
    """An incident."""
    return opened(world, client, "till")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("GET", "", None, 400, "state"),
        ("GET", "/nobody", None, 404, "id"),
        ("GET", "/nobody/export", None, 404, "id"),
        ("POST", "/nobody/ack", {"by": "ada"}, 404, "id"),
        ("POST", "/{one}/ack", {}, 400, "by"),
        ("POST", "/{one}/ack", {"by": ""}, 400, "by"),
        ("POST", "/{one}/note", {"by": "ada"}, 400, "text"),
        ("POST", "/{one}/note", {"by": "ada", "text": "x" * 20_000}, 400, "text"),
        ("POST", "/{one}/resolve", {"by": "ada", "why": "x"}, 400, "why"),
        ("POST", "/{one}/merge", {"by": "ada"}, 400, "into"),
        ("POST", "/{one}/merge", {"by": "ada", "into": "{one}"}, 400, "into"),
        ("POST", "/{one}/merge", {"by": "ada", "into": "nobody"}, 404, "id"),
    ],
)
def test_what_is_wrong_is_named(client, till, method, path, body, status, param):
    """With the field or parameter."""
    one = till
    if body:
        body = {name: value.replace("{one}", one) for name, value in body.items()}
    params = {"state": "broken"} if not path else {}
    answer = client.request(method, f"{INCIDENTS}{path.replace('{one}', one)}", json=body, params=params)

    assert answer.status_code == status
    assert param in answer.json()["error"]["param"]
