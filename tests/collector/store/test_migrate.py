"""The schema: each file once, in order, and never another text under the same number."""

from __future__ import annotations

import pytest

from collector.errors import FuseboardError, StoreRejected
from collector.store.client import Store
from collector.store.migrate import Migration, migrate, read_migrations

FIRST = Migration(
    901,
    "901_first",
    "-- A table; with a semicolon here.\nCREATE TABLE IF NOT EXISTS a (id UInt32)\nENGINE = MergeTree ORDER BY id;\n",
)
SECOND = Migration(
    902, "902_second",
    "ALTER TABLE a ADD COLUMN IF NOT EXISTS n UInt32; -- why\nCREATE VIEW IF NOT EXISTS v AS SELECT id, ';' AS s FROM a;\n",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _forgotten(store: Store) -> None:
    for statement in ("VIEW IF EXISTS v", "TABLE IF EXISTS a", "TABLE IF EXISTS schema_versions"):
        store.command(f"DROP {statement}")


def _applied(store: Store) -> list[str]:
    return [
        row["name"] for row in store.query("SELECT name FROM schema_versions ORDER BY version LIMIT 100").rows
    ]


def test_each_file_is_applied_once_in_order(store: Store) -> None:
    """The first call applies all, the second nothing, a new file only itself."""
    first = migrate(store, [FIRST])
    again = migrate(store, [FIRST])
    grown = migrate(store, [FIRST, SECOND])

    assert (first, again, grown) == (["901_first"], [], ["902_second"])
    assert _applied(store) == ["901_first", "902_second"]
    assert store.query("SELECT id, s FROM v LIMIT 1").rows == []


def test_no_two_files_have_one_number() -> None:
    """What is remembered as applied is the number."""
    numbers = [migration.version for migration in read_migrations()]

    assert numbers == list(range(1, len(numbers) + 1))


def test_a_changed_file_is_refused(store: Store) -> None:
    """Two databases of one version must be alike: an error that names the file and says what to do."""
    migrate(store, [FIRST])
    changed = Migration(901, "901_first", FIRST.text + "\n")

    with pytest.raises(
        FuseboardError, match=r"901_first\.sql was changed .* add a new numbered file"
    ) as refused:
        migrate(store, [changed, SECOND])

    assert refused.value.code == "schema_changed"
    assert _applied(store) == ["901_first"]


def test_an_interrupted_migration_is_repeated(store: Store) -> None:
    """Cut between two statements of a file: the file does not count, and the next start applies all of it."""
    broken = Migration(902, "902_second", SECOND.text + "CREATE NONSENSE;\n")
    with pytest.raises(StoreRejected):
        migrate(store, [FIRST, broken])
    between = _applied(store)

    done = migrate(store, [FIRST, SECOND])

    assert between == ["901_first"]
    assert done == ["902_second"]
    assert _applied(store) == ["901_first", "902_second"]


def test_the_real_schema_can_be_applied_twice(store: Store) -> None:
    """Every statement is repeatable: a kill anywhere in the middle is only a restart."""
    names = migrate(store)
    store.command("DROP TABLE schema_versions")

    again = migrate(store)

    assert again == names == [migration.name for migration in read_migrations()]
    assert [migration.version for migration in read_migrations()] == list(range(1, len(names) + 1))


def test_every_filled_table_deduplicates(store: Store) -> None:
    """The default window is 0: a retry would double the rows of a table, or of a rollup, without its own window."""
    migrate(store)

    rows = store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND name NOT IN ('schema_versions', 'a', 'o') AND NOT match(create_table_query, 'deduplication_window = [1-9]') LIMIT 100"
    ).rows

    assert rows == []
