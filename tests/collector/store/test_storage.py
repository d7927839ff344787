"""Storage policies: rendered into every table that holds rows, read by ClickHouse, and made with the one policy the embedded engine has."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.store.client import Store
from collector.store.migrate import migrate, read_migrations
from collector.store.storage import Storage
from collector.store.target import Target
from tests.collector.real_engine import engine_at

STATEMENTS = [statement for migration in read_migrations() for statement in migration.statements()]
TABLES = [text for text in STATEMENTS if text.startswith("CREATE TABLE") and "ENGINE = Null" not in text]
COLD = Storage("s3_tiered", 7, "volume:cold")


def test_every_table_is_made_under_the_policy() -> None:
    """Once each; views, changes of tables and tables that keep nothing are left alone."""
    assert len(TABLES) > 10
    for statement in STATEMENTS:
        rendered = COLD.render(statement)
        assert rendered.count("storage_policy = 's3_tiered'") == (statement in TABLES), statement
        assert (rendered == statement) == (statement not in TABLES)


def test_what_is_old_moves_before_it_is_deleted() -> None:
    """By the same time it is deleted by; a table that no retention is chosen for, of some rows a service, moves nothing."""
    logs = next(text for text in TABLES if " logs\n" in text)

    rendered = COLD.render(logs)

    assert (
        "TTL toDateTime(occurred_at) + toIntervalDay(retention_days) DELETE,\n"
        "    toDateTime(occurred_at) + toIntervalDay(7) TO VOLUME 'cold'\nSETTINGS storage_policy = 's3_tiered', ttl_only_drop_parts = 1"
        in rendered
    )
    assert "toIntervalDay(30) TO DISK 's3'" in Storage("p", 30, "disk:s3").render(logs)
    assert " TO " not in Storage("p").render(logs)
    for text in TABLES:
        assert COLD.render(text).count("TO VOLUME") == text.count(" + toIntervalDay(retention_days)\n"), text


@pytest.mark.parametrize("storage", [COLD, Storage("p"), Storage("p", 1, "disk:s3")])
def test_clickhouse_reads_every_statement(store: Store, storage: Storage) -> None:
    """What is rendered parses; whether a server's S3 takes it is unverified, as docs/retention.md says."""
    for statement in TABLES:
        assert store.query(f"EXPLAIN AST {storage.render(statement)}").rows, statement


def test_a_policy_that_exists_is_taken(tmp_path: Path) -> None:
    """The engine's own policy, its own volume to move to: the schema is made, and rows go in."""
    with engine_at(tmp_path / "db") as engine:
        url = engine.target().url
        store = Store(lambda: Target(url, shared_disk=False, storage=Storage("default", 7, "volume:default")))
        with capture_logs() as logged:
            migrate(store)
        store.insert(
            "logs", [{"body": "x", "occurred_at": "2026-11-01 00:00:00", "retention_days": 3000}], "t"
        )

        made = store.query(
            "SELECT create_table_query AS sql FROM system.tables WHERE name = 'logs' LIMIT 1"
        ).rows[0]["sql"]
        assert "toIntervalDay(7) TO VOLUME 'default'" in made
        assert "storage_policy = 'default'" in made
        assert logged == []


def test_tables_that_were_made_before_are_named(tmp_path: Path) -> None:
    """A policy set afterwards changes no table, and that is said instead of left to be found out."""
    with engine_at(tmp_path / "db") as engine:
        url = engine.target().url
        migrate(Store(lambda: Target(url, shared_disk=False)))
        with capture_logs() as logged:
            migrate(Store(lambda: Target(url, shared_disk=False, storage=COLD)))

        assert [(line["event"], line["log_level"], line["policy"]) for line in logged] == [
            ("storage_policy_differs", "warning", "s3_tiered")
        ]
        assert {"logs", "spans", "metric_series"} <= set(logged[0]["tables"])
