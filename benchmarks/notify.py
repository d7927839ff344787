"""
How soon a receiver knows, how fast a storm is told, what ten thousand waiting deliveries cost.

    python benchmarks/notify.py [--pending 10000] [--pages 40]

Three figures, each with real threads, a state on disk and receivers in a process of their own:

1. *page*: seconds from a breaker that has been open long enough (a rule fires at the next look) to its webhook at the receiver, while
   ``--pending`` deliveries wait for another receiver that is down. Promise: 2 s (issue of alerting).
2. *storm*: ``--pending`` deliveries to one receiver that is there: deliveries a second, CPU of a delivery, growth of resident memory.
3. *due*: what one look for due deliveries costs with ``--pending`` of them waiting, against a look at an empty outbox (the baseline).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Self

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import update

from collector.alerting import Alerting, AlertingSettings, Receiver, outbox
from collector.alerting.events import Event
from collector.state import State
from collector.state.tables import outbox as outbox_table

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RULE = "groups: [{name: bench, rules: [{alert: Open, breaker: open for 1s}]}]"


class Wall:
    """A receiver: takes everything on ``/``, fails everything on ``/down``."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.taken: Synchronized[int] = context.Value("q", 0)
        port, ready = context.Value("i", 0), context.Event()
        self._process = context.Process(target=_serve, args=(port, ready, self.taken), daemon=True)
        self._process.start()
        assert ready.wait(30), "the receiver did not start"
        self.url = f"http://127.0.0.1:{port.value}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def wait_for(self, count: int, timeout_s: float) -> None:
        """Return when *count* were taken."""
        until = time.monotonic() + timeout_s
        while self.taken.value < count:
            assert time.monotonic() < until, f"{self.taken.value} of {count} after {timeout_s} s"
            time.sleep(0.002)


def _serve(port: Any, ready: Any, taken: Any) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            down = self.path == "/down"
            self.send_response(503 if down else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if not down:
                with taken.get_lock():
                    taken.value += 1

        def log_message(self, *args: object) -> None:
            del args

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    port.value = server.server_address[1]
    ready.set()
    server.serve_forever()


@dataclass(frozen=True)
class OpenBreaker:
    """A breaker as alerting reads it."""

    breaker: str
    since: datetime
    service: str = "checkout"
    env: str = ""
    target: str = "payment"
    instance: str = "checkout-1"
    state: str = "open"
    reason: str = ""
    trace_id: str = ""


class Breakers:
    """Breaker states set by the benchmark."""

    def __init__(self) -> None:
        self.now: Sequence[OpenBreaker] = ()

    def current(self) -> Sequence[OpenBreaker]:
        """Give what was set."""
        return self.now


def main() -> None:
    """Run the three."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pending", type=int, default=10_000)
    arguments.add_argument("--pages", type=int, default=40)
    asked = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with Wall() as wall, tempfile.TemporaryDirectory() as folder:
        rules = Path(folder, "rules.yaml")
        rules.write_text(RULE)
        base = AlertingSettings(rule_files=(str(rules),))
        _page(base, wall, f"sqlite:///{folder}/page.db", asked.pending, asked.pages)
        _storm(base, wall, f"sqlite:///{folder}/storm.db", asked.pending)
        _due(f"sqlite:///{folder}/due.db", asked.pending)


def _receiver(name: str, url: str, types: tuple[str, ...]) -> Receiver:
    return Receiver(name, url, SECRET, allow_private=True, types=types)


def _fill(state: State, receiver: Receiver, count: int, now: datetime) -> None:
    payload = (
        '{"type":"breaker.opened","timestamp":"2026-11-22T03:00:00Z","data":{"text":"' + "x" * 900 + '"}}'
    )
    with state.write() as tx:
        events = [Event(f"msg_{n}", f"subject-{n}", receiver.types[0], payload) for n in range(count)]
        outbox.enqueue(tx, events, (receiver,), now)


def _page(base: AlertingSettings, wall: Wall, url: str, pending: int, pages: int) -> None:
    state, breakers = State(url), Breakers()
    down = _receiver("down", f"{wall.url}/down", ("breaker.closed",))
    settings = replace(base, receivers=(_receiver("pager", f"{wall.url}/", ("alert.firing",)), down))
    alerting = Alerting(
        settings, state=state, breakers=breakers, registry=CollectorRegistry(), holder="bench"
    )
    _fill(state, down, pending, datetime.now(UTC))
    alerting.start()
    took, cpu = [], time.process_time()
    try:
        for page in range(pages):
            before = wall.taken.value
            begun = time.monotonic()
            opened = OpenBreaker(f"b{page}", datetime.now(UTC) - timedelta(minutes=1))
            breakers.now = (*breakers.now, opened)
            wall.wait_for(before + 1, 30)
            took.append(time.monotonic() - begun)
            time.sleep(0.13)
    finally:
        alerting.stop()
        state.close()
    took.sort()
    spent = time.process_time() - cpu
    print(
        f"page   {pending} waiting elsewhere: median {took[len(took) // 2]:.2f} s, p95 {took[int(len(took) * 0.95)]:.2f} s,"
        f" worst {took[-1]:.2f} s (looks once a second); {spent / sum(took):.2f} of a core"
    )


def _storm(base: AlertingSettings, wall: Wall, url: str, pending: int) -> None:
    state = State(url)
    receiver = _receiver("pager", f"{wall.url}/", ("alert.firing",))
    settings = replace(base, receivers=(receiver,))
    alerting = Alerting(
        settings, state=state, breakers=Breakers(), registry=CollectorRegistry(), holder="bench"
    )
    _fill(state, receiver, pending, datetime.now(UTC))
    before, cpu, begun = _resident_mb(), time.process_time(), time.monotonic()
    alerting.round()
    made = alerting.deliver_due()
    elapsed, spent = time.monotonic() - begun, time.process_time() - cpu
    state.close()
    print(
        f"storm  {made} deliveries: {made / elapsed:.0f}/s, {spent / made * 1000:.2f} ms CPU each,"
        f" resident +{_resident_mb() - before:.1f} MB at the worst"
    )


def _due(url: str, pending: int) -> None:
    state = State(url)
    receiver = _receiver("pager", "http://127.0.0.1:9/", ("alert.firing",))
    now = datetime.now(UTC)
    empty = _look(state, now)
    _fill(state, receiver, pending, now)
    some = _look(state, now)
    with state.write() as tx:
        tx.execute(update(outbox_table).values(next_attempt_at=now + timedelta(hours=1)))
    none = _look(state, now)
    state.close()
    print(
        f"due    a look costs {some:.2f} ms with {pending} due, {none:.2f} ms with {pending} waiting for later;"
        f" baseline (none there) {empty:.2f} ms"
    )


def _look(state: State, now: datetime, times: int = 50) -> float:
    cpu = time.process_time()
    for _ in range(times):
        with state.read() as tx:
            outbox.due(tx, "pager", now, 16)
    return (time.process_time() - cpu) / times * 1000


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
