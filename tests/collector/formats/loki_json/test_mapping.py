"""What is pushed to Loki as JSON -> rows of `logs`."""

from __future__ import annotations

import json

from collector.journal.envelope import Head


def push(*streams: tuple[dict[str, str], list[list[object]]]) -> bytes:
    """A push of *streams*: labels and values."""
    return json.dumps(
        {"streams": [{"stream": labels, "values": values} for labels, values in streams]}
    ).encode()


def test_an_entry_becomes_a_row(warehouse, now_ns):
    """Labels name service, environment and resource, metadata are attributes, the line goes through detection; lines count up."""
    body = push(
        ({"app": "cart", "env": "prod", "pod": "cart-1"},
         [[str(now_ns - 5), "two\nlines", {"trace_id": "a" * 32, "user": "7"}], [str(now_ns), '{"msg":"in","level":"error","order":"o-1"}']]),
        ({"service_name": "pay", "job": "shop/pay", "environment": "test"}, [[str(now_ns), "level=warn msg=slow"]]),
    )  # fmt: skip

    warehouse.load("loki_json", (Head("b", now_ns, resource={"host.name": "h"}), body))

    first, second, third = warehouse.rows(
        "SELECT *, toUnixTimestamp64Nano(occurred_at) AS at FROM logs ORDER BY line"
    )
    assert (first["at"], first["service"], first["env"], first["body"]) == (
        now_ns - 5,
        "cart",
        "prod",
        "two\nlines",
    )
    assert (first["trace_id"], first["attributes"]) == ("a" * 32, {"user": "7"})
    assert first["resource"] == {
        "host.name": "h", "pod": "cart-1", "service.name": "cart", "deployment.environment.name": "prod",
    }  # fmt: skip
    assert (second["body"], second["severity"], second["attributes"]) == ("in", "error", {"order": "o-1"})
    assert (third["service"], third["severity"], third["body"], third["line"]) == ("pay", "warn", "slow", 2)
    assert third["resource"]["job"] == "shop/pay"


def test_a_lines_own_time_wins_and_a_bound_key_wins_over_labels(warehouse, now_ns):
    """The entry's time is a fallback; what a key may not write as becomes what it may."""
    body = push(
        ({"job": "other"}, [[str(now_ns), json.dumps({"ts": now_ns - 10**9, "msg": "m"})], ["no time", "x"]])
    )

    warehouse.load("loki_json", (Head("b", now_ns, services=["cart"]), body))

    first, second = warehouse.rows(
        "SELECT *, toUnixTimestamp64Nano(occurred_at) AS at FROM logs ORDER BY line"
    )
    assert (first["at"], first["service"]) == (now_ns - 10**9, "cart")
    assert first["attributes"] == {"fuseboard.service_overridden": "other"}
    assert second["at"] == now_ns
    assert second["attributes"]["fuseboard.original_time"] == "no time"
