"""The schema as a cluster takes it: made from the same text, parsed by ClickHouse, and the same questions asked of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import FuseboardError, StoreRejected
from collector.formats.registry import groups
from collector.store.client import Store
from collector.store.cluster import local_insert, render
from collector.store.migrate import _VERSIONS, migrate, read_migrations
from collector.store.target import Target
from tests.collector.load.yard import LINES, Yard
from tests.collector.real_engine import engine_at

STATEMENTS = [statement for migration in read_migrations() for statement in migration.statements()]
RENDERED = [
    one for statement in [_VERSIONS.strip(), *STATEMENTS] for one in render(statement, "dc-1", "fuse")
]
SNAPSHOTS = Path(__file__).parent / "rendered"


def test_every_statement_parses(store: Store) -> None:
    """ClickHouse reads what is rendered; whether a cluster takes it is for docs/cluster.md."""
    for statement in RENDERED:
        assert store.query(f"EXPLAIN AST {statement}").rows, statement


def test_nothing_is_made_on_one_node_alone() -> None:
    """Each statement is for the cluster, each table with rows is replicated and remembers tokens for a week."""
    for statement in RENDERED:
        assert statement.split("\n")[0].count(" ON CLUSTER 'dc-1'") == 1, statement
        assert "non_replicated" not in statement
        for engine in re.findall(r"ENGINE = (\w+)", statement):
            assert engine in {"Distributed", "Null"} or engine.startswith("Replicated"), statement
    windows = [re.findall(r"replicated_deduplication_window(?:_seconds)? = \d+", text) for text in RENDERED]
    assert {tuple(found) for found in windows if found} == {
        ("replicated_deduplication_window = 100000", "replicated_deduplication_window_seconds = 604800")
    }


def test_views_stay_on_their_shard() -> None:
    """What a view reads and fills are local tables: a block is rolled up once, where it was written."""
    views = [text for text in RENDERED if "MATERIALIZED VIEW" in text or "MODIFY QUERY" in text]
    assert len(views) > 8
    for text in views:
        assert re.findall(r"^FROM (\w+)", text, re.MULTILINE)[0].endswith("_local")
        assert all(name.endswith("_local") for name in re.findall(r" TO (\w+) AS", text))


@pytest.mark.parametrize("table", ["log_minutes", "batches"])
def test_the_text_is_as_it_was_read(table: str) -> None:
    """Letter for letter, for two tables; ``FUSEBOARD_TEST_WRITE_SNAPSHOTS=1`` writes what is rendered now."""
    names = {table, f"{table}_local", f"{table}_mv"}
    made = [text for text in RENDERED if names & set(re.findall(r"\w+", text.split("\n")[0]))]
    text = "".join(f"{one};\n\n" for one in made)
    snapshot = SNAPSHOTS / f"{table}.sql"
    if os.environ.get("FUSEBOARD_TEST_WRITE_SNAPSHOTS"):
        snapshot.write_text(text)

    assert text == snapshot.read_text()


def test_a_form_that_nobody_taught_it_is_refused() -> None:
    """A statement that would run on one node only, or a view of two tables, is an error of ours and not a surprise there."""
    for statement in (
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE IF NOT EXISTS t (x UInt8)\nENGINE = Memory",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1 FROM a",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1\nFROM a\nWHERE x IN (SELECT 1\nFROM b)",
    ):
        with pytest.raises(FuseboardError) as refused:
            render(statement, "c", "d")
        assert refused.value.code == "schema_unknown_form"


def test_only_inserts_into_tables_are_local() -> None:
    """Loads go to the shard's own table; trying a record into nothing is no table, and a question keeps its names."""
    assert local_insert("INSERT INTO logs (a) SELECT 1") == "INSERT INTO logs_local (a) SELECT 1"
    commented = "-- Lines.\nINSERT INTO logs\nSELECT 1"
    assert local_insert(commented) == "-- Lines.\nINSERT INTO logs_local\nSELECT 1"
    for sql in (
        "INSERT INTO FUNCTION null('x UInt8') SELECT 1",
        "SELECT 1 FROM logs",
        "SYSTEM DROP FORMAT SCHEMA CACHE",
    ):
        assert local_insert(sql) == sql


def test_every_mapping_goes_to_a_local_table() -> None:
    """Of each format, with its includes and comments."""
    mappings = [mapping for group in groups().values() for mapping in group.mappings]
    assert len(mappings) > 10
    for mapping in mappings:
        table = mapping.table.replace(
            "histogram_", "metric_"
        )  # two statements of remote_write fill one table
        assert f"INSERT INTO {table}_local" in local_insert(mapping.insert_from_input())
        assert local_insert(mapping.insert_into_nothing()) == mapping.insert_into_nothing()


def test_migrate_asks_for_the_cluster(store: Store) -> None:
    """An engine without one refuses the first statement, and nothing is made on it alone."""
    clustered = Store(lambda: Target(store._target().url, shared_disk=False, cluster="dc-1"))
    with pytest.raises(StoreRejected, match=r"dc-1|[Kk]eeper"):
        migrate(clustered)


def as_one_node(statement: str) -> str:
    """Leave out what needs Keeper and peers: the names, the views and the columns are those of a cluster."""
    bare = statement.replace(" ON CLUSTER 'dc-1'", "")
    bare = re.sub(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?([^()]*)\)", r"ENGINE = \1(\2)", bare)
    bare = re.sub(
        r"ENGINE = Distributed\('[^']*', '[^']*', '(\w+)'\)",
        r"ENGINE = Merge(currentDatabase(), '^\1$')",
        bare,
    )
    bare = re.sub(r", replicated_deduplication_window_seconds = \d+", "", bare)
    return bare.replace(" replicated_deduplication_window", " non_replicated_deduplication_window")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One node with the tables of a cluster, ``Merge`` in the place of ``Distributed``."""
    with engine_at(tmp_path_factory.mktemp("cluster") / "db") as engine:
        store = Store(lambda: Target(engine.target().url, shared_disk=False, cluster="dc-1"))
        for statement in RENDERED:
            store.command(as_one_node(statement))
        yield store


def test_a_segment_goes_to_the_local_tables_and_is_read_through_the_others(
    node: Store, tmp_path: Path
) -> None:
    """The same mapping, the same rollups, the same ledger; loaded twice it is there once."""
    yard = Yard(tmp_path, node, LINES)
    segment = yard.seal(
        "e-1", [b'{"level":"error","msg":"paid"}\nplain\n'], resource={"service.name": "till"}
    )
    yard.load(segment)
    yard.load(yard.forget(segment, "logs", "batches"))

    def one(sql: str) -> int:
        (row,) = node.query(sql).rows
        return int(next(iter(row.values())))

    for suffix in ("", "_local"):
        assert one(f"SELECT count() FROM logs{suffix}") == 2
        assert one(f"SELECT sum(records) FROM log_minutes{suffix}") == 2
        assert one(f"SELECT sum(rows) FROM batch_rows{suffix}") == 2
        assert one(f"SELECT count() FROM batches{suffix}") == 1
