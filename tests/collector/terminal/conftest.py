"""One collector with something of everything, for all tests of the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
# A title, a colour, a cleared screen, a C1 sequence, a direction mark: what a hostile client may make a service log.
HOSTILE = "user \x1b]0;owned\x07 \x1b[31mred\x1b[2J \x9b1m \u202eevil \x08\x08ok"


def lines() -> bytes:
    """Five records of two services."""
    records = [
        {"service": "checkout", "level": "error", "msg": "charge failed: connection refused", "trace_id": TRACE, "span_id": "00f067aa0ba902b8"},
        {"service": "checkout", "level": "info", "msg": "order placed", "user.id": 42},
        {"service": "checkout", "level": "warn", "msg": "slow\nsecond line", "took": "1.5s"},
        {"service": "inventory", "level": "info", "msg": HOSTILE, "name\x1b[5m": "value\x1b[5m"},
        {"service": "inventory", "level": "fatal", "msg": "disk full näme — 漢字"},
    ]  # fmt: skip
    return b"\n".join(json.dumps(record).encode() for record in records)


def spans(now_ns: int) -> dict[str, object]:
    """A trace of two services: a request that failed below, and an orphan."""

    def span(
        identifier: str, parent: str, name: str, at_ms: int, ms: int, status: int = 0
    ) -> dict[str, object]:
        start = now_ns + at_ms * 10**6
        return {"traceId": TRACE, "spanId": identifier, "parentSpanId": parent, "name": name, "kind": 2,
                "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + ms * 10**6),
                "status": {"code": status, "message": "connection refused" if status == 2 else ""}}  # fmt: skip

    def of(service: str, *found: dict[str, object]) -> dict[str, object]:
        name = {"key": "service.name", "value": {"stringValue": service}}
        return {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": list(found)}]}

    return {
        "resourceSpans": [
            of("checkout", span("00f067aa0ba902b7", "", "POST /orders", 0, 120, 2), span("00f067aa0ba902b8", "00f067aa0ba902b7", "charge", 10, 100, 2)),
            of("payment", span("00f067aa0ba902b9", "00f067aa0ba902b8", "POST /charge", 20, 80), span("00f067aa0ba902ba", "ffffffffffffffff", "lost", 30, 5)),
        ]
    }  # fmt: skip


@pytest.fixture(scope="package")
def opening() -> dict[str, object]:
    """What opened checkout's breaker."""
    return {"service": "checkout", "breaker": "payment", "target": "payment", "instance": "checkout-1", "from": "closed", "to": "open",
            "at": time.time() - 5, "reason": "5 of 5 calls failed"}  # fmt: skip


@pytest.fixture(scope="package")
def asked(tmp_path_factory, opening) -> Iterator:
    """A collector without keys that has loaded all of it."""
    from tests.conftest import _starter, eventually

    with closing(_starter(tmp_path_factory.mktemp("terminal"))) as starter:
        served = next(starter)(
            "default_rules = false\n"
        )  # its breaker stays open, and no hour would be quiet
        now_ns = time.time_ns() - 5 * 10**9
        exposition = b'# TYPE orders_total counter\norders_total{kind="web"} 7\norders_total{kind="app"} 3\n'
        for path, given in (
            ("/v1/lines", {"content": lines()}),
            ("/v1/traces", {"json": spans(now_ns)}),
            ("/v1/breakers", {"json": opening}),
            (
                "/v1/exposition",
                {"content": exposition, "headers": {"Fuseboard-Resource": "service.name=checkout"}},
            ),
        ):
            answer = served.client.post(path, **given)
            assert answer.status_code == 200, answer.text
        eventually(
            lambda: len(served.data("/logs")) == 5 and served.data("/traces") and served.data("/breakers"),
            within_s=120,
        )
        eventually(lambda: served.client.post("/api/v1/sql", json={"query": "SELECT count() AS n FROM metric_samples"}).json()["data"][0]["n"] == 2)  # fmt: skip
        yield served


def say_open(served, opening: dict[str, object]) -> None:
    """Tell of the opening again: nobody knows of a breaker whose service has been silent for five minutes, and all of these tests may take as long."""
    assert served.client.post("/v1/breakers", json=opening).status_code == 200


@pytest.fixture
def still_open(asked, opening) -> None:
    """The breaker is known to be open."""
    say_open(asked, opening)


@pytest.fixture(scope="package")
def keyed(tmp_path_factory) -> Iterator:
    """A collector that requires keys, empty."""
    from tests.conftest import _starter

    with closing(_starter(tmp_path_factory.mktemp("keyed"))) as starter:
        yield next(starter)('read_key = "reader-1"\ningest_key = "writer-1"\n')
