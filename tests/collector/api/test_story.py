"""One story over every resource: payment fails, checkout's breaker opens, everything points at payment."""

import json

import pytest

from collector.api.answer import Page
from collector.api.v1 import breakers, deploys, endpoints, ledger, services, topology, traces
from collector.read.present import Present
from tests.collector.read.real_store import NOW_NS, at, log, span, transition

TRACE = "ab" * 16
RESOURCE = {"service.version": "1.4", "fuseboard.owner": "team-pay", "service.instance.id": "checkout-1"}


def iso(seconds):
    """The API's spelling of a time relative to now."""
    return at(seconds).replace(" ", "T") + "Z"


def asked(client, path, model):
    """GET *path*, checked against the documented model; returns data."""
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    Page[model].model_validate(answer.json())
    return answer.json()["data"]


def calls(number, failed, service="checkout"):
    """Requests to checkout, each calling payment; *failed* of them fail."""
    for index in range(number):
        status = "error" if index < failed else "ok"
        trace, when = f"{index:032x}", -200 + index * 4
        common = {"trace_id": trace, "status": status}
        yield span(when, "gateway", "POST /buy", span_id=f"g{index:015x}", **common,
                   attributes={"http.route": "/buy", "http.request.method": "POST"})  # fmt: skip
        yield span(when, "gateway", "checkout", kind="client", parent_span_id=f"g{index:015x}", span_id=f"h{index:015x}",
                   attributes={"peer.service": "checkout"}, **common)  # fmt: skip
        yield span(when, service, "POST /checkout", parent_span_id=f"h{index:015x}", span_id=f"c{index:015x}", **common,
                   resource=RESOURCE, attributes={"http.route": "/checkout", "http.request.method": "POST"})  # fmt: skip
        yield span(when, service, "POST payment", kind="client", parent_span_id=f"c{index:015x}",
                   span_id=f"d{index:015x}", attributes={"peer.service": "payment"}, **common)  # fmt: skip


@pytest.fixture
def shop(fill, client):
    """Forty requests, twelve failed; checkout's breaker on payment open for 30 s; a queue and a database at the side."""
    failing = [
        span(-31, "checkout", "POST /checkout", trace_id=TRACE, span_id="root", status="error", duration_ns=2_000_000_000),
        span(-30.9, "checkout", "POST payment", kind="client", trace_id=TRACE, span_id="first", parent_span_id="root",
             status="error", status_message="503 from payment", attributes={"peer.service": "payment"},
             events=[{"at": at(-30.8), "name": "exception", "attributes": {"exception.type": "HTTPError"}}]),
        span(-30, "payment", "POST /pay", trace_id=TRACE, span_id="callee", parent_span_id="first"),
        span(-30, "checkout", "SELECT", kind="client", attributes={"db.system.name": "sqlite", "db.namespace": "orders"}),
        span(-29, "checkout", "send", kind="producer",
             attributes={"messaging.system": "sqlite", "messaging.destination.name": "mails"}),
        span(-28, "notifications", "process", kind="consumer",
             attributes={"messaging.system": "sqlite", "messaging.destination.name": "mails"}),
        span(-28, "checkout", "GET", kind="client", attributes={"server.address": "api.example.com"}),
    ]  # fmt: skip
    fill("spans", [*calls(40, 12), *failing])
    fill("logs", [log(-30, "payment failed", trace_id=TRACE, severity="error", severity_number=17),
                         log(-30, "refused", service="payment", trace_id=TRACE, line=1)])  # fmt: skip
    opened = {"failure_rate": 0.6, "reason": "5 of 8 calls failed", "trace_id": TRACE}
    fill(
        "breaker_transitions",
        [
            transition(-30, "checkout", "payment", "closed>open", source="log", **opened),
            transition(-29.95, "checkout", "payment", "closed>open", source="post", not_permitted=3),
            transition(-29, "checkout", "payment", "closed>open", derived=True, source="metrics"),
            transition(-300, "gateway", "checkout", ">closed"),
        ],
    )
    return client


