"""GET and POST /deploys: what is told, what is seen, and what a version changed, on the real engine."""

from __future__ import annotations

import pytest

from collector.api import ApiParts
from collector.api.answer import Page
from collector.api.v1.deploys import Deploy
from collector.app.answering import authenticator
from collector.deploys import Deploys
from collector.receive.authenticate import Key, Keys
from collector.state import State
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served
from tests.collector.read.real_store import NOW_NS, at, log, span, transition

DEPLOYS = "/api/v1/deploys"
DAY = 86_400


@pytest.fixture(scope="module")
def http(store, tmp_path_factory):
    """A client of the API with a state of its own and a key of each role."""
    state = State(f"sqlite:///{tmp_path_factory.mktemp('deploys') / 'state.db'}")
    keys = Keys([
        Key("r", "read", "read"), Key("a", "admin", "admin"), Key("e", "editor", "editor"), Key("ci", "ingest", "ingest"),
        Key("bound", "bound", "ingest", services=("cart",), envs=("demo", "prod")),
    ])  # fmt: skip
    parts = ApiParts(
        store=store, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), deploys=Deploys(state), clock_ns=lambda: NOW_NS,
        authenticate=authenticator(keys),
    )  # fmt: skip
    with served(parts) as client:
        client.headers["authorization"] = "Bearer admin"
        yield client, state
    state.close()


@pytest.fixture
def client(http, fill):
    """The client over a database and a state that hold only what the test filled in."""
    del fill
    client, state = http
    with state.write() as tx:
        tx.exec_driver_sql("DELETE FROM deploy_markers")
    return client


def asked(client, **params):
    """The documented rows."""
    answer = client.get(DEPLOYS, params={"start": "-3h", **params})
    assert answer.status_code == 200, answer.text
    return Page[Deploy].model_validate(answer.json()).data


def tell(client, key="admin", header=None, **fields):
    """Tell of a deploy of cart 2."""
    headers = {"authorization": f"Bearer {key}", **({"idempotency-key": header} if header else {})}
    return client.post(
        DEPLOYS, json={"service": "cart", "version": "2", "env": "demo", **fields}, headers=headers
    )


def calls(version, begin_s, end_s, per_minute=10, failing=0.0, took_ms=20):
    """Served calls of *version*, evenly over some minutes; every so manieth fails."""
    count = int((end_s - begin_s) / 60 * per_minute)
    return [
        span(begin_s + (end_s - begin_s) * (number + 0.5) / count, "cart", "GET /cart", resource={"service.version": version},
             status="error" if int((number + 1) * failing) > int(number * failing) else "ok",
             duration_ns=int(took_ms * 1e6 * (0.8 + 0.4 * (number * 7919 % 100) / 100)))
        for number in range(count)
    ]  # fmt: skip


def test_a_version_that_fails_more_regressed(fill, client):
    """Compared with what was served before, with numbers, evidence and the version before."""
    fill("spans", [*calls("1", -3600, -1200), *calls("2", -1200, 0, failing=0.2)])

    new, old = asked(client)

    assert (new.version, new.previous, new.verdict, new.basis) == ("2", "1", "regressed", "before")
    assert [finding.code for finding in new.evidence] == ["errors"]
    assert (new.after.calls, new.after.error_ratio) == (200, 0.2)
    assert new.baselines["before"].error_ratio == 0
    assert (old.version, old.verdict) == ("1", "too_little_data")


def test_a_slower_version_regressed_and_a_faster_one_improved(fill, client):
    """By its quantiles."""
    fill("spans", [
        *calls("1", -9000, -7200), *calls("2", -7200, -3600, took_ms=60), *calls("3", -3600, 0, took_ms=20),
    ])  # fmt: skip

    verdicts = {row.version: row.verdict for row in asked(client)}

    assert verdicts == {"3": "improved", "2": "regressed", "1": "too_little_data"}


