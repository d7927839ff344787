"""Splunk's events -> rows of `logs`."""

from __future__ import annotations

import json

from collector.journal.envelope import Head


def test_an_event_becomes_a_row(warehouse, now_ns):
    """Text and objects go through detection; fields are attributes, the rest names resource and service."""
    seconds, millis = divmod(now_ns // 10**6, 1000)
    events = [
        {"time": f"{seconds}.{millis:03d}", "host": "web-1", "source": "/var/log/a.log", "sourcetype": "app", "index": "main",
         "event": "level=warn msg=slow", "fields": {"user": "7", "trace_id": "a" * 32, "ok": True}},
        {"time": seconds, "source": "s", "event": {"message": "in", "level": "error", "service": "pay", "n": {"x": 1}}},
        {"event": "plain\ntwo lines", "fields": {"service": "cart"}},
    ]  # fmt: skip

    warehouse.load("hec", (Head("b", now_ns), "\n".join(json.dumps(event) for event in events).encode()))

    first, second, third = warehouse.rows(
        "SELECT *, toUnixTimestamp64Nano(occurred_at) AS at FROM logs ORDER BY line"
    )
    assert (first["at"], first["service"], first["severity"], first["body"]) == (
        now_ns // 10**6 * 10**6, "/var/log/a.log", "warn", "slow",
    )  # fmt: skip
    assert (first["trace_id"], first["attributes"]) == ("a" * 32, {"user": "7", "ok": "true"})
    assert first["resource"] == {
        "service.name": "/var/log/a.log", "source": "/var/log/a.log", "sourcetype": "app", "index": "main", "host": "web-1", "host.name": "web-1",
    }  # fmt: skip
    assert (second["at"], second["service"], second["severity"], second["body"]) == (
        seconds * 10**9,
        "pay",
        "error",
        "in",
    )
    assert second["attributes"] == {"n.x": "1"}
    assert (third["at"], third["service"], third["body"], third["line"]) == (
        now_ns,
        "cart",
        "plain\ntwo lines",
        2,
    )