def test_services_carry_verdicts_with_evidence(shop):
    """Payment is unhealthy because checkout holds a breaker on it; checkout is so by its errors and names its breaker."""
    rows = {row["service"]: row for row in asked(shop, "services?env=demo", services.Service)}

    codes = {name: [reason["code"] for reason in row["reasons"]] for name, row in rows.items()}
    assert codes["payment"] == ["breakers_on_it"]
    assert codes["checkout"] == ["error_ratio", "breaker_open", "latency"]
    assert rows["notifications"]["health"] == "healthy"
    checkout = rows["checkout"]
    assert (checkout["health"], checkout["owner"], checkout["versions"]) == ("unhealthy", "team-pay", ["1.4"])
    assert checkout["breakers"] == {"open": 1, "half_open": 0, "closed": 0, "unknown": 0}
    assert checkout["error_ratio"] == pytest.approx(13 / 41, abs=1e-4)
    assert checkout["p50_ms"] == pytest.approx(10)


def test_one_service_in_depth(shop):
    """A service has its course over time, its log counts, and its neighbours with their breakers."""
    row = asked(shop, "services/checkout", services.ServiceInDepth)[0]

    assert 60 <= len(row["series"]) <= 61
    assert sum(bucket["total"] for bucket in row["logs"]) == 1
    assert [edge["caller"] for edge in row["callers"]] == ["gateway"]
    assert {edge["callee"] for edge in row["callees"]} == {"payment", "orders", "mails", "api.example.com"}
    assert asked(shop, "services/checkout/health", services.Service)[0]["health"] == "unhealthy"
    assert shop.get("/api/v1/services/nobody").status_code == 404


def test_the_map_knows_kinds_and_protection(shop):
    """Nodes are services, databases, queues and hosts outside; an edge carries the caller's breaker."""
    whole = asked(shop, "map?env=demo", topology.Map)[0]

    kinds = {node["id"]: node["kind"] for node in whole["nodes"]}
    assert kinds["payment"] == kinds["notifications"] == "service"
    assert (kinds["orders"], kinds["mails"], kinds["api.example.com"]) == ("database", "queue", "external")
    edges = {(edge["caller"], edge["callee"]): edge for edge in whole["edges"]}
    assert edges["checkout", "payment"]["breaker"] == {"name": "payment", "state": "open"}
    assert edges["gateway", "checkout"]["protected"] is True
    assert edges["checkout", "orders"]["protected"] is False
    assert ("mails", "notifications") in edges


def test_the_board_explains_the_open_breaker(shop):
    """The breaker is counted open once, its cause is the first failing span of its trace, its callers are named."""
    row = asked(shop, "breakers", breakers.Breaker)[0]

    assert (row["service"], row["breaker"], row["state"], row["since"]) == (
        "checkout",
        "payment",
        "open",
        iso(-30),
    )
    assert (row["opens_1h"], row["not_permitted_1h"], row["trace_id"]) == (1, 3, TRACE)
    assert [row["stale"], row["stuck"], row["flapping"]] == [False, False, False]
    assert (row["cause"]["span_id"], row["cause"]["trace_id"]) == ("first", TRACE)
    assert "503 from payment" in row["cause"]["message"]
    assert [caller["service"] for caller in row["blast_radius"]["callers"]] == ["gateway"]
    assert row["blast_radius"]["callers"][0]["share"] == 1


def test_one_breaker_has_its_timeline(shop):
    """A breaker's page has its transitions; an unknown breaker is a 404."""
    row = asked(shop, "breakers/checkout/payment", breakers.BreakerWithTimeline)[0]

    assert [(step["from"], step["to"], step["not_permitted"]) for step in row["timeline"]] == [
        ("closed", "open", 3)
    ]
    assert shop.get("/api/v1/breakers/checkout/nothing").status_code == 404


def test_traces_are_found_and_shown_whole(shop):
    """A search finds the trace; the trace has its spans, every service's logs and the transition it caused."""
    found = asked(shop, "traces?error=true&min_duration_ms=1000&service=payment", traces.TraceSummary)
    whole = asked(shop, f"traces/{TRACE.upper()}", traces.Trace)[0]

    assert [(row["trace_id"], row["root_name"], row["spans"]) for row in found] == [
        (TRACE, "POST /checkout", 3)
    ]
    assert [each["span_id"] for each in whole["spans"]] == ["root", "first", "callee"]
    assert whole["spans"][1]["events"][0]["attributes"] == {"exception.type": "HTTPError"}
    assert {each["service"] for each in whole["logs"]} == {"checkout", "payment"}
    assert [each["to"] for each in whole["transitions"]] == ["open"]
    assert shop.get("/api/v1/traces/" + "0" * 31 + "f" * 40).status_code == 404


