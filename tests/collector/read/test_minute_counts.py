"""Counts from the rollup by minutes: their statement, what ClickHouse reads for it, and severities by name."""

import os
import re
from pathlib import Path

import pytest

from collector.query.search import LOGS, compile_search
from collector.query.window import SECOND_NS, Window
from collector.read import minute_counts
from collector.read.log_counts import histogram
from collector.read.logs import Slice
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, log

SNAPSHOT = Path(__file__).parent / "statements" / "minute_counts.sql"
HOUR = Window(NOW_NS - 3600 * SECOND_NS, NOW_NS, NOW_NS)
NAMES = ("trace", "debug", "info", "warn", "error", "fatal")


class Listening:
    """A store that also remembers what it was asked."""

    def __init__(self, store):
        self._store = store
        self.asked = []

    def query(self, sql, params=None, settings=None, query_id=None):
        """Pass it on."""
        self.asked.append(sql)
        return self._store.query(sql, params, settings, query_id)


def chosen(text, window=HOUR):
    """A slice of the rollup's minutes."""
    return Slice(window, compile_search(text, LOGS, NOW_NS), "prod", by_minutes=True)


def test_the_statement_has_one_level_for_each_table(store):
    """Letter for letter; ``FUSEBOARD_TEST_WRITE_SNAPSHOTS=1`` writes what is asked now."""
    listening = Listening(store)
    cut = Window(HOUR.start_ns + 1, HOUR.end_ns - 1, NOW_NS)
    histogram(Reader(listening), chosen("service:pay severity:>=error", cut), 60)

    if os.environ.get("FUSEBOARD_TEST_WRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(listening.asked[0].lstrip())
    assert listening.asked[0].lstrip() == SNAPSHOT.read_text()


def test_other_days_are_not_read(store, fill):
    """Partitions and the primary key are used although nothing of the plan is rearranged: of the records of a week, today's alone."""
    fill("logs", [log(-day * 86_400 - 90.5, "x", line=day, env="prod") for day in range(7)])
    reader = Reader(store)
    cut = Window(HOUR.start_ns + 1, HOUR.end_ns - 1, NOW_NS)

    buckets = histogram(reader, chosen("", cut), 60)

    assert sum(bucket["total"] for bucket in buckets) == 1
    assert reader.cost.rows_read <= 2  # the minute's, and the record if ClickHouse reads its granule


@pytest.mark.parametrize(
    ("text", "names"),
    [("severity:error", "error"), ("severity:>=error", "error fatal"), ("severity:>error", "fatal"), ("severity:<=warn", "trace debug info warn"),
     ("severity:<debug", "trace"), ("severity:[info TO error]", "info warn error"), ("severity:{info TO error}", "warn"), ("severity:[* TO debug]", "trace debug"),
     ("severity:*", "trace debug info warn error fatal"), ("severity:<trace", "")],
)  # fmt: skip
def test_a_severity_is_asked_of_the_rollup_by_its_names(text, names):
    """Each name stands for its lowest number, as the records' own condition compares it; what has no severity is never among them."""
    sql = minute_counts._by_name(chosen(text))

    assert "severity_number" not in sql
    lists = re.findall(r"severity IN \((.*?)\)", sql)
    assert [name for name in NAMES if lists and all(f"'{name}'" in each for each in lists)] == names.split()
