from collections.abc import Iterator

import pytest

from collector.store.client import Store
from tests.collector.real_engine import engine_at


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An empty database."""
    with engine_at(tmp_path_factory.mktemp("store") / "db") as running:
        yield Store(running.target)
