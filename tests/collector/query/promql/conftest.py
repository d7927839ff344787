"""Samples on a real engine, asked in PromQL."""

from collections.abc import Callable

import pytest

from collector.read import metrics
from collector.read.metrics import MetricAnswer
from collector.read.sql import Reader
from tests.collector.query.promql.samples import SamplesFiller
from tests.collector.read.real_store import store

__all__ = ["store"]

Ask = Callable[..., MetricAnswer]


@pytest.fixture
def fill(store):
    """Insert series; what was inserted is gone after the test."""
    filler = SamplesFiller(store)
    yield filler
    filler.empty()


@pytest.fixture
def ask(store) -> Ask:
    """Ask at one point: ``ask(text, at_s)``, or a range: ``ask(text, start_s, end_s, step_s)``; seconds since the epoch."""

    def _ask(
        text: str, start_s: float, end_s: float | None = None, step_s: float = 0, **more: int
    ) -> MetricAnswer:
        reader = Reader(store)
        if end_s is None:
            return metrics.instant(reader, text, round(start_s * 1000), **more)
        return metrics.range_query(
            reader, text, round(start_s * 1000), round(end_s * 1000), round(step_s * 1000), **more
        )

    return _ask
