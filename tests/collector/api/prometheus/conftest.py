"""One engine with our schema, and the Prometheus API over it on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from collector.api.prometheus import Prometheus, PrometheusParts
from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.api.conftest import running
from tests.collector.api.prometheus.targets import Ours
from tests.collector.real_engine import engine_at

NOW_NS = 1_795_000_000 * 10**9


class Alerts:
    """Alerting, as a test sets it."""

    def __init__(self):
        self.living = []
        self.known = []

    def alerts(self, wanted=None):
        """Those living and lately resolved."""
        del wanted
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
    with running(app, timeout_s=60) as client:
        yield client


@pytest.fixture
def ours(prometheus_store, client, tmp_path) -> Ours:
    """The API over empty tables."""
    target = Ours(prometheus_store, client, tmp_path)
    target.clear()
    return target
