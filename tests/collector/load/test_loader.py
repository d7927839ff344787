"""Sealed segments into a real engine: once, in the mapping they were sealed with, in one block per partition."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.engine.process import Engine
from collector.journal.recovery import recover
from collector.journal.segment import SealedSegment
from collector.load.archive import MappingArchive
from collector.store.client import Store
from collector.store.target import Target
from tests.collector.load.yard import LINES, NOTES, Yard, notes
from tests.collector.real_engine import wait_up

BODIES = [b'{"level":"error","msg":"paid %d"}\nplain %d\n' % (n, n) for n in range(5)]


def _one(store: Store, sql: str) -> int:
    (row,) = store.query(sql).rows
    (value,) = row.values()
    return int(value)


def _counts(store: Store) -> dict[str, int]:
    return {
        "logs": _one(store, "SELECT count() FROM logs"),
        "log_minutes": _one(store, "SELECT sum(records) FROM log_minutes"),
        "batch_rows": _one(store, "SELECT sum(rows) FROM batch_rows"),
        "batches": _one(store, "SELECT count() FROM batches"),
    }


@pytest.mark.parametrize(
    "lost", [(), ("batches",), ("logs", "batches")], ids=["nothing", "the last", "every"]
)
def test_a_segment_loaded_again_is_stored_once(tmp_path: Path, store: Store, lost: tuple[str, ...]) -> None:
    """Killed before a marker was written, or only before the files were gone: tables and rollups hold each row once."""
    yard = Yard(tmp_path, store, LINES)
    segment = yard.seal("e-1", BODIES, resource={"service.name": "checkout"})
    yard.load(segment)
    once = _counts(store)

    restarted = Yard(tmp_path, store, LINES)
    restarted.load(yard.forget(segment, *lost))

    assert once == {"logs": 10, "log_minutes": 10, "batch_rows": 10, "batches": 5}
    assert _counts(store) == once
    assert restarted.finished[0].side.done == {"logs", "batches"}


def test_equal_segments_are_two_segments(tmp_path: Path, store: Store) -> None:
    """The same lines sent twice are two blocks: deduplication is by name, not by content."""
    yard = Yard(tmp_path, store, LINES)
    for name in ("e-1", "e-2"):
        yard.load(yard.seal(name, BODIES))

    assert _counts(store) == {"logs": 20, "log_minutes": 20, "batch_rows": 20, "batches": 10}


def test_a_segment_is_loaded_with_the_mapping_it_was_sealed_with(tmp_path: Path, store: Store) -> None:
    """Sealed, upgraded, restarted: the old text is used, also for the part that was loaded before the upgrade."""
    before = Yard(tmp_path, store, notes("v1"))
    loaded = before.seal("e-1", [b"half"])
    before.load(loaded)
    before.seal("e-2", [b"waiting"])

    after = Yard(tmp_path, store, notes("v2"))
    after.load(before.forget(loaded, "notes", "batches"))
    (_, waiting) = recover(after.segments, after.loader.frozen("lines"))
    after.load(waiting)
    after.load(after.seal("e-3", [b"new"]))

    rows = store.query("SELECT note FROM notes ORDER BY batch_id LIMIT 10").rows
    assert [row["note"] for row in rows] == ["v1 half", "v1 waiting", "v2 new"]


def test_a_record_that_cannot_be_read_is_quarantined_alone(tmp_path: Path, store: Store) -> None:
    """Its neighbours are stored, its bytes are kept, its reason is shown, and the ledger says which batch it was."""
    yard = Yard(tmp_path, store, notes())
    segment = yard.seal("e-1", [b"good 0", b"bad", b"good 2", b"bad", b"good 4"])
    frames = segment.frames(1)

    yard.load(segment)

    found = [row["note"] for row in store.query("SELECT note FROM notes ORDER BY note LIMIT 10").rows]
    held = store.query(
        "SELECT batch_id, reason, segment, bytes, target FROM quarantine ORDER BY batch_id LIMIT 10"
    ).rows
    ledger = store.query("SELECT batch_id, quarantined FROM batches ORDER BY batch_id LIMIT 10").rows
    assert found == ["v1 good 0", "v1 good 2", "v1 good 4"]
    assert [(row["batch_id"], row["segment"], row["bytes"], row["target"]) for row in held] == [
        ("e-1-1", "e-1", 3, "lines"),
        ("e-1-3", "e-1", 3, "lines"),
    ]
    assert all("a bad note" in row["reason"] for row in held)
    assert [row["quarantined"] for row in ledger] == [False, True, False, True, False]
    assert (yard.quarantine / "lines-e-1-1.seg").read_bytes() == frames
    assert yard.registry.get_sample_value("fuseboard_load_quarantined_batches_total", {"group": "lines"}) == 2
    assert sorted(path.suffix for path in yard.segments.iterdir()) == [".seg", ".side"]


def test_a_quarantined_segment_loaded_again_changes_nothing(tmp_path: Path, store: Store) -> None:
    """The mask is frozen in the sidecar: a retry inserts the same rows under the same token, and quarantines nothing twice."""
    yard = Yard(tmp_path, store, notes())
    segment = yard.seal("e-1", [b"good", b"bad"])
    yard.load(segment)
    again = yard.forget(segment, "notes", "batches")

    Yard(tmp_path, store, notes()).load(again)

    assert again.side.masked.keys() == {1}
    assert _one(store, "SELECT count() FROM notes") == 1
    assert _one(store, "SELECT count() FROM quarantine") == 1
    assert _one(store, "SELECT count() FROM batches") == 2


def test_a_segment_of_nothing_but_bad_records_is_finished(tmp_path: Path, store: Store) -> None:
    """Everything set aside, nothing inserted, and the next segment gets its turn."""
    yard = Yard(tmp_path, store, notes())
    yard.load(yard.seal("e-1", [b"bad"]))
    yard.load(yard.seal("e-2", [b"good"]))

    assert [row["note"] for row in store.query("SELECT note FROM notes LIMIT 10").rows] == ["v1 good"]
    assert _one(store, "SELECT count() FROM quarantine") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO notes (batch_id, note)\nSELEC nothing",
        "INSERT INTO nowhere (note)\nSELECT body FROM segment('body String')",
    ],
    ids=["syntax", "table"],
)
def test_a_wrong_mapping_quarantines_nothing(tmp_path: Path, store: Store, poll, sql: str) -> None:
    """Not the data is at fault: the segment waits, the trouble is shown, and every byte is still there."""
    yard = Yard(tmp_path, store, notes(sql=sql))
    segment = yard.seal("e-1", [b"good"])
    yard.loader.take(segment)
    poll(lambda: yard.loader.trouble, within_s=60)
    yard.loader.stop(0.1)

    assert SealedSegment(segment.folder, "e-1").side.masked == {}
    assert yard.finished == []
    assert yard.loader.waiting[0] == 1
    assert _one(store, "SELECT count() FROM quarantine") == 0


def test_a_segment_is_one_block_per_partition(tmp_path: Path, store: Store) -> None:
    """Three days, more rows than ClickHouse's own blocks hold: one part per day, so that a refusal leaves nothing behind."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    bodies = []
    for record in range(3):
        at = [(today - timedelta(days=day + record % 2)).isoformat() for day in range(1, 3)]
        bodies.append(
            b"".join(b'{"time":"%s","msg":"m%d"}\n' % (at[n % 2].encode(), n) for n in range(60_000))
        )
    yard = Yard(tmp_path, store, LINES)
    store.command("SYSTEM STOP MERGES logs")

    yard.load(yard.seal("e-1", bodies))

    parts = store.query(
        "SELECT partition, count() AS parts, sum(rows) AS n FROM system.parts WHERE table = 'logs' AND active "
        "GROUP BY partition ORDER BY partition LIMIT 100"
    ).rows
    store.command("SYSTEM START MERGES logs")
    assert [row["parts"] for row in parts] == [1, 1, 1]
    assert sum(row["n"] for row in parts) == 180_000


