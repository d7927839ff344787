"""The canary over a real socket and a real engine: what is lost or doubled is told, what is only late is not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collector.canary.memory import Memory
from collector.canary.watch import Canary, Verdict
from collector.metrics import CanaryMetrics
from collector.state import State
from collector.store.client import Store
from tests.collector.read.real_store import Filler, store
from tests.conftest import eventually

__all__ = ["store"]

_PACE_S = 0.1


class FrontDoor:
    """
    A listener that takes lines as a collector would and stores them as told.

    Attributes:
        status: What it answers to lines.
        copies: How often it stores a line: 0 loses it after its 2xx.
    """

    def __init__(self, store: Store) -> None:
        self.status, self.copies = 200, 1
        self.lines: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        self.reports: list[dict[str, Any]] = []
        self._fill = Filler(store)
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = door._take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = self._server.server_address
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if path == "/v1/reports":
            self.reports.append(json.loads(body))
            return 200
        if self.status == 200 and headers["Idempotency-Key"] not in self.lines:
            self.headers.append(headers)
            self.lines[headers["Idempotency-Key"]] = body
            self._store(json.loads(body))
        return self.status

    def _store(self, line: dict[str, str]) -> None:
        row = {
            "occurred_at": line["timestamp"].rstrip("Z").replace("T", " "), "observed_at": line["timestamp"].rstrip("Z").replace("T", " "),
            "service": "fuseboard", "env": "", "severity": "debug", "severity_number": 5, "body": line["message"], "trace_id": "", "span_id": "",
            "attributes": {name: value for name, value in line.items() if "." in name}, "resource": {}, "batch_id": "b", "line": 0,
            "retention_days": 3000,
        }  # fmt: skip
        for _ in range(self.copies):
            self._fill("logs", [row])

    def close(self) -> None:
        """Stop listening and empty the tables."""
        self._server.shutdown()
        self._server.server_close()
        self._fill.empty()


@pytest.fixture
def door(store: Store) -> Iterator[FrontDoor]:
    """A front door over empty tables."""
    made = FrontDoor(store)
    yield made
    made.close()


class Nest:
    """Starts canaries on one state, as restarts of one collector would."""

    def __init__(self, folder: Path, store: Store, door: FrontDoor) -> None:
        self._state = State(f"sqlite:///{folder / 'state.db'}")
        self._door = door
        self.store = store
        self.unloaded_ns: int | None = None
        self.registry = CollectorRegistry()
        self._running: list[Canary] = []

    def start(self, secret: str = "", store: Store | None = None, interval_s: float = _PACE_S) -> Canary:
        """A canary that sends at a quick pace."""
        self.registry = CollectorRegistry()
        canary = Canary(
            Memory(self._state, "here"), store or self.store, CanaryMetrics(self.registry), interval_s, lambda: self.unloaded_ns, secret
        )  # fmt: skip
        canary.listen(*self._door.address[:2])
        self._running.append(canary)
        return canary

    def close(self) -> None:
        """End them all."""
        for canary in self._running:
            canary.stop()
        self._state.close()


@pytest.fixture
def nest(tmp_path: Path, store: Store, door: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    """A state, and canaries that look soon after they sent."""
    monkeypatch.setattr("collector.canary.watch._FIRST_LOOK_S", 0.02)
    monkeypatch.setattr("collector.canary.watch._LOOK_S", 0.02)
    made = Nest(tmp_path, store, door)
    yield made
    made.close()


def until(canary: Canary, wanted: Callable[[Verdict], bool]) -> Verdict:
    """The first verdict that is as wanted."""
    deadline = time.monotonic() + 60
    while not wanted(verdict := canary.verdict()):
        assert time.monotonic() < deadline, verdict
        time.sleep(0.01)
    return verdict


def test_lines_that_arrive_are_ok_and_measured(nest: Nest, door: FrontDoor) -> None:
    """Consecutive numbers, one body each, every one found; the time until it was found is said."""
    canary = nest.start(secret="s3cret")

    verdict = until(canary, lambda it: it.sent >= 4 and it.state == "ok")
    canary.stop()

    numbers = [int(json.loads(body)["canary.number"]) for body in door.lines.values()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({len(body) for body in door.lines.values()}) == 1
    assert (verdict.missing, verdict.duplicated, verdict.reason) == (0, 0, None)
    assert verdict.latency_s is not None
    assert verdict.last_stored is not None
    assert door.headers[0]["Authorization"] == "Bearer s3cret"
    assert "sequence=1" in door.headers[0]["Fuseboard-Source"]
    assert nest.registry.get_sample_value("fuseboard_canary_stored_total") >= 3


def test_a_line_that_was_acknowledged_and_is_not_there_is_missing(nest: Nest, door: FrontDoor) -> None:
    """Lost after its 2xx: told as soon as everything older is loaded, and not forgotten when the next ones arrive."""
    canary = nest.start()
    until(canary, lambda it: it.state == "ok")

    door.copies = 0
    until(canary, lambda it: it.state == "missing" and it.missing >= 2)
    door.copies = 1
    lost = until(canary, lambda it: it.sent > 6 and it.last_stored is not None).missing

    assert lost >= 2
    assert canary.verdict().state == "missing"
    eventually(lambda: nest.registry.get_sample_value("fuseboard_canary_missing") >= 2)


def test_a_line_stored_twice_is_duplicated(nest: Nest, door: FrontDoor) -> None:
    """The second copy counts."""
    canary = nest.start()
    door.copies = 2

    verdict = until(canary, lambda it: it.state == "duplicated")

    assert verdict.duplicated >= 1
    assert verdict.missing == 0


def test_lines_that_wait_to_be_loaded_are_waited_for(nest: Nest, door: FrontDoor) -> None:
    """Acknowledged, not there, and something older is not loaded either: no alarm, and the reason is said."""
    canary = nest.start()
    until(canary, lambda it: it.state == "ok")
    nest.unloaded_ns = 1
    door.copies = 0

    verdict = until(canary, lambda it: it.state == "waiting" and it.sent >= 6)

    assert verdict.missing == 0
    assert "not loaded yet" in (verdict.reason or "")


def test_without_an_engine_it_waits(nest: Nest, door: FrontDoor) -> None:
    """A dead engine is no lost line; lines are sent all the same."""
    from collector.errors import StoreUnavailable

    def away() -> Any:
        raise StoreUnavailable("the engine is starting")

    canary = nest.start(store=Store(away))

    verdict = until(canary, lambda it: it.sent >= 3)

    assert (verdict.state, verdict.reason) == ("waiting", "the engine is starting")
    assert len(door.lines) >= 2


def test_a_front_door_that_refuses_is_named_and_the_same_number_is_tried_again(
    nest: Nest, door: FrontDoor
) -> None:
    """No number is skipped: the ledger's offsets stay without gaps."""
    door.status = 429
    canary = nest.start()
    verdict = until(canary, lambda it: it.state == "refused")
    door.status = 200

    after = until(canary, lambda it: it.state == "ok")

    assert "429" in (verdict.reason or "")
    assert verdict.sent == 1
    assert after.missing == 0
    assert next(iter(door.lines)).endswith("-1")


def test_a_restart_neither_repeats_nor_skips_a_number(nest: Nest, door: FrontDoor) -> None:
    """The last number is sent again as it was, because nobody knows whether it was taken; then it goes on."""
    first = nest.start()
    until(first, lambda it: it.sent >= 3)
    first.stop()
    before = first.verdict().sent

    second = nest.start()
    until(second, lambda it: it.sent >= before + 2 and it.state == "ok")
    second.stop()

    numbers = [int(json.loads(body)["canary.number"]) for body in door.lines.values()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert second.verdict().duplicated == 0
    assert {report["agent"] for report in door.reports} == {next(iter(door.lines)).rpartition("-")[0]}
    last = door.reports[-1]
    assert last["counted_through"] == last["counters"][0]["shipped_blocks"] == before
    assert last["counters"][0]["read_bytes"] == before * len(next(iter(door.lines.values())))


def test_an_interval_of_nothing_is_off(nest: Nest, door: FrontDoor) -> None:
    """No thread, no line, and the state says so."""
    canary = nest.start(interval_s=0)

    assert canary.verdict().state == "off"
    assert door.lines == {}