def test_versions_that_serve_at_once_are_compared_with_each_other(fill, client):
    """Both slow since the database is: the new version is not what did it."""
    fill("spans", [
        *calls("1", -3600, -1200), *calls("1", -1200, 0, took_ms=80, failing=0.1), *calls("2", -1200, 0, took_ms=80, failing=0.1),
    ])  # fmt: skip

    new = asked(client)[0]

    assert (new.version, new.verdict, new.basis) == ("2", "unchanged", "the version beside it")
    assert 200 <= new.baselines["the version beside it"].calls <= 210


def test_the_same_hour_of_the_day_before_speaks_too(fill, client):
    """Every day at this time it is slow: no regression."""
    fill("spans", [
        *calls("1", -DAY - 1200, -DAY, took_ms=80), *calls("1", -3600, -1200), *calls("2", -1200, 0, took_ms=80),
    ])  # fmt: skip

    new = asked(client)[0]

    assert new.verdict == "unchanged"
    assert set(new.baselines) == {"before", "at that time the day before"}


def test_breakers_that_open_on_it_speak_against_a_version(fill, client):
    """Once, however often it was told; its own are listed and decide nothing."""
    fill("spans", [*calls("1", -3600, -1200), *calls("2", -1200, 0)])
    opening = transition(-600, "web", "to-cart", "closed>open", target="cart")
    fill(
        "breaker_transitions",
        [
            opening,
            {**opening, "at": at(-600.4), "source": "log"},
            transition(-500, "cart", "stock", "closed>open"),
        ],
    )

    new = asked(client)[0]

    assert new.verdict == "regressed"
    assert [finding.code for finding in new.evidence] == ["breakers_opened"]
    assert [(each.service, each.breaker, each.on_it) for each in new.breakers_opened] == [
        ("cart", "stock", False),
        ("web", "to-cart", True),
    ]


def test_a_failed_probe_is_no_opening_even_where_it_does_not_say_what_it_opened_from(fill, client):
    """What its instance told before says it; openings before and after the compared time are not counted."""
    fill("spans", [*calls("1", -3600, -1200), *calls("2", -1200, 0)])
    probed = [
        transition(-700, "web", "to-cart", "closed>open", target="cart"),
        transition(-650, "web", "to-cart", "open>half_open", target="cart"),
        {**transition(-640, "web", "to-cart", "half_open>open", target="cart"), "from_state": ""},
    ]
    elsewhere = [
        transition(-3200, "web", "early", "closed>open", target="cart"),
        transition(-500, "web", "other", "closed>open", target="stock"),
        transition(-400, "web", "closes", "half_open>closed", target="cart"),
    ]
    fill("breaker_transitions", [*probed, *elsewhere])

    new = asked(client)[0]

    assert [each.breaker for each in new.breakers_opened] == ["to-cart"]


def test_new_log_patterns_come_with_one_services_deploys(fill, client):
    """What version 2 logs and version 1 did not."""
    fill("spans", [*calls("1", -3600, -1200), *calls("2", -1200, 0)])
    fill("logs", [
        *(log(-1800 + number, f"order {number} accepted", service="cart") for number in range(5)),
        *(log(-600 + number, f"order {number} accepted", service="cart") for number in range(5)),
        *(log(-600 + number, f"cannot reach stock at 10.0.0.{number}", service="cart", severity="error", severity_number=17) for number in range(3)),
        log(-600, "something else", service="web"),
    ])  # fmt: skip

    new = asked(client, service="cart")[0]

    assert new.new_patterns is not None
    assert [(pattern.count, pattern.severity) for pattern in new.new_patterns] == [(3, "error")]
    assert "cannot reach stock" in new.new_patterns[0].template
    assert asked(client)[0].new_patterns is None