def test_traces_are_searched_by_their_spans_and_paged(shop):
    """`query` is about some span; the cursor leads through all traces once."""
    by_span = asked(
        shop, 'traces?query=status_message:"503 from payment" duration_ms:>5', traces.TraceSummary
    )
    seen, cursor = [], ""
    while cursor is not None:
        body = shop.get(
            f"/api/v1/traces?limit=9&cursor={cursor}" if cursor else "/api/v1/traces?limit=9"
        ).json()
        seen += [row["trace_id"] for row in body["data"]]
        cursor = body["next_cursor"]

    assert [row["trace_id"] for row in by_span] == [TRACE]
    assert len(seen) == len(set(seen)) == 42


@pytest.mark.usefixtures("shop")
def test_the_alert_evaluator_gets_every_instance(store):
    """Present.current() says per instance what state it is in since when."""
    now = Present(store, lambda: NOW_NS).current()

    states = {(it.service, it.breaker, it.instance): it for it in now}
    open_ = states["checkout", "payment", "checkout-1"]
    assert (open_.state, open_.trace_id, open_.reason) == ("open", TRACE, "5 of 8 calls failed")
    assert open_.since.timestamp() == NOW_NS / 1e9 - 30
    assert states["gateway", "checkout", "gateway-1"].state == "closed"


def test_a_silent_service_is_unhealthy_and_its_breakers_unknown(fill, client):
    """Who used to report and stopped is unhealthy (silent); after five minutes its breakers are unknown."""
    fill("logs", [log(-400 - index, "working", line=index) for index in range(20)])
    fill("breaker_transitions", [transition(-450, "checkout", "payment", "closed>open")])

    service = asked(client, "services", services.Service)[0]
    breaker = asked(client, "breakers", breakers.Breaker)[0]

    assert (service["health"], service["reasons"][0]["code"]) == ("unhealthy", "silent")
    assert (breaker["state"], breaker["stale"], breaker["instances"][0]["state"]) == (
        "unknown",
        True,
        "unknown",
    )
    assert service["breakers"]["unknown"] == 1


def test_flapping_and_stuck_and_disagreement(fill, client):
    """Three opens out of closed in ten minutes flap; half open for over a minute is stuck; instances may disagree."""
    fill("logs", [log(-5, "alive")])
    steps = [
        change
        for start in (-500, -300, -200)
        for change in (
            transition(start, "checkout", "payment", "closed>open"),
            transition(start + 20, "checkout", "payment", "open>half_open"),
            transition(start + 30, "checkout", "payment", "half_open>closed"),
        )
    ]
    other = [
        transition(-120, "checkout", "payment", "closed>open", instance="checkout-2"),
        transition(-90, "checkout", "payment", "open>half_open", instance="checkout-2"),
    ]
    fill("breaker_transitions", steps + other)

    row = asked(client, "breakers", breakers.Breaker)[0]

    assert (row["flapping"], row["stuck"], row["agree"], row["state"]) == (True, True, False, "half_open")
    assert {it["instance"]: it["state"] for it in row["instances"]} == {
        "checkout-1": "closed",
        "checkout-2": "half_open",
    }
    assert row["opens_1h"] == 4


