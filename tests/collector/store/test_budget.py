"""The embedded engine's share of the disk: what goes first, that it is said, and that there is room afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from collector.errors import StoreUnavailable
from collector.metrics import DiskMetrics
from collector.store.budget import DiskBudget, Partition, floor_bytes, plan
from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.real_engine import engine_at, wait_up

TODAY = date(2026, 11, 27)
GIB = 1 << 30


def part(table: str, partition: str, size: int = 10) -> Partition:
    """A partition of *size* bytes."""
    return Partition(table, partition, partition, size, 1)


def going(partitions: list[Partition], over: int, short: int = 0) -> list[tuple[str, str, str]]:
    """What goes, as (table, partition, reason)."""
    return [(it.table, it.partition, why) for it, why in plan(partitions, TODAY, over, short)]


def test_the_oldest_day_of_all_tables_goes_first_and_no_more_than_is_needed() -> None:
    """Days before tables, whatever the retention; within a day the largest."""
    parts = [
        part("logs", "('2026-11-25',30)"),
        part("logs", "('2026-11-24',7)", 20),
        part("spans", "('2026-11-24',30)", 30),
        part("logs", "('2026-11-26',30)"),
    ]

    assert going(parts, 45) == [
        ("spans", "('2026-11-24',30)", "max_bytes"),
        ("logs", "('2026-11-24',7)", "max_bytes"),
    ]
    assert going(parts, 0) == []


def test_rollups_go_after_all_records_of_past_days_and_todays_at_the_very_end() -> None:
    """A month that is not over counts as today."""
    parts = [
        part("logs", "('2026-11-27',30)"),
        part("breaker_transitions", "(202611,30)"),
        part("breaker_transitions", "(202610,30)"),
        part("log_minutes", "('2026-11-01',30)"),
        part("logs", "('2026-11-26',30)"),
        part("metric_series", "tuple()"),
    ]

    assert [each[:2] for each in going(parts, 1000)] == [
        ("logs", "('2026-11-26',30)"),
        ("breaker_transitions", "(202610,30)"),
        ("log_minutes", "('2026-11-01',30)"),
        ("logs", "('2026-11-27',30)"),
        ("breaker_transitions", "(202611,30)"),
    ]


def test_for_the_disks_sake_alone_todays_partitions_stay() -> None:
    """There the journal refuses instead, and the agents keep what they have."""
    parts = [part("logs", "('2026-11-27',30)"), part("logs", "('2026-11-26',30)")]

    assert going(parts, 0, 1000) == [("logs", "('2026-11-26',30)", "free_bytes")]
    assert going(parts, 15, 5)[1] == ("logs", "('2026-11-27',30)", "max_bytes")


@pytest.mark.parametrize(
    ("total", "kept_free"),
    [(100 * GIB, 5 * GIB), (20 * GIB, 2 * GIB), (4000 * GIB, 20 * GIB), (5 * GIB, GIB)],
)
def test_what_stays_free_by_itself(total: int, kept_free: int) -> None:
    """A twentieth of the disk between 2 and 20 GiB, and never more than a fifth."""
    assert floor_bytes(total) == kept_free


@pytest.fixture
def filled(store: Store) -> Iterator[Store]:
    """Twenty thousand lines on each of the last four days and today, as the schema's own tables and views take them."""
    migrate(store)
    for days in range(5):
        store.command(
            "INSERT INTO logs (occurred_at, observed_at, service, env, body, batch_id, retention_days) "
            "SELECT now64(9) - toIntervalDay({days:UInt8}), now64(9), 'shop', 'prod', toString(cityHash64(number)), 'b', 30 FROM numbers(20000)",
            {"days": days},
        )
    yield store
    for table in ("logs", "log_minutes", "batch_rows"):
        store.command(f"TRUNCATE TABLE {table}")


def days_of(store: Store, table: str = "logs", column: str = "occurred_at") -> list[int]:
    """How many days ago the rows of *table* are."""
    sql = f"SELECT DISTINCT dateDiff('day', toDate({column}), today()) AS ago FROM {table} ORDER BY ago LIMIT 100"
    return [row["ago"] for row in store.query(sql).rows]


