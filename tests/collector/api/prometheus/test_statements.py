"""The statements behind ``match[]`` and exemplars, letter for letter, and the index they use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from collector.query.matchers import chosen, parse_selector
from collector.read import series
from collector.read.sql import Reader

SNAPSHOTS = Path(__file__).parent / "statements"
WANTED = chosen([parse_selector('up{job=~"a|b", service!="x"}'), parse_selector('{"a.b", code=""}')])
SPAN = series.Span(0, 60_000)
ASKED = {
    "series": lambda reader: series.series(reader, WANTED, SPAN, 10),
    "label_names": lambda reader: series.label_names(reader, WANTED, SPAN, 10),
    "label_values": lambda reader: series.label_values(reader, "job", WANTED, SPAN, 10),
    "metadata": lambda reader: series.metadata(reader, "up"),
    "exemplars": lambda reader: series.exemplars(reader, WANTED, SPAN, 10),
}


class Listening:
    """A store that remembers what it was asked."""

    def __init__(self, store):
        self._store = store
        self.asked = []

    def query(self, sql, params=None, settings=None, query_id=None):
        """Pass it on."""
        self.asked.append((sql, params))
        return self._store.query(sql, params, settings, query_id)


@pytest.mark.parametrize("name", ASKED)
def test_a_statement_is_the_one_that_was_reviewed(prometheus_store, name):
    """With its places; ``FUSEBOARD_TEST_WRITE_SNAPSHOTS=1`` writes what is asked now."""
    store = Listening(prometheus_store)
    ASKED[name](Reader(store))
    ((sql, params),) = store.asked
    told = sql.strip() + "\n" + "".join(f"-- {key} = {value!r}\n" for key, value in params.items())

    path = SNAPSHOTS / f"{name}.sql"
    if os.environ.get("FUSEBOARD_TEST_WRITE_SNAPSHOTS"):
        path.write_text(told)
    assert told == path.read_text()


def test_a_name_is_found_by_the_primary_key(prometheus_store, ours):
    """Series of other names are not read."""
    ours.write([({"__name__": "up"}, [(0, 1.0)])])
    store = Listening(prometheus_store)
    series.series(Reader(store), chosen([parse_selector("up")]), SPAN, 10)
    ((sql, params),) = store.asked

    plan = " ".join(row["explain"] for row in prometheus_store.query(f"EXPLAIN indexes = 1 {sql}", params).rows)  # fmt: skip
    assert "PrimaryKey" in plan
    assert "name in ['up', 'up']" in plan
