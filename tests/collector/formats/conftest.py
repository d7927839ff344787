"""One embedded engine per test process; each test begins with empty tables."""

from __future__ import annotations

import time

import pytest

from tests.collector.formats.segments import Warehouse


@pytest.fixture
def warehouse(engine: Warehouse) -> Warehouse:
    """The engine with empty tables."""
    engine.empty()
    return engine


@pytest.fixture
def now_ns() -> int:
    """When the batch was received: recent, because the tables forget what is older than its retention."""
    return time.time_ns() // 10**9 * 10**9 + 123_456_789
