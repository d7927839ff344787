"""One reading fills two tables: series and samples are there once each, whatever was cut off between them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collector import formats
from collector.load.mapping import read_mappings
from collector.store.client import Store
from tests.collector.formats.write_requests import Request, add_series
from tests.collector.load.yard import Yard

ENTRIES = read_mappings(Path(formats.__path__[0]) / "remote_write", ("metric_entries",))
SERIES = 3
# As many as come in several blocks out of the aggregation, which must become one.
MANY = 120_000


def _body(at_ms: int, first: int = 0, series: int = SERIES) -> bytes:
    request = Request()
    for number in range(first, first + series):
        add_series(request, "up", job="shop", instance=str(number)).samples.add(value=number, timestamp=at_ms)
    return bytes(request.SerializeToString())


def _counts(store: Store) -> dict[str, int]:
    tables = ("metric_series", "metric_samples")
    return {table: store.query(f"SELECT count() AS n FROM {table}").rows[0]["n"] for table in tables}


@pytest.mark.parametrize("missing", ["metric_entries_series", "metric_entries_samples", None])
def test_a_segment_cut_off_between_two_tables_is_stored_once(
    tmp_path: Path, store: Store, missing: str | None
) -> None:
    """Loaded again it fills the table that lacks it, and the other remembers it."""
    now_ms = time.time_ns() // 10**6
    yard = Yard(tmp_path, store, ENTRIES, group="remote_write")
    segment = yard.seal("e-1", [_body(now_ms), _body(now_ms - 1000)])
    if missing:
        store.command(f"DETACH TABLE {missing}")
    yard.load(segment)
    if missing:
        store.command(f"ATTACH TABLE {missing}")
    halfway = _counts(store)

    restarted = Yard(tmp_path, store, ENTRIES, group="remote_write")
    restarted.load(yard.forget(segment, "metric_entries", "batches"))

    whole = {"metric_series": SERIES, "metric_samples": 2 * SERIES}
    lacking = {missing.replace("entries_", ""): 0} if missing else {}
    assert halfway == whole | lacking
    assert _counts(store) == whole


def test_a_segment_of_many_series_is_one_block(tmp_path: Path, store: Store) -> None:
    """Each table gets one part, so that a refusal leaves nothing behind and a repeat is one token's."""
    now_ms = time.time_ns() // 10**6
    yard = Yard(tmp_path, store, ENTRIES, group="remote_write")
    store.command("SYSTEM STOP MERGES metric_series")
    store.command("SYSTEM STOP MERGES metric_samples")
    try:
        yard.load(yard.seal("e-1", [_body(now_ms, at, 10_000) for at in range(0, MANY, 10_000)]))
        parts = store.query(
            "SELECT table, count() AS n FROM system.parts WHERE active AND table IN ('metric_series', 'metric_samples') GROUP BY table ORDER BY table LIMIT 2"
        ).rows
    finally:
        store.command("SYSTEM START MERGES metric_series")
        store.command("SYSTEM START MERGES metric_samples")

    assert _counts(store) == {"metric_series": MANY, "metric_samples": MANY}
    assert parts == [{"table": "metric_samples", "n": 1}, {"table": "metric_series", "n": 1}]
