"""Zipkin v2 spans become rows of `spans`; the examples follow the format's own."""

from __future__ import annotations

import json

from collector.journal.envelope import Head

TRACE = "5982fe77008310cc80f1da5e10147517"


def load(warehouse, now_ns, *spans, **head) -> list[dict]:
    """Load one request."""
    warehouse.load("zipkin", (Head("b", now_ns, **head), json.dumps(spans).encode()))
    return warehouse.rows("SELECT *, toUnixTimestamp64Nano(start) AS start_ns FROM spans ORDER BY name")


def test_a_span_keeps_what_it_says(warehouse, now_ns):
    """Times in microseconds, kind, both endpoints, tags and annotations."""
    at = now_ns // 1000
    span = {
        "traceId": TRACE, "name": "get /api", "parentId": "90394f6bcffb5d13", "id": "67fae42571535f60", "kind": "CLIENT", "timestamp": at - 500,
        "duration": 131_848, "debug": True,
        "localEndpoint": {"serviceName": "frontend", "ipv4": "192.168.99.101", "port": 9000},
        "remoteEndpoint": {"serviceName": "backend", "ipv6": "2001:db8::c001", "port": 8080},
        "annotations": [{"timestamp": at - 400, "value": "ws"}, {"timestamp": 7, "value": "old"}],
        "tags": {"http.path": "/api", "http.status_code": "200", "deployment.environment": "prod"},
    }  # fmt: skip

    (row,) = load(warehouse, now_ns, span)

    assert (row["trace_id"], row["span_id"], row["parent_span_id"]) == (TRACE, span["id"], span["parentId"])
    assert (int(row["start_ns"]), int(row["duration_ns"])) == ((at - 500) * 1000, 131_848_000)
    assert (row["service"], row["env"], row["kind"], row["name"], row["status"]) == (
        "frontend",
        "prod",
        "client",
        "get /api",
        "unset",
    )
    assert row["attributes"] == {
        **span["tags"], "peer.service": "backend", "network.peer.address": "2001:db8::c001", "network.peer.port": "8080",
        "network.local.address": "192.168.99.101", "network.local.port": "9000", "zipkin.debug": "true",
    }  # fmt: skip
    assert [event["name"] for event in row["events"]] == ["ws", "old"]
    assert row["events"][1]["attributes"] == {"fuseboard.original_time": "7000"}
    assert row["resource"]["service.name"] == "frontend"


def test_ids_are_padded(warehouse, now_ns):
    """64-bit trace ids and short span ids; what is no hex, or zero, is none."""
    rows = load(
        warehouse,
        now_ns,
        {"traceId": "80F1DA5E10147517", "id": "1", "name": "a", "parentId": "0000000000000000"},
        {"traceId": "xyz", "id": "00", "name": "b"},
    )

    assert [(row["trace_id"], row["span_id"], row["parent_span_id"]) for row in rows] == [
        ("0" * 16 + "80f1da5e10147517", "0" * 15 + "1", ""),
        ("", "", ""),
    ]


def test_the_tag_error_is_the_status(warehouse, now_ns):
    """Its text the message; OpenTelemetry's own status tag is understood too."""
    tags = [
        {"error": "boom"},
        {"error": "true"},
        {"error": ""},
        {"otel.status_code": "ERROR"},
        {"otel.status_code": "OK"},
        {},
    ]
    rows = load(
        warehouse,
        now_ns,
        *({"traceId": "1", "id": "2", "name": str(n), "tags": told} for n, told in enumerate(tags)),
    )

    assert [(row["status"], row["status_message"]) for row in rows] == [
        ("error", "boom"), ("error", ""), ("error", ""), ("error", ""), ("ok", ""), ("unset", ""),
    ]  # fmt: skip


def test_the_halves_of_a_shared_span_are_two_spans(warehouse, now_ns):
    """The server's lies under the client's, under the same id however often it is sent."""
    both = {"traceId": TRACE, "id": "67fae42571535f60", "parentId": "90394f6bcffb5d13"}
    client = {**both, "name": "a", "kind": "CLIENT", "localEndpoint": {"serviceName": "frontend"}}
    server = {
        **both,
        "name": "b",
        "kind": "SERVER",
        "shared": True,
        "localEndpoint": {"serviceName": "backend"},
    }

    first, second = load(warehouse, now_ns, client, server)

    assert (first["span_id"], first["parent_span_id"]) == (both["id"], both["parentId"])
    assert second["parent_span_id"] == both["id"]
    assert second["attributes"]["zipkin.shared_id"] == both["id"]
    assert len(second["span_id"]) == 16
    assert second["span_id"] != both["id"]
    warehouse.empty()
    assert load(warehouse, now_ns, server)[0]["span_id"] == second["span_id"]


def test_what_is_missing_is_filled_from_the_envelope(warehouse, now_ns):
    """No time, no service, nulls; a key writes as its own services."""
    bare = {"traceId": "1", "id": "2", "name": "a", "tags": None, "annotations": None, "localEndpoint": None}
    foreign = {
        "traceId": "1",
        "id": "3",
        "name": "b",
        "timestamp": 5,
        "localEndpoint": {"serviceName": "other"},
    }

    first, second = load(
        warehouse, now_ns, bare, foreign, resource={"service.name": "cart"}, services=["cart"]
    )

    assert (int(first["start_ns"]), first["service"], first["attributes"]) == (now_ns, "cart", {})
    assert (second["service"], second["resource"]["fuseboard.service_overridden"]) == ("cart", "other")
    assert second["attributes"] == {"fuseboard.original_time": "5000"}
    assert int(second["start_ns"]) == now_ns
