import pytest

from collector.read.sql import Reader
from tests.collector.read.real_store import Filler, store

__all__ = ["store"]


@pytest.fixture
def reader(store) -> Reader:
    """A reader on the real engine."""
    return Reader(store)


@pytest.fixture
def fill(store):
    """Inserts rows for one test."""
    filler = Filler(store)
    yield filler
    filler.empty()
