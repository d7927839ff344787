"""Events of the forward protocol become rows of `logs`."""

from __future__ import annotations

import json

from collector.journal.envelope import Head


def test_an_event_is_a_line_with_its_own_time(warehouse, now_ns) -> None:
    """The record is read like a JSON line; the event's time counts where it says none; the tag is the service where nobody says one."""
    seconds, at = now_ns // 10**9 - 5, now_ns - 3
    events = [
        [seconds, {"log": "from docker", "container_name": "/web", "source": "stdout"}],
        [at, {"message": "in JSON", "level": "error", "service": "own", "kubernetes": {"pod_name": "p"}}],
        [[seconds, {"meta": 1}], {"msg": "with metadata", "time": (now_ns - 10**9) // 10**9}],
        [seconds, {"a": 1}],
    ]  # fmt: skip
    body = b"".join(json.dumps(event).encode() + b"\n" for event in events)

    warehouse.load("fluent_forward", (Head("b", now_ns, resource={"fluent.tag": "app.web"}), body))

    rows = warehouse.rows("SELECT service, body, severity, toUnixTimestamp64Nano(occurred_at) AS at, attributes, resource FROM logs ORDER BY line")  # fmt: skip
    assert [(row["service"], row["body"], row["severity"], int(row["at"])) for row in rows] == [
        ("app.web", "from docker", "", seconds * 10**9),
        ("own", "in JSON", "error", at),
        ("app.web", "with metadata", "", (now_ns - 10**9) // 10**9 * 10**9),
        ("app.web", '{"a":1}', "", seconds * 10**9),
    ]
    assert rows[0]["attributes"] == {"container_name": "/web", "source": "stdout"}
    assert rows[1]["attributes"] == {"kubernetes.pod_name": "p"}
    assert rows[0]["resource"]["fluent.tag"] == "app.web"
