from collections.abc import Iterator

import pytest

from collector.engine.process import Engine
from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.load.yard import CREATE_NOTES
from tests.collector.real_engine import engine_at


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine with the real schema, and the table of the mapping made for tests."""
    with engine_at(tmp_path_factory.mktemp("load") / "db") as running:
        store = Store(running.target)
        migrate(store)
        store.command(CREATE_NOTES)
        yield running


@pytest.fixture
def store(engine: Engine) -> Store:
    """Its tables, empty."""
    made = Store(engine.target)
    for table in (
        "logs",
        "log_minutes",
        "batches",
        "batch_rows",
        "quarantine",
        "notes",
        "metric_series",
        "metric_samples",
    ):
        made.command(f"TRUNCATE TABLE {table}")
    return made
