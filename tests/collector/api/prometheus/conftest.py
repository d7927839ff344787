"""One engine with our schema, and the Prometheus API over it on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from collector.api.prometheus import Prometheus, PrometheusParts
from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.api.prometheus.targets import Ours
from tests.collector.real_engine import engine_at

NOW_NS = 1_795_000_000 * 10**9


class Alerts:
    """Alerting, as a test sets it."""

    def __init__(self):
        self.living = []
        self.known = []

    def alerts(self):
        """Those living and lately resolved."""
        return self.living

    def rules(self):
        """All."""
        return self.known


@pytest.fixture(scope="session")
def prometheus_store(tmp_path_factory) -> Iterator[Store]:
    """A migrated, empty database."""
    with engine_at(tmp_path_factory.mktemp("promql") / "engine") as engine:
        store = Store(engine.target)
        migrate(store)
        yield store


@pytest.fixture(scope="session")
def alerting() -> Alerts:
    """What alerting says."""
    return Alerts()


@pytest.fixture(scope="session")
def client(prometheus_store, alerting) -> Iterator[httpx.Client]:
    """A client of the API, whose now is `NOW_NS`."""
    app = Prometheus(
        PrometheusParts(
            store=prometheus_store,
            alerts=alerting,
            authenticate=lambda _: None,
            clock_ns=lambda: NOW_NS,
            began_ns=NOW_NS,
        )
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def ours(prometheus_store, client, tmp_path) -> Ours:
    """The API over empty tables."""
    target = Ours(prometheus_store, client, tmp_path)
    target.clear()
    return target
