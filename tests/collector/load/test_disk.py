"""The engine's own disk is full: "not now", never "the data is wrong"; and the segment is loaded once there is space."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.errors import StoreUnavailable
from collector.journal.segment import SealedSegment
from collector.store.client import Store
from collector.store.migrate import migrate
from tests.collector.load.yard import CREATE_NOTES, Yard, notes
from tests.collector.real_engine import engine_at
from tests.small_disk import small_disk


def test_a_full_disk_of_the_engine_delays_and_quarantines_nothing(tmp_path: Path, poll) -> None:
    """Retried for ever: nothing is masked, the trouble is said, every row is there once space is back (error 243; a schema cut short)."""
    with small_disk(tmp_path / "disk", "160m") as disk, engine_at(disk.path / "engine") as engine:
        store = Store(engine.target)
        migrate(store)
        store.command(CREATE_NOTES)
        disk.fill()
        with pytest.raises(StoreUnavailable) as refused:
            store.command(
                "INSERT INTO notes SELECT toString(number), toString(rand64()) FROM numbers(300000)"
            )
        yard = Yard(tmp_path / "yard", store, notes())
        segment = yard.seal("e-1", [b"note %d" % number for number in range(20)])
        yard.loader.take(segment)
        poll(lambda: yard.loader.trouble, within_s=60)
        disk.empty()
        poll(lambda: yard.finished, within_s=90)
        yard.loader.stop(5)
        rows = store.query("SELECT count() AS n, uniqExact(note) AS u FROM notes LIMIT 1").rows

        assert refused.value.clickhouse_code == 243
        assert SealedSegment(segment.folder, "e-1").side.masked == {}
        assert [(int(row["n"]), int(row["u"])) for row in rows] == [(20, 20)]


@pytest.mark.parametrize("left", [b"", b'syntax = "pro', bytes(50)], ids=["empty", "half", "zeros"])
def test_half_a_schema_in_the_engines_cache_is_made_anew(tmp_path: Path, left: bytes) -> None:
    """A full disk or a power cut has cut the engine's copy of a schema short: it is dropped, and the segment is loaded."""
    with engine_at(tmp_path / "engine") as engine:
        store = Store(engine.target)
        migrate(store)
        store.command(CREATE_NOTES)
        yard = Yard(tmp_path / "yard", store, notes())
        yard.load(yard.seal("e-1", [b"one"]))
        (cached,) = (tmp_path / "engine" / "__cache__").iterdir()
        store.command("SYSTEM DROP FORMAT SCHEMA CACHE FOR Protobuf")
        cached.write_bytes(left)

        segment = yard.seal("e-2", [b"two"])
        yard.load(segment)
        yard.loader.stop(5)

        assert segment.side.masked == {}
        assert store.query("SELECT count() AS n FROM notes LIMIT 1").rows == [{"n": 2}]
