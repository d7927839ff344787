"""GET /gateway: clients and routes at the entry, and who feels an outage, on the real engine."""

from __future__ import annotations

import pytest

from collector.api.answer import Page
from collector.api.v1.gateway import Client
from collector.health.gateway import Asked, gateway
from collector.query.window import Window
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, at, log, span


@pytest.fixture
def entries(fill):
    """Store rows as the job leaves them: (by, client, route, calls, errors)."""

    def put(*rows, service="web", weight=1):
        for by, client, route, calls, errors in rows:
            fill("entry_minutes", [{"minute": at(-300)[:17] + "00", "env": "demo", "service": service, "by": by, "client": client, "method": "GET", "route": route,
                                    "retention_days": 3000, "calls": calls, "errors": errors, "weighted_calls": calls * weight, "weighted_errors": errors * weight,
                                    "last_at": at(-290)}])  # fmt: skip

    return put


@pytest.fixture
def asked(client):
    """The documented rows."""

    def ask(**params):
        answer = client.get("/api/v1/gateway", params=params)
        assert answer.status_code == 200, answer.text
        return Page[Client].model_validate(answer.json()).data

    return ask


def test_who_feels_an_outage_comes_first_with_the_routes_that_fail(entries, asked):
    """One client of a hundred calls the broken route: the average hides it, the answer does not."""
    entries(
        ("", "", "/pay", 1000, 10),
        ("client", "shop-app", "/items", 990, 0),
        ("client", "partner", "/pay", 8, 8),
        ("client", "partner", "/items", 2, 0),
    )

    partner, app = asked()

    assert (partner.client, partner.feels_outage, partner.error_ratio, partner.share) == (
        "partner",
        True,
        0.8,
        0.01,
    )
    assert [(route.route, route.error_ratio) for route in partner.routes] == [("/pay", 1.0), ("/items", 0.0)]
    assert (app.client, app.feels_outage, app.calls) == ("shop-app", False, 990)


def test_the_most_telling_view_is_chosen_of_each_service(entries, asked):
    """A key before an agent; a service whose calls tell nothing is one nameless client; a view may be named."""
    entries(
        ("", "", "/a", 9, 0),
        ("client", "key 1", "/a", 5, 0),
        ("agent", "okhttp", "/a", 9, 0),
        ("address", "192.0.2.1", "/a", 9, 0),
    )
    entries(("", "", "/b", 4, 0), service="mute")

    assert {(row.service, row.by, row.client) for row in asked()} == {
        ("web", "client", "key 1"),
        ("mute", "", ""),
    }
    assert [(row.by, row.client) for row in asked(by="agent", service="web")] == [("agent", "okhttp")]


def test_sampled_calls_are_weighted(entries, asked):
    """And the answer says so."""
    entries(("", "", "/a", 10, 1), weight=20)

    (row,) = asked()

    assert (row.calls, row.sampled, row.error_ratio) == (200, True, 0.1)


COMBINED = {
    "http.request.method": "GET",
    "url.path": "/v1/items/4711",
    "http.response.status_code": "502",
    "client.address": "192.0.2.9",
    "user_agent.original": "curl/8.1",
}
ENVOY_JSON = {
    "method": "POST",
    "path": "/pay?x=1",
    "response_code": "200",
    "duration": "26",
    "downstream_remote_address": "192.0.2.8:4711",
    "user_agent": "okhttp/4",
}
ENVOY_TEXT = (
    '[2026-11-18T11:00:00.310Z] "POST /api/v1/locations/12345 HTTP/2" 204 - 154 0 226 100 "192.0.2.28" "nsq2http" '
    '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://192.0.2.1:80"'
)


def test_access_logs_of_nginx_and_envoy_tell_of_clients_too(fill, asked):
    """As they are parsed, as JSON and as Envoy's own text; ids in paths are one route; other records are none."""
    fill("logs", [
        *(log(-300, "GET", service="nginx-edge", attributes=COMBINED) for _ in range(6)),
        log(-300, "{}", service="front-envoy", attributes=ENVOY_JSON),
        log(-300, ENVOY_TEXT, service="front-envoy"),
        log(-300, "starting workers", service="nginx-edge"),
        log(-300, "GET", service="cart", attributes=COMBINED),
    ])  # fmt: skip

    rows = asked()

    assert [(row.service, row.by, row.client, row.calls, row.source) for row in rows] == [
        ("nginx-edge", "agent", "curl", 6, "access_log"),
        ("front-envoy", "agent", "nsq2http", 1, "access_log"),
        ("front-envoy", "agent", "okhttp", 1, "access_log"),
    ]
    assert rows[0].feels_outage
    assert [(row.routes[0].method, row.routes[0].route, row.routes[0].p95_ms) for row in rows] == [
        ("GET", "/v1/items/{id}", None), ("POST", "/api/v1/locations/{id}", 226), ("POST", "/pay", 26),
    ]  # fmt: skip
    assert {row.client for row in asked(by="address")} == {"192.0.2.9", "192.0.2.8", "192.0.2.28"}


def test_spans_of_a_gateway_are_not_counted_again_by_its_access_log(fill, entries, asked):
    """One source for one service."""
    entries(("", "", "/a", 5, 0), service="nginx")
    fill("logs", [log(-300, "GET", service="nginx", attributes=COMBINED)])

    assert [(row.source, row.calls) for row in asked()] == [("spans", 5)]


def test_a_gateway_of_the_catalogue_counts_though_its_callers_are_inside(fill, store):
    """Behind a traced ingress: its routes are known, its clients are not."""
    fill("spans", [span(-300, "api", "GET", attributes={"http.route": "/v1/a"}) for _ in range(3)])
    window = Window(NOW_NS - 3600 * 10**9, NOW_NS, NOW_NS)

    rows, _ = gateway(Reader(store), window, Asked(gateways=["api"]))

    assert [(row["service"], row["client"], row["calls"], row["routes"][0]["route"]) for row in rows] == [
        ("api", "", 3, "/v1/a")
    ]


@pytest.mark.parametrize(
    ("params", "param"), [({"by": "ip"}, "by"), ({"limit": 0}, "limit"), ({"route": "/"}, "route")]
)
def test_wrong_parameters_are_refused(client, params, param):
    """By name."""
    refused = client.get("/api/v1/gateway", params=params)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