def test_what_was_told_stands_beside_what_was_seen(fill, client):
    """A marker near a version's first sight is part of its row; one of a version that comes back is a deploy of its own."""
    fill("spans", [*calls("1", -9000, -7200), *calls("2", -7200, -3600), *calls("1", -3600, 0)])
    tell(
        client,
        at=at(-7300).replace(" ", "T") + "Z",
        by="ci",
        commit="abc123",
        url="https://ci.example.com/1",
        description="Faster carts",
    )
    tell(client, version="1", at=at(-3600).replace(" ", "T") + "Z", by="rollback")

    back, two, one = asked(client)

    assert (back.version, back.previous, back.first_seen, back.markers[0].by) == ("1", "2", None, "rollback")
    assert 300 <= back.after.calls <= 310
    assert (two.version, two.markers[0].commit, two.markers[0].url) == (
        "2",
        "abc123",
        "https://ci.example.com/1",
    )
    assert (one.version, one.markers) == ("1", [])


def test_a_deploy_of_which_nothing_was_seen_is_told_all_the_same(client):
    """And there is too little to judge it by."""
    assert tell(client).status_code == 200

    (row,) = asked(client, start="-1h", end="+1m")

    assert (row.version, row.first_seen, row.verdict) == ("2", None, "too_little_data")


def test_a_repeat_is_told_once(client):
    """Under its key, and without one as the same version within ten minutes; the first answer comes again."""
    first = tell(client, header="run-7")
    again = tell(client, header="run-7")
    other = tell(client, header="run-7", version="3")
    nameless, later = tell(client), tell(client, at=at(-3000).replace(" ", "T") + "Z")

    assert first.json()["data"] == again.json()["data"]
    assert (first.headers.get("fuseboard-duplicate"), again.headers.get("fuseboard-duplicate")) == (
        None,
        "true",
    )
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")
    assert nameless.headers.get("fuseboard-duplicate") == "true"
    assert "fuseboard-duplicate" not in later.headers


def test_pipelines_and_editors_tell_and_readers_do_not(client):
    """An ingest key is what a pipeline has; one that is bound tells of its own service only."""
    assert [tell(client, key).status_code for key in ("ingest", "editor", "admin", "read")] == [
        200,
        200,
        200,
        403,
    ]
    assert tell(client, "bound", version="9").status_code == 200
    assert tell(client, "bound", service="", version="10").json()["data"][0]["service"] == "cart"
    assert tell(client, "bound", service="web").json()["error"]["code"] == "key_service"
    assert tell(client, "bound", env="test").json()["error"]["code"] == "key_env"
    assert tell(client, "bound", env="").json()["error"]["code"] == "key_env"
    assert (
        client.post(
            DEPLOYS, json={"service": "a", "version": "1"}, headers={"authorization": "Bearer no"}
        ).status_code
        == 401
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"service": ""}, "service"),
        ({"version": ""}, "version"),
        ({"version": "v" * 201}, "version"),
        ({"version": 7}, "version"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"at": "yesterday"}, "at"),
        ({"at": "+2h"}, "at"),
        ({"at": "1999-01-01T00:00:00Z"}, "at"),
        ({"owner": "me"}, "owner"),
        ({"description": "d" * 2001}, "description"),
    ],
)
def test_what_is_wrong_is_named(client, fields, param):
    """400 with the field, and nothing is kept."""
    refused = tell(client, **fields)

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param
    assert asked(client, start="-1h", end="+1m") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"service": "\xff"}', b'"x"', b"[" * 5000])
def test_what_is_no_json_object_is_a_400(client, body):
    """Whatever the pipeline's template made of it."""
    refused = client.post(DEPLOYS, content=body, headers={"content-type": "application/json"})

    assert refused.status_code == 400
    assert refused.json()["error"]["message"]


@pytest.mark.parametrize("params", [{"span_s": 1}, {"span_s": "x"}, {"span": 60}, {"limit": 0}])
def test_wrong_parameters_are_refused(client, params):
    """By name."""
    refused = client.get(DEPLOYS, params=params)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(params)))
