"""One engine with our schema, and the guard over it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.engine.process import Engine
from collector.sql.console import Console
from collector.store.client import Store
from collector.store.limits import QueryLimits
from collector.store.migrate import migrate
from tests.collector.real_engine import engine_at


@pytest.fixture(scope="session")
def sql_engine(tmp_path_factory) -> Iterator[Engine]:
    """A real engine."""
    with engine_at(tmp_path_factory.mktemp("sql") / "engine") as engine:
        yield engine


@pytest.fixture(scope="session")
def sql_store(sql_engine: Engine) -> Store:
    """Its store, with our tables."""
    store = Store(sql_engine.target)
    migrate(store)
    return store


@pytest.fixture(scope="session")
def console(sql_store: Store) -> Console:
    """The guard, with bounds that a test reaches."""
    return Console(
        sql_store, QueryLimits(time_s=5, result_rows=10_000, memory_bytes=500_000_000, prefix="sql")
    )
