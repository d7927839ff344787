"""
Apply ``schema/*.sql`` in the order of their numbers, each file once.

Every statement is ``CREATE … IF NOT EXISTS`` or otherwise repeatable, so that a migration cut in the middle is
simply run again; a file counts as applied only after its last statement. The applied numbers and the
checksums of their texts stand in the table ``schema_versions``: a file that was changed after it was applied is an error,
because two databases of one version must be alike.

A view whose query an embedded engine has changed goes by another identity from then on, but knows it only after a restart, and that identity is part of
the token its rows are deduplicated by: a segment cut off between the two would be taken into the view twice. So it is detached and attached at once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from collector.errors import FuseboardError
from collector.store.client import Store
from collector.store.cluster import render
from collector.store.storage import ELSEWHERE

log = structlog.get_logger()

SCHEMA = Path(__file__).parent / "schema"

_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_versions
(version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC'))
ENGINE = ReplacingMergeTree
ORDER BY version
"""
_APPLIED = "SELECT version, any(checksum) AS checksum FROM schema_versions GROUP BY version ORDER BY version LIMIT 10000"
_RECORD = "INSERT INTO schema_versions SELECT {version:UInt32}, {name:String}, {checksum:String}, now64(3)"
_STATEMENT_END = re.compile(r";[ \t]*(?:--[^\n]*)?$", re.MULTILINE)
_VIEW_CHANGED = re.compile(r"ALTER TABLE (\w+) MODIFY QUERY\b")
_COMMENT = re.compile(r"^\s*--[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of the schema."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: what was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> list[str]:
        """Return the statements, comments left out, in order."""
        bare = _COMMENT.sub("", self.text)
        return [part.strip() for part in _STATEMENT_END.split(bare) if part.strip()]


def read_migrations(folder: Path = SCHEMA) -> list[Migration]:
    """Return the schema's files by number."""
    paths = sorted(folder.glob("[0-9]*_*.sql"))
    return [Migration(int(path.name.partition("_")[0]), path.stem, path.read_text()) for path in paths]


def migrate(store: Store, migrations: list[Migration] | None = None) -> list[str]:
    """
    Bring the database up to the newest schema.

    Returns:
        Names of the files applied now; empty when there was nothing to do.

    Raises:
        StoreUnavailable: ClickHouse does not answer; call again later.
        FuseboardError: An applied file has another text now.
    """
    _apply(store, _VERSIONS.strip())
    applied = {row["version"]: row["checksum"] for row in store.query(_APPLIED).rows}
    done = []
    for migration in migrations if migrations is not None else read_migrations():
        if (known := applied.get(migration.version)) is not None:
            _same(migration, known)
            continue
        for statement in migration.statements():
            _apply(store, statement)
        store.command(
            _RECORD, {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
        )
        done.append(migration.name)
    _say_what_is_elsewhere(store)
    return done


def _apply(store: Store, statement: str) -> None:
    name = store.cluster
    if store.storage is not None:
        statement = store.storage.render(statement)
    for one in [statement] if name is None else render(statement, name, store.database):
        store.command(one)
    if (changed := _VIEW_CHANGED.match(statement)) and store.shared_disk:
        store.command(f"DETACH TABLE {changed[1]}")
        store.command(f"ATTACH TABLE {changed[1]}")


def _say_what_is_elsewhere(store: Store) -> None:
    """Warn of tables under another storage policy: they were made before it was set."""
    if store.storage is None:
        return
    rows = store.query(ELSEWHERE, {"policy": store.storage.policy}).rows
    if rows:
        log.warning(
            "storage_policy_differs", policy=store.storage.policy, tables=[row["name"] for row in rows]
        )


def _same(migration: Migration, checksum: str) -> None:
    if checksum != migration.checksum:
        raise FuseboardError(
            "schema_changed",
            f"schema file {migration.name}.sql was changed after this database applied it; "
            "add a new numbered file instead, or start with an empty data directory",
        )
