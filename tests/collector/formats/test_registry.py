"""Which groups have to be loaded before a table can be read."""

from __future__ import annotations

import re

import pytest

from collector.formats.registry import BEHIND, PROTOCOLS, groups_that_fill
from collector.store.migrate import read_migrations
from tests.collector.formats.segments import TABLES, filled

_METRICS = {protocol.group for protocol in PROTOCOLS if protocol.signal == "metrics"}


@pytest.mark.parametrize("table", ["logs", "spans", "metric_series", "metric_samples"])
def test_a_table_waits_for_all_that_fill_it(table: str) -> None:
    """A job that reads it waits for every format whose statements fill it, also through views."""
    expected = {
        protocol.group for protocol in PROTOCOLS if protocol.name in TABLES and table in filled(protocol.name)
    }

    assert groups_that_fill(table) >= expected
    if table.startswith("metric_"):
        assert groups_that_fill(table) == _METRICS


def test_what_stands_behind_an_entry_is_what_its_views_fill() -> None:
    """Letter for letter as the schema has it."""
    views = [
        found.groups()
        for migration in read_migrations()
        for statement in migration.statements()
        if (
            found := re.match(
                r"CREATE MATERIALIZED VIEW IF NOT EXISTS \w+ TO (\w+) AS.*^FROM (\w+)",
                statement,
                re.DOTALL | re.MULTILINE,
            )
        )
    ]

    assert {entry: tuple(table for table, source in views if source == entry) for entry in BEHIND} == BEHIND