def test_a_server_gets_the_segment_as_the_body(tmp_path: Path, engine: Engine, store: Store) -> None:
    """Server mode: the engine reads no file of ours, and the rows are the same, deduplicated by the same token."""
    at = time.time_ns()
    server = Store(lambda: Target(engine.target().url, shared_disk=False))
    for name, reached in (("file", store), ("input", server)):
        yard = Yard(tmp_path / name, reached, LINES)
        segment = yard.seal("e-1", BODIES, received_at_ns=at, resource={"service.name": name})
        yard.load(segment)
        Yard(tmp_path / name, reached, LINES).load(yard.forget(segment, "logs", "batches"))

    columns = "occurred_at, severity, body, attributes, line, batch_id"
    found = [
        store.query(
            f"SELECT {columns} FROM logs WHERE service = '{name}' ORDER BY batch_id, line LIMIT 100"
        ).rows
        for name in ("file", "input")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 10


def test_a_server_is_told_which_records_it_cannot_read(tmp_path: Path, engine: Engine, store: Store) -> None:
    """Server mode: two bad records of many are found without the collector's disk; all others are stored, once."""
    yard = Yard(tmp_path, Store(lambda: Target(engine.target().url, shared_disk=False)), notes())
    bodies = [b"bad" if number in {7, 40} else b"good %d" % number for number in range(60)]
    segment = yard.seal("e-1", bodies)

    yard.load(segment)
    yard.load(yard.forget(segment, "notes", "batches"))

    held = store.query("SELECT batch_id, reason FROM quarantine ORDER BY batch_id LIMIT 10").rows
    assert _one(store, "SELECT count() FROM notes") == _one(store, "SELECT uniqExact(note) FROM notes") == 58
    assert [row["batch_id"] for row in held] == ["e-1-40", "e-1-7"]
    assert all("a bad note" in row["reason"] for row in held)
    assert _one(store, "SELECT count() FROM batches") == 60


def test_a_broken_mapping_is_no_records_fault_on_a_server(
    tmp_path: Path, engine: Engine, store: Store
) -> None:
    """A SELECT that fails without any record: nothing is set aside, the segment waits, and the reason is told."""
    server = Store(lambda: Target(engine.target().url, shared_disk=False))
    yard = Yard(tmp_path, server, notes(sql=NOTES.replace("concat(", "no_such_function(")))
    yard.loader.take(yard.seal("e-1", [b"good", b"bad"]))
    deadline = time.monotonic() + 60
    while yard.loader.trouble is None and time.monotonic() < deadline:
        time.sleep(0.01)
    yard.loader.stop(0)

    assert "no_such_function" in (yard.loader.trouble or "")
    assert yard.loader.waiting[0] == 1
    assert _one(store, "SELECT count() FROM quarantine") == 0


def test_a_dead_engine_delays_and_loses_nothing(tmp_path: Path, engine: Engine, store: Store) -> None:
    """Killed while segments wait: all of them are loaded once it is back."""
    yard = Yard(tmp_path, store, notes())
    segments = [yard.seal(f"e-{n}", [b"note %d" % n]) for n in range(3)]
    restarts = engine.state.restarts
    os.kill(engine.state.pid, signal.SIGKILL)
    for segment in segments[:-1]:
        yard.loader.take(segment)
    yard.load(segments[-1])
    wait_up(engine, restarts + 1)
    yard.loader.stop(60)

    assert sorted(segment.name for segment in yard.finished) == ["e-0", "e-1", "e-2"]
    assert _one(store, "SELECT count() FROM notes") == 3
    assert yard.loader.trouble is None
    assert yard.loader.waiting == (0, 0.0)


def test_a_missing_mapping_version_is_named(tmp_path: Path, store: Store, poll) -> None:
    """The archive was deleted: the segment waits and says what it needs, the thread goes on."""
    yard = Yard(tmp_path, store, notes("v1"))
    segment = yard.seal("e-1", [b"x"])
    for path in (tmp_path / "mappings").iterdir():
        path.unlink()
    restarted = Yard(tmp_path, store, notes("v2"))
    restarted.loader.take(segment)

    trouble = poll(lambda: restarted.loader.trouble, within_s=60)
    MappingArchive(tmp_path / "mappings").keep(notes("v1")[0])
    poll(lambda: restarted.finished, within_s=60)

    assert segment.frozen["versions"]["notes"] in trouble


def test_the_ledger_row_says_where_a_batch_came_from(tmp_path: Path, store: Store) -> None:
    """Agent, source, offsets, bytes and records as declared and counted; what is no number is 0."""
    yard = Yard(tmp_path, store, LINES)
    source = {
        "agent": "a1",
        "kind": "file",
        "path": "/log",
        "generation": "g",
        "offset": "10",
        "end": "x",
        "sequence": "7",
    }
    resource = {"service.name": "cart", "deployment.environment": "dev"}
    yard.load(yard.seal("e-1", [b"one\ntwo\n"], source=source, resource=resource))

    (row,) = store.query("SELECT * FROM batches LIMIT 2").rows
    assert (row["agent"], row["source_kind"], row["source_path"], row["generation"]) == (
        "a1",
        "file",
        "/log",
        "g",
    )
    assert (row["source_start"], row["source_end"], row["sequence"], row["bytes"], row["records"]) == (
        10,
        0,
        7,
        8,
        2,
    )
    assert (row["service"], row["env"], row["segment"], row["quarantined"]) == ("cart", "dev", "e-1", False)


@pytest.mark.parametrize(("lacks", "stored"), [([("notes",), ("notes",)], 0), ([("notes",), ()], 2)])
def test_a_table_that_all_bodies_lack_is_not_loaded(
    tmp_path: Path, store: Store, lacks: list[tuple[str, ...]], stored: int
) -> None:
    """A segment is read for a table unless each of its bodies is known to hold nothing for it; its ledger is written either way."""
    yard = Yard(tmp_path, store, notes())

    yard.load(yard.seal("e-1", [b"one", b"two"], lacks=lacks))

    assert _one(store, "SELECT count() FROM notes") == stored
    assert _one(store, "SELECT count() FROM batches") == 2
