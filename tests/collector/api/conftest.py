import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.api import ApiParts, build_api
from collector.metrics import TailMetrics
from collector.tail import Tail, TailLimits
from tests.collector.read.real_store import NOW_NS, Filler, store

__all__ = ["store"]


class FixedAlerts:
    """Alerting that always says the same."""

    def alerts(self, wanted=None):
        del wanted
        return [{"rule": "breaker open", "state": "firing"}]

    def rules(self):
        return []


class FixedDeliveries:
    """As many deliveries as are asked for."""

    def find(self, wanted):
        return [{"id": str(number)} for number in range(wanted.limit)]


class FixedPipeline:
    """A pipeline that is always there."""

    def pipeline(self):
        return {"engine": {"state": "up"}, "journal": {}, "quarantine": {"records": 0}}


class FixedSql:
    """No statements here; tests/collector/sql has them."""


@contextmanager
def running(app: Any, timeout_s: float = 60) -> Iterator[httpx.Client]:
    """*app* on a real socket, and a client of it."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    try:
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=timeout_s) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(parts: ApiParts) -> Iterator[httpx.Client]:
    """The API where the collector mounts it, and a client of it."""
    with running(Starlette(routes=[Mount("/api", build_api(parts))])) as client:
        yield client


@pytest.fixture(scope="session")
def served_tail(store):
    """The live tail of that API."""
    return Tail(
        store, TailLimits(viewers=3, searches=2, tick_s=0.05, alive_s=0.2), TailMetrics(CollectorRegistry())
    )


@pytest.fixture(scope="session")
def served_client(store, served_tail):
    """A client of the API over the real database, at the tests' now."""
    parts = ApiParts(
        store=store,
        alerts=FixedAlerts(),
        deliveries=FixedDeliveries(),
        pipeline=FixedPipeline(),
        sql=FixedSql(),
        tail=served_tail,
        export_rows=250,
        clock_ns=lambda: NOW_NS,
    )
    with served(parts) as client:
        yield client


@pytest.fixture
def fill(store):
    """Inserts rows for one test."""
    filler = Filler(store)
    yield filler
    filler.empty()


@pytest.fixture
def client(served_client, fill):
    """The client over a database that holds only what the test filled in."""
    del fill
    return served_client