def taken(store: Store, table: str = "%") -> int:
    """Bytes of the tables."""
    sql = "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND database = currentDatabase() AND table LIKE {table:String} LIMIT 1"
    return int(store.query(sql, {"table": table}).rows[0]["n"])


def half_a_day_less(store: Store) -> int:
    """A bound that the tables are over by half a day's lines: more than what a merge in between may take away."""
    return taken(store) - taken(store, "logs") // 10


def budget(
    store: Store,
    path: Path,
    max_bytes: int | None,
    free: int = 100 * GIB,
    registry: CollectorRegistry | None = None,
) -> DiskBudget:
    """A budget on a disk of 200 GiB."""
    metrics = DiskMetrics(registry or CollectorRegistry())
    return DiskBudget(store, path / "engine", max_bytes, None, metrics, disk=lambda _: (200 * GIB, 0, free))


def test_beyond_the_bound_the_oldest_day_is_dropped_and_told(filled: Store, tmp_path: Path) -> None:
    """A log line, two metrics, the pipeline's answer; and once there is room nothing more goes."""
    registry = CollectorRegistry()
    watched = budget(filled, tmp_path, half_a_day_less(filled), registry=registry)

    with capture_logs() as logged:
        dropped = watched.check()
    again = watched.check()

    assert (days_of(filled), again) == ([0, 1, 2, 3], [])
    files = "SELECT count() AS n FROM system.parts WHERE table = 'logs' AND partition = {gone:String} LIMIT 1"
    assert filled.query(files, {"gone": dropped[0].partition}).rows == [{"n": 0}]
    assert days_of(filled, "log_minutes", "minute") == [0, 1, 2, 3, 4]
    told = watched.row()
    assert told["bytes"] <= told["max_bytes"]
    assert [(it["table"], it["rows"], it["reason"]) for it in told["dropped"]] == [
        ("logs", 20000, "max_bytes")
    ]
    day = (datetime.now(UTC) - timedelta(days=4)).date()
    assert logged == [
        {"event": "partition_dropped", "log_level": "warning", "table": "logs", "partition": f"('{day}',30)", "bytes": dropped[0].bytes,
         "rows": 20000, "reason": "max_bytes"}
    ]  # fmt: skip
    assert registry.get_sample_value("fuseboard_disk_dropped_rows_total", {"table": "logs"}) == 20000
    assert registry.get_sample_value("fuseboard_disk_bytes") == told["bytes"]


def test_when_the_disk_is_short_past_days_go_and_today_stays(filled: Store, tmp_path: Path) -> None:
    """Of another program's making or not; what is still short is said."""
    with capture_logs() as logged:
        budget(filled, tmp_path, None, free=GIB).check()

    assert days_of(filled) == [0]
    assert logged[-1]["event"] == "disk_low"


def test_what_was_dropped_is_still_told_by_the_next_collector(filled: Store, tmp_path: Path) -> None:
    """The file beside the database outlives the process; a damaged one stops nothing."""
    first = budget(filled, tmp_path, half_a_day_less(filled))
    first.check()

    assert budget(filled, tmp_path, None).row()["dropped"] == first.row()["dropped"] != []
    (tmp_path / "dropped.jsonl").write_bytes(b'{"half')
    assert budget(filled, tmp_path, None).row()["dropped"] == []


def test_it_outlives_the_engine(tmp_path: Path, poll: Callable[..., Any]) -> None:
    """While the engine is away nothing is dropped and the disk is still told; afterwards it goes on."""
    with engine_at(tmp_path / "engine") as engine:
        store = Store(engine.target)
        watched = budget(store, tmp_path, 0)
        migrate(store)
        store.insert("log_minutes", [{"minute": "2026-01-01 00:00:00", "retention_days": 3000}], "t")
        assert engine.state.pid is not None
        back = threading.Event()
        engine.on_up = lambda _: back.wait(120)  # nobody gets the next one's address before
        os.kill(engine.state.pid, signal.SIGKILL)
        poll(lambda: engine.state.state != "up", every_s=0.01)
        with pytest.raises(StoreUnavailable):
            watched.check()
        away = watched.row()
        back.set()
        wait_up(engine, 1)

        assert (away["bytes"], away["free_bytes"]) == (None, 100 * GIB)
        assert [it.table for it in watched.check()] == ["log_minutes"]
