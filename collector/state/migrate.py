"""
Bring a state database to the schema this program knows.

``schema/NNNN_name.sql`` are applied in order, each in one transaction together with its row in
``schema_version``: a kill between two leaves a database that the next start finishes. A database
newer than the program is refused: an older program would misread it.

SQLite: DDL is transactional. PostgreSQL: too; an advisory lock keeps two starts apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import Connection, text

from collector.errors import Conflict

FILE_NAME = re.compile(r"^(?P<version>\d{4})_(?P<name>\w+)\.sql$")
COMMENT = re.compile(r"--[^\n]*")
ADVISORY_LOCK = 0x66757365  # "fuse"

CREATE_SCHEMA_VERSION = """
CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class Migration:
    """One numbered file: its version (1, 2, …), its name and its statements."""

    version: int
    name: str
    statements: tuple[str, ...]


def migrations() -> tuple[Migration, ...]:
    """Read ``schema/*.sql`` of this package, in order of their numbers."""
    return tuple(sorted(_read(), key=lambda migration: migration.version))


def migrate(tx: Connection) -> int:
    """
    Apply what is missing inside the write transaction *tx*.

    Returns:
        The schema version the database has now.

    Raises:
        Conflict: The database was written by a newer program (``state_too_new``).
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    tx.execute(text(CREATE_SCHEMA_VERSION))
    current = tx.execute(text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one()
    known = migrations()
    if current > known[-1].version:
        raise Conflict(
            "state_too_new",
            f"the state database has schema version {current}, this program knows {known[-1].version}:"
            " start the newer program, or restore the backup made before it ran",
        )
    for migration in known:
        if migration.version > current:
            _apply(tx, migration)
    return known[-1].version


def _apply(tx: Connection, migration: Migration) -> None:
    for statement in migration.statements:
        tx.execute(text(statement))
    tx.execute(
        text("INSERT INTO schema_version (version, name) VALUES (:version, :name)"),
        {"version": migration.version, "name": migration.name},
    )


def _read() -> Iterator[Migration]:
    for file in (files("collector.state") / "schema").iterdir():
        match = FILE_NAME.match(file.name)
        if match:
            yield Migration(
                version=int(match["version"]),
                name=match["name"],
                statements=_statements(file.read_text(encoding="utf-8")),
            )


def _statements(sql: str) -> tuple[str, ...]:
    """Split at semicolons; the files hold no string with a semicolon or a double dash."""
    pieces = (piece.strip() for piece in COMMENT.sub("", sql).split(";"))
    return tuple(piece for piece in pieces if piece)