def test_transitions_are_paged_newest_first(fill, client):
    """The transitions come once each, page by page."""
    fill("breaker_transitions",
         [transition(-100 + index // 3, "checkout", f"b{index}", "closed>open") for index in range(10)])  # fmt: skip
    seen, cursor = [], ""

    while cursor is not None:
        body = client.get(
            "/api/v1/breakers/transitions?limit=4" + (f"&cursor={cursor}" if cursor else "")
        ).json()
        seen += [row["breaker"] for row in body["data"]]
        cursor = body["next_cursor"]

    assert len(seen) == len(set(seen)) == 10


def report(seconds, sequence, read, dropped=0):
    """One agent report with cumulative counters."""
    counter = {"service": "checkout", "env": "demo", "signal": "logs", "read_blocks": read, "read_bytes": read * 100,
               "rejected_blocks": 1, "duplicate_blocks": 2, "dropped": {"spool_full": {"blocks": dropped, "bytes": 9}}}  # fmt: skip
    return {"at": at(seconds), "observed_at": at(seconds), "agent": "a1", "name": "checkout-1", "version": "0.1.0",
            "host": "h", "sequence": sequence, "started_at": at(-9000), "spool_blocks": 0, "spool_bytes": 0,
            "oldest_age_s": 0.0, "lag_bytes": 5, "counters": json.dumps([counter]), "batch_id": f"r{sequence}",
            "retention_days": 3000}  # fmt: skip


def test_the_ledger_balances_between_two_reports(fill, client):
    """Emitted = stored + rejected + dropped + in flight for the range between the reports; a gap in a file is named."""
    fill("agent_reports", [report(-5000, 1, 100), report(-5, 3, 110, dropped=3), report(-4000, 2, 101)])
    batch = {"agent": "a1", "service": "checkout", "signal": "logs", "env": "demo", "source_kind": "file",
             "source_path": "/app.log", "generation": "1", "bytes": 100, "records": 2, "retention_days": 3000}  # fmt: skip
    fill("batches", [
        {**batch, "batch_id": f"b{index}", "received_at": at(-100 + index),
         "source_start": start, "source_end": start + 100}
        for index, start in enumerate((0, 100, 300))
    ] + [{**batch, "batch_id": "curl", "agent": "", "source_kind": "", "received_at": at(-50)}])  # fmt: skip
    fill("logs", [log(-90, "x", batch_id="b0", line=line) for line in range(2)])

    rows = {row["agent"]: row for row in asked(client, "ledger?service=checkout", ledger.LedgerEntry)}

    mine = rows["a1"]
    assert (
        mine["emitted"]
        == mine["stored"] + mine["rejected"] + sum(mine["dropped"].values()) + mine["in_flight"]
    )
    assert (mine["emitted"], mine["stored"], mine["dropped"], mine["in_flight"]) == (
        9,
        3,
        {"spool_full": 3},
        3,
    )
    assert (mine["stored_rows"], mine["stored_bytes"], mine["emitted_bytes"]) == (2, 300, 900)
    assert [(gap["missing_from"], gap["missing_to"]) for gap in mine["gaps"]] == [(200, 300)]
    assert (rows[""]["emitted"], rows[""]["stored"]) == (1, 1)


def test_agents_show_their_last_report(fill, client):
    """An agent comes with its services, lag and drops; one that stopped reporting is silent."""
    fill("agent_reports", [report(-5, 2, 110, dropped=3)])

    row = asked(client, "agents", ledger.Agent)[0]
    later = asked(client, "agents?end=now%2B2m", ledger.Agent)[0]

    assert (row["agent"], row["services"], row["dropped"], row["state"]) == (
        "a1",
        ["checkout"],
        {"spool_full": 3},
        "up",
    )
    assert later["state"] == "silent"


def test_what_was_set_aside_is_listed_with_its_reason(fill, client):
    """Newest first, within the window and the limit."""
    row = {
        "format": "lines",
        "target": "lines",
        "reason": "no",
        "segment": "s",
        "bytes": 9,
        "retention_days": 3000,
    }
    fill(
        "quarantine",
        [{**row, "at": at(-seconds), "batch_id": f"b{seconds}"} for seconds in (5, 50, 500, 5000)],
    )

    found = asked(client, "quarantine?limit=2", ledger.Quarantined)

    assert [(row["batch_id"], row["reason"], row["bytes"]) for row in found] == [
        ("b5", "no", 9),
        ("b50", "no", 9),
    ]


def test_our_own_lines_are_found_by_those_who_name_them(fill, client):
    """The canary's lines are in no list; a search for their service, or for canary, has them."""
    fill("logs", [log(-9, "canary 1", service="fuseboard"), log(-8, "order", service="checkout")])

    found = {query: [row["service"] for row in client.get("/api/v1/logs", params={"query": query}).json()["data"]]
             for query in ("", "order", "service:fuseboard", "canary", "-service:checkout")}  # fmt: skip
    listed = [row["service"] for row in client.get("/api/v1/services").json()["data"]]
    counted = client.get("/api/v1/logs/histogram?buckets=1").json()["data"]

    assert found == {
        "": ["checkout"], "order": ["checkout"], "service:fuseboard": ["fuseboard"], "canary": ["fuseboard"], "-service:checkout": []
    }  # fmt: skip
    assert listed == ["checkout"]
    assert sum(bucket["total"] for bucket in counted) == 1
    assert client.get("/api/v1/services/fuseboard").status_code == 200


def test_endpoints_and_deploys(shop):
    """Endpoints come with their calls by version, versions with when they were seen."""
    used = asked(shop, "endpoints?service=checkout", endpoints.Endpoint)
    versions = asked(shop, "deploys", deploys.Deploy)

    assert [(row["route"], row["version"], row["calls"]) for row in used] == [("/checkout", "1.4", 40)]
    assert [(row["service"], row["version"]) for row in versions] == [("checkout", "1.4")]
