"""An insert that was cut off is stored once: whatever its death left of what the tables remember, and whether or not a view was changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.engine.deduplication import Repaired, repair
from collector.load.loader import BLOCK_SETTINGS
from collector.store.client import Store
from collector.store.migrate import Migration, migrate
from tests.collector.real_engine import engine_at

TABLES = Migration(
    1, "001_tables",
    """
CREATE TABLE IF NOT EXISTS lines (day Date, n UInt64) ENGINE = MergeTree PARTITION BY day ORDER BY n
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
CREATE TABLE IF NOT EXISTS sums (day Date, n SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree PARTITION BY day ORDER BY day
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
CREATE TABLE IF NOT EXISTS evens (day Date, n UInt64) ENGINE = MergeTree PARTITION BY day ORDER BY n
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
CREATE MATERIALIZED VIEW IF NOT EXISTS sums_mv TO sums AS SELECT day, sum(n) AS n FROM lines GROUP BY day;
CREATE MATERIALIZED VIEW IF NOT EXISTS evens_mv TO evens AS SELECT day, n FROM lines WHERE n % 2 = 0;
""",
)  # fmt: skip
CHANGED = Migration(
    2, "002_changed", "ALTER TABLE evens_mv MODIFY QUERY SELECT day, n FROM lines WHERE n % 4 = 0;\n"
)
_COUNTS = "SELECT (SELECT count() FROM lines) AS lines, (SELECT sum(n) FROM sums) AS sums, (SELECT count() FROM evens) AS evens LIMIT 1"
ONCE = {"lines": 100, "sums": 4950, "evens": 50}


def _insert(store: Store, token: str = "first") -> None:
    store.load(
        "INSERT INTO lines SELECT toDate('2026-11-27'), number FROM numbers(100)",
        {},
        {**BLOCK_SETTINGS, "insert_deduplication_token": token},
    )


def _life(path: Path, work: Callable[[Store], None], *migrations: Migration) -> dict[str, object]:
    """One life of the engine: *work* in it; the counts at its end."""
    with engine_at(path) as engine:
        store = Store(engine.target)
        migrate(store, [TABLES, *migrations])
        work(store)
        return store.query(_COUNTS).rows[0]


def _newest(path: Path, table: str) -> Path:
    """The part of the last insert."""
    parts = [each for each in (path / "data/default" / table).iterdir() if each.name.startswith("20261127_")]
    return max(parts, key=lambda part: int(part.name.split("_")[1]))


def _log(path: Path, table: str) -> Path:
    return path / "data/default" / table / "deduplication_logs/deduplication_log_1.txt"


@pytest.fixture(scope="module")
def _closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored")
    assert _life(path, _insert) == ONCE
    return path


@pytest.fixture
def stored(_closed: Path, tmp_path: Path) -> Path:
    """A database that holds one insert, closed."""
    return Path(shutil.copytree(_closed, tmp_path / "stored", symlinks=True))


@pytest.mark.parametrize("table", ["lines", "sums", "evens"])
def test_a_line_whose_part_never_came_is_taken_back(stored: Path, table: str) -> None:
    """Killed between the line and the part: the same insert again fills what is missing, and adds nothing elsewhere."""
    shutil.rmtree(_newest(stored, table))

    counts = _life(stored, _insert)

    assert counts == ONCE


@pytest.mark.parametrize("table", ["lines", "sums", "evens"])
def test_a_part_whose_line_never_came_is_set_aside(stored: Path, table: str) -> None:
    """The machine lost power before the line reached the disk: the same insert again is stored once, and the part is kept for whoever looks."""
    _log(stored, table).write_bytes(b"")
    name = _newest(stored, table).name

    counts = _life(stored, _insert)

    assert counts == ONCE
    assert (stored / "data/default" / table / "detached" / f"unanswered_{name}").is_dir()


@pytest.mark.parametrize("tail", [b"1\t2026", b"\x00" * 70], ids=["half a line", "zeros"])
def test_a_torn_tail_is_cut_off(stored: Path, tail: bytes) -> None:
    """What is no line ends with the log, and the lines written after it are read by the next life."""
    with _log(stored, "lines").open("ab") as log:
        log.write(tail)

    def both(store: Store) -> None:
        _insert(store)
        _insert(store, "second")

    lives = [_life(stored, both), _life(stored, both)]

    assert lives == [{name: 2 * count for name, count in ONCE.items()}] * 2


def test_what_agrees_is_left_alone(stored: Path) -> None:
    """A database that was closed in order, and one that is not there yet."""
    assert repair(stored) == Repaired()
    assert repair(stored / "nowhere") == Repaired()


def test_an_open_database_is_left_alone(stored: Path) -> None:
    """Somebody else has it: nothing of it is touched."""
    seen: list[Repaired] = []

    def look(_: Store) -> None:
        _log(stored, "lines").write_bytes(b"")
        seen.append(repair(stored))

    _life(stored, look)

    assert seen == [Repaired()]


def test_merged_parts_are_known_by_their_blocks(tmp_path: Path) -> None:
    """Lines of parts that were merged into others are not taken back: the insert is still a repeat."""

    def many(store: Store) -> None:
        for token in range(5):
            _insert(store, str(token))
        store.command("OPTIMIZE TABLE lines FINAL")

    first = _life(tmp_path, many)

    assert repair(tmp_path) == Repaired()
    assert _life(tmp_path, many) == first


def test_a_view_whose_query_was_changed_knows_its_inserts_after_a_restart(tmp_path: Path) -> None:
    """The first life of a schema: an insert cut off in it and sent again in the second life is in every view once."""
    first = _life(tmp_path, _insert, CHANGED)

    again = _life(tmp_path, _insert, CHANGED)

    assert first == again == {**ONCE, "evens": 25}
