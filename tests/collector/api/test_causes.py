"""GET /causes on the real engine: a shop of four, one fault at a time."""

import random

import pytest

from collector.api.answer import Page
from collector.api.v1.causes import ProbableCause
from collector.health.causes import causes
from collector.query.window import SECOND_NS, Window
from collector.read.kept import Kept
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, span

# gateway -> checkout -> payment -> (database) orders; gateway -> catalog
CHAIN = ("gateway", "checkout", "payment")
BEGAN_S = 600
PER_MINUTE = 12


def request(at, number, *, fails=(), slow=(), version="1", rng):
    """
    The spans of one request through the chain and one to the catalog.

    *fails* and *slow* name where trouble comes from: it goes up to the gateway as it would.
    """
    rows = []
    trace = f"{number:032x}"
    bad = [name in fails for name in (*CHAIN, "orders")]
    late = [name in slow for name in (*CHAIN, "orders")]
    for place, name in enumerate(CHAIN):
        failed, lag = any(bad[place:]), 400e6 * any(late[place:])
        took = int((40 - 10 * place + rng.random() * 4) * 1e6 + lag)
        callee = (*CHAIN, "orders")[place + 1]
        below_failed, below_lag = any(bad[place + 1 :]), 400e6 * any(late[place + 1 :])
        rows.append(span(at + place * 0.001, name, f"POST /{name}", trace_id=trace, span_id=f"{number:012x}{place:04x}", duration_ns=took,
                         status="error" if failed else "ok", resource={"service.version": version},
                         attributes={"http.route": f"/{name}"}))  # fmt: skip
        attributes = (
            {"db.system": "postgresql", "db.namespace": "orders"}
            if callee == "orders"
            else {"peer.service": callee}
        )
        rows.append(span(at + place * 0.001, name, callee, kind="client", trace_id=trace, duration_ns=int(20e6 + rng.random() * 2e6 + below_lag),
                         status="error" if below_failed else "ok", attributes=attributes, span_id=f"{number:012x}{place + 10:04x}"))  # fmt: skip
    rows.append(span(at, "catalog", "GET /items", trace_id=trace, attributes={"http.route": "/items"}))
    return rows


@pytest.fixture
def shop(fill, client):
    """Store an hour of traffic with a fault in its last ten minutes; ask."""

    def store(minutes=40, **fault):
        rng, rows = random.Random(5), []
        for number in range(minutes * PER_MINUTE):
            at = -minutes * 60 + number * 60 / PER_MINUTE
            wrong = fault if at >= -BEGAN_S and rng.random() < 0.8 else {}
            rows += request(at, number, rng=rng, **{name: value for name, value in wrong.items() if name != "version"},
                            version="2" if "version" in fault and at >= -BEGAN_S else "1")  # fmt: skip
        fill("spans", rows)

        def ask(**params):
            answer = client.get("/api/v1/causes", params={"start": "-15m", **params})
            assert answer.status_code == 200, answer.text
            return Page[ProbableCause].model_validate(answer.json()).data

        return ask

    return store


def test_quiet_traffic_has_no_cause(shop):
    """Nothing abnormal, nothing to name."""
    assert shop()() == []


@pytest.mark.parametrize("name", CHAIN)
def test_the_service_whose_own_calls_fail_is_the_cause(shop, name):
    """Its callers fail too, but what they call explains that; the way leads from the gateway to it."""
    first, *others = shop(fails=(name,))()

    assert first.service == name
    assert first.path == list(CHAIN[: CHAIN.index(name) + 1])
    assert {"errors"} <= {each.code for each in first.evidence}
    assert all(other.score < first.score / 2 for other in others)


def test_the_service_that_is_slow_itself_is_the_cause(shop):
    """Whoever waits for it is slow as well."""
    first, *_ = shop(slow=("payment",))()

    assert (first.service, first.evidence[0].code) == ("payment", "latency")
    assert first.evidence[0].value > 300 > first.evidence[0].threshold


def test_a_database_that_sends_nothing_is_judged_by_the_calls_to_it(shop):
    """Nobody traces a database; its callers tell."""
    first, *_ = shop(fails=("orders",))()

    assert (first.service, first.kind, first.path) == ("orders", "dependency", [*CHAIN, "orders"])
    assert [each.code for each in first.evidence] == ["calls_to_it"]


def test_when_it_began_is_told_to_the_call(shop):
    """The first failing call, not the minute."""
    first, *_ = shop(fails=("payment",))()

    assert first.began is not None
    assert "10:56:4" <= first.began[11:18] <= "10:57:1"


def test_a_deploy_shortly_before_is_evidence(shop):
    """The version and when it was first seen."""
    first, *_ = shop(fails=("checkout",), version="2")()

    assert first.service == "checkout"
    assert "version 2 " in next(each.message for each in first.evidence if each.code == "deploy")


def test_whose_trouble_is_asked_about_counts(shop):
    """The catalog has none: what breaks the checkout is not its cause."""
    ask = shop(fails=("payment",))

    assert ask(service="checkout")[0].service == "payment"
    assert all(row.score < 0.2 for row in ask(service="catalog"))


def test_who_asks_again_is_told_the_same_without_looking_again(shop, store):
    """A page that refreshes asks every few seconds; causes go by whole minutes, and are looked for once in a quarter of one."""
    shop(fails=("payment",))
    kept = Kept()

    def ask(after_s):
        reader, now_ns = Reader(store, kept=kept), NOW_NS + after_s * SECOND_NS
        return causes(reader, Window(now_ns - 900 * SECOND_NS, now_ns, now_ns), ""), reader.cost.rows_read

    told, read = ask(0)
    assert told[0]["service"] == "payment"
    assert read > 0
    assert ask(2) == (told, 0)
    assert ask(30)[1] > 0


def test_an_empty_system_has_no_cause(client):
    """No data, no answer, no error."""
    assert client.get("/api/v1/causes").json()["data"] == []
