"""The statements behind questions about traces: their text, and the indexes ClickHouse uses for them."""

import os
import re
from pathlib import Path

import pytest

from collector.query.search import SPANS, compile_search
from collector.query.window import SECOND_NS, Window
from collector.read import trace, trace_compare, trace_heatmap, traces
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, span

SNAPSHOTS = Path(__file__).parent / "statements"
HOUR = Window(NOW_NS - 3600 * SECOND_NS, NOW_NS, NOW_NS)
DAY = Window(NOW_NS - 86_400 * SECOND_NS, NOW_NS, NOW_NS)


class Listening:
    """A store that also remembers what it was asked."""

    def __init__(self, store):
        self._store = store
        self.asked = []

    def query(self, sql, params=None, settings=None, query_id=None):
        """Pass it on."""
        self.asked.append((sql, params))
        return self._store.query(sql, params, settings, query_id)

    def indexes(self, number):
        """Give what EXPLAIN says of the indexes that a statement uses, in one line."""
        sql, params = self.asked[number]
        rows = self._store.query(f"EXPLAIN indexes = 1 {sql}", params).rows
        return re.sub(r"[\s│├└─:]+", " ", " ".join(row["explain"] for row in rows))


@pytest.fixture
def listening(store):
    """The real store, listened to."""
    return Listening(store)


def test_every_condition_stands_in_the_statement(listening):
    """Letter for letter, with everything asked; ``FUSEBOARD_TEST_WRITE_SNAPSHOTS=1`` writes what is asked now."""
    wanted = traces.Wanted(
        HOUR, compile_search("tier:gold", SPANS, NOW_NS), "demo", "web", "GET /", "error", error=True, min_duration_ms=1,
        max_duration_ms=9,
    )  # fmt: skip
    reader = Reader(listening)
    selection = trace_compare.Selection(NOW_NS - 1, NOW_NS, 1, 2, error=True)
    traces.search(reader, wanted, traces.Page("slowest"))
    trace_heatmap.heatmap(reader, traces.Wanted(DAY), 60, 24)
    trace_compare._pairs(
        reader, traces.Wanted(DAY), selection, {"spans_until": "2026-01-01 00:00:00", "limit": 9}
    )

    for (sql, _), name in zip(
        [listening.asked[0], *listening.asked[-2:]], ("search", "heatmap", "compare"), strict=True
    ):
        snapshot = SNAPSHOTS / f"traces_{name}.sql"
        if os.environ.get("FUSEBOARD_TEST_WRITE_SNAPSHOTS"):
            snapshot.write_text(sql.lstrip())
        assert sql.lstrip() == snapshot.read_text()


def test_a_span_of_a_service_is_found_by_the_primary_key(listening, fill):
    """Service, name and time narrow `spans` by its primary key; the index of traces by day and by the ids found."""
    fill("spans", [span(-60, "web", "GET /", trace_id="7" * 32)])
    wanted = traces.Wanted(HOUR, service="web", name="GET /")
    traces.search(Reader(listening), wanted, traces.Page())
    listening.asked.append((f"SELECT count() FROM spans {_within(traces.matching(wanted))}", wanted.params()))

    assert "PrimaryKey Keys trace_id day" in listening.indexes(0)
    assert "PrimaryKey Keys service toStartOfMinute(start) start" in listening.indexes(1)


def test_one_trace_is_found_by_its_index(listening, fill):
    """Its row by the primary key, its spans by their time range and the bloom filter of ids."""
    fill("spans", [span(-60, "web", "GET /", trace_id="7" * 32)])
    trace.trace(Reader(listening), "7" * 32, HOUR)

    assert "PrimaryKey Keys trace_id" in listening.indexes(0)
    spans = listening.indexes(1)
    assert "PrimaryKey Keys toStartOfMinute(start) start" in spans, spans
    assert "trace_id_bloom" in spans


def _within(sql):
    """Give the WHERE clause of the subquery over `spans`: EXPLAIN does not look into sets."""
    return re.search(r"FROM spans\s+(WHERE .*?)\)\nGROUP BY", sql, re.DOTALL)[1]


def test_a_stretch_holds_the_most_selected_within_the_bound():
    """Of slices with spans, the run with the most selected traces that stays below the bound; a single slice may exceed it."""

    def slices(*rows):
        return [trace_compare._Slice(i, i + 1, *row, 0) for i, row in enumerate(rows)]

    half = trace_compare.SPANS_MOST // 2
    runs = [
        (slices((5, 1, half), (9, 1, half), (9, 1, half), (0, 0, 0)), (1, 4)),
        (slices((1, 1, 10 * half), (0, 9, 1)), (0, 1)),
        (slices((3, 3, 10)), (0, 1)),
    ]
    for given, (start, end) in runs:
        stretch = trace_compare._stretch(given, HOUR)
        assert (stretch.start_ns, stretch.end_ns) in {(start, end), (start, end - 1)}
