"""The catalogue over HTTP: three sources, what is missing, what is refused."""

import pytest

from collector.api import ApiParts
from collector.api.answer import Page
from collector.api.v1.catalogue import CatalogueEntry
from collector.catalogue.book import Book
from collector.catalogue.file import CatalogueFile
from collector.errors import Malformed
from collector.state import State
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served
from tests.collector.read.real_store import NOW_NS, log, span, transition

FILE = "services:\n  checkout:\n    owner: from-file\n    runbook: https://wiki.example.com/checkout\n  legacy:\n    tier: 3\n"


@pytest.fixture
def path(tmp_path):
    """A catalogue.yaml."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def book(path, tmp_path):
    """Over a state of its own."""
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    yield Book(state, CatalogueFile(path))
    state.close()


@pytest.fixture
def shop(store, book, fill):
    """A client, and services that say something of themselves."""
    fill("logs", [log(-30, "hello", service="checkout", resource={"fuseboard.owner": "from-attributes", "fuseboard.docs": "https://docs.example.com"})])  # fmt: skip
    fill("spans", [span(-30, "cart", "GET /", kind="client", attributes={"peer.service": "stock"})])
    parts = ApiParts(store=store, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), catalogue=book, clock_ns=lambda: NOW_NS)  # fmt: skip
    with served(parts) as client:
        yield client


def entries(client):
    """Entries by service."""
    answer = client.get("/api/v1/catalogue")
    assert answer.status_code == 200, answer.text
    return {row.service: row for row in Page[CatalogueEntry].model_validate(answer.json()).data}


def test_the_file_wins_over_attributes_and_what_was_put_over_both(shop):
    """Field by field, each with its source."""
    assert (
        shop.put("/api/v1/catalogue/checkout", json={"owner": "from-api", "slo": "99.9 %"}).status_code == 200
    )

    entry = entries(shop)["checkout"]

    assert (entry.owner, entry.runbook, entry.docs) == (
        "from-api",
        "https://wiki.example.com/checkout",
        "https://docs.example.com",
    )
    assert entry.sources == {"owner": "api", "slo": "api", "runbook": "file", "docs": "attributes"}
    assert (entry.missing, entry.score) == (["openapi"], 0.833)


def test_services_nobody_described_are_listed_with_what_is_missing(shop):
    """An unprotected call is missing too; a service that is only in the file was not heard."""
    known = entries(shop)

    assert known["cart"].missing == ["owner", "runbook", "docs", "openapi", "slo", "breakers"]
    assert known["cart"].score == 0
    assert (known["legacy"].tier, known["legacy"].heard) == ("3", False)


def test_a_service_is_protected_if_all_it_calls_is_behind_a_breaker_that_can_open(shop, fill):
    """A breaker is known by its target or its name; a disabled one protects nobody."""
    calls = [("web", "cart"), ("web", "search"), ("cart", "stock"), ("search", "index")]
    fill(
        "spans",
        [
            span(-30, caller, "GET /", kind="client", attributes={"peer.service": callee})
            for caller, callee in calls
        ],
    )
    fill(
        "breaker_transitions",
        [
            transition(-600, "web", "to-cart", "open>closed", target="cart"),
            transition(-600, "cart", "stock", "half_open>closed"),
            transition(-600, "search", "index", "closed>disabled"),
        ],
    )

    known = entries(shop)

    assert {name: "breakers" in known[name].missing for name in ("web", "cart", "search")} == {
        "web": True,
        "cart": False,
        "search": True,
    }


def test_what_was_put_replaces_what_was_put_before_and_can_be_forgotten(shop):
    """PUT is the whole entry; DELETE lets the file speak again; a second one finds nothing."""
    shop.put("/api/v1/catalogue/checkout", json={"owner": "one", "team": "red"})
    shop.put("/api/v1/catalogue/checkout", json={"owner": "two"})
    before = entries(shop)["checkout"]

    forgotten = [shop.delete("/api/v1/catalogue/checkout").status_code for _ in range(2)]

    assert (before.owner, before.team) == ("two", None)
    assert forgotten == [200, 404]
    assert entries(shop)["checkout"].owner == "from-file"


def test_the_owner_of_a_service_is_the_catalogues(shop):
    """Also where the service names another."""
    rows = {row["service"]: row["owner"] for row in shop.get("/api/v1/services").json()["data"]}

    assert rows["checkout"] == "from-file"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"runbook": "javascript:alert(1)"}, "runbook"),
        ({"docs": "wiki"}, "docs"),
        ({"owner": "x" * 2001}, "owner"),
        ({"pager": "x"}, "pager"),
        ({"owner": ["a"]}, "owner"),
    ],
)
def test_a_bad_entry_is_refused_and_named(shop, body, param):
    """A 400 that names the field; nothing is kept."""
    answer = shop.put("/api/v1/catalogue/checkout", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert entries(shop)["checkout"].owner == "from-file"


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(shop, path, capsys):
    """What was read before stays; the log says what is wrong, once."""
    path.write_text(FILE.replace("from-file", "from-newer-file"))
    newer = entries(shop)["checkout"].owner
    path.write_text("services: [")
    broken = [entries(shop)["checkout"].owner for _ in range(2)]

    assert (newer, broken) == ("from-newer-file", ["from-newer-file"] * 2)
    assert capsys.readouterr().out.count("catalogue_file_wrong") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: [", "line"),
        ("- a", "no mapping 'services'"),
        ("services:\n  a: 1", "services.a is no mapping"),
        ("services:\n  a:\n    colour: red", "services.a.colour"),
        ("services:\n  a:\n    docs: ftp://x", "no http or https"),
        ("\x00", "catalogue.yaml"),
        ("a: &a [*a, *a]\nservices: *a", "no mapping"),
    ],
)
def test_a_file_that_is_wrong_at_the_start_says_where(path, text, said):
    """The collector does not begin with half a catalogue."""
    path.write_text(text)

    with pytest.raises(Malformed, match="catalogue") as refused:
        CatalogueFile(path)

    assert said in refused.value.message


def test_who_owns_a_silent_service_is_remembered(store, book, fill):
    """What it said an hour ago stands, the newest word of each field, also on the board; fields that nobody knows are not kept."""
    said = [
        {"fuseboard.owner": "team-old"},
        {"fuseboard.owner": "team-pay", "fuseboard.favourite": "blue"},
        {},
    ]
    fill("logs", [log(-3000 + place, "hello", service="ledger", resource=resource) for place, resource in enumerate(said)])  # fmt: skip
    fill(
        "spans",
        [span(-2000, "ledger", "GET /", resource={"fuseboard.docs": "https://docs.example.com/ledger"})],
    )
    parts = ApiParts(store=store, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), catalogue=book, clock_ns=lambda: NOW_NS)  # fmt: skip

    with served(parts) as client:
        entry = entries(client)["ledger"]
        board = client.get("/api/v1/services").json()["data"]

    assert (entry.owner, entry.docs) == ("team-pay", "https://docs.example.com/ledger")
    assert [row["owner"] for row in board if row["service"] == "ledger"] == ["team-pay"]
    assert store.query(
        "SELECT DISTINCT field FROM descriptions WHERE service = 'ledger' ORDER BY field"
    ).rows == [
        {"field": "docs"},
        {"field": "owner"},
    ]


def test_an_objective_that_is_missed_is_evidence_of_health(shop, fill):
    """One call in fifty is no outage; of a promise of 99.9 % it is twenty times too many, on the board and on the map."""
    fill("spans", [span(second, "billing", "POST /bill", status="error" if place % 50 == 0 else "ok")
                   for place, second in enumerate(range(-3500, -5, 5))])  # fmt: skip

    def seen():
        rows = {row["service"]: row for row in shop.get("/api/v1/services").json()["data"]}
        nodes = {node["id"]: node["health"] for node in shop.get("/api/v1/map").json()["data"][0]["nodes"]}
        return (
            rows["billing"]["health"],
            [each["code"] for each in rows["billing"]["reasons"]],
            nodes["billing"],
        )

    before = seen()
    shop.put("/api/v1/catalogue/billing", json={"slo": "99.9 % of requests"})

    assert before == ("healthy", [], "healthy")
    assert seen() == ("degraded", ["slo_burn"], "degraded")
