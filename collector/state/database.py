"""
Connections and transactions of the state database, and the one boundary for its errors.

SQLite is opened with WAL (readers never wait for the writer), ``synchronous=FULL`` (a commit is
on the disk when it returns: design.md §10 sends only what is committed), foreign keys on and a
5 s busy time. The driver's own implicit BEGIN is switched off: a write transaction begins with
BEGIN IMMEDIATE, so that what it reads first is still true when it writes.

PostgreSQL, for several collectors, behaves the same: a write transaction first takes one advisory lock, so that writers come one
after the other (some milliseconds each, a few a second); a read is one REPEATABLE READ snapshot. Nobody waits longer than some seconds
for a lock, a statement or a connection. A PostgreSQL that is away when the program starts stops nothing else: the schema is applied by the first
transaction that reaches it; until then each is `Unavailable`. A SQLite file that cannot be opened is a mistake in the settings, told at once.
Source: SQLite documentation "Isolation"; SQLAlchemy "Serializable isolation / Savepoints".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from collector.errors import Malformed, Unavailable
from collector.state.migrate import ADVISORY_LOCK, migrate

log = structlog.get_logger()

# A writer holds the database for milliseconds; 5 s means the disk is in trouble.
BUSY_TIMEOUT_MS = 5000
_POSTGRESQL = {
    "connect_timeout": 5,
    "options": f"-c lock_timeout={BUSY_TIMEOUT_MS} -c statement_timeout=10000 -c idle_in_transaction_session_timeout=30000",
}


class State:
    """
    One state database, migrated on construction, or by the first transaction that reaches it; safe to share between threads.

    Args:
        url: SQLAlchemy URL, ``sqlite:////data/state.db`` or ``postgresql://user:password@host/database``.

    Raises:
        Malformed: *url* is not a database URL (``bad_state_url``).
        Unavailable: The file cannot be opened (``state_unavailable``).
        Conflict: It was written by a newer program (``state_too_new``).

    Attributes:
        version: Of its schema; 0 until it was reached.
        trouble: Why the last transaction found no database; ``None`` = it did.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._written = 0
        self._wal = _wal(self._engine)
        self._migrating = threading.Lock()
        self.version = 0
        self.trouble: str | None = None
        try:
            self._migrate()
        except Unavailable as error:
            if self._engine.dialect.name == "sqlite":
                self._engine.dispose()
                raise
            log.warning("state_away", error=error.message)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run one serialised write transaction: committed (and fsynced) on exit, undone on error."""
        with self._transaction(write=True) as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one read transaction: a single snapshot, never waiting for writers."""
        with self._transaction(write=False) as tx:
            yield tx

    def mark(self) -> object | None:
        """
        Give what changes with every commit, of this process and of others; ``None`` = only a question tells.

        A commit of this process is counted; one of another grows SQLite's log, or is written over it from its beginning.
        """
        if self._wal is None:
            return None
        try:
            log_file = os.stat(self._wal)  # noqa: PTH116 - half a million a second, and somebody looks at every half second
        except OSError:
            return None
        return self._written, log_file.st_size, log_file.st_mtime_ns

    def close(self) -> None:
        """Close every connection; committed data needs nothing more."""
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._migrating:
            if not self.version:
                with self._open(write=True) as tx:
                    version = migrate(tx)
                self.version = version

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        if not self.version:
            self._migrate()
        with self._open(write=write) as tx:
            yield tx

    @contextmanager
    def _open(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(fuseboard_write=write)
                before = _changes(connection)
                with connection.begin():
                    self.trouble = None
                    yield connection
                self._written += write and (before is None or _changes(connection) != before)
        except DBAPIError as error:
            if isinstance(error, OperationalError):
                self.trouble = str(error.orig).strip()
            raise Unavailable("state_unavailable", f"the state database refused: {error.orig}") from error
        except PoolTimeout as error:
            self.trouble = str(error)
            raise Unavailable(
                "state_unavailable", f"no free connection to the state database: {error}"
            ) from error


def _changes(connection: Connection) -> int | None:
    """Return how many rows SQLite has changed through *connection*; ``None`` = it is another database."""
    changes: int | None = getattr(connection.connection.dbapi_connection, "total_changes", None)
    return changes


def _wal(engine: Engine) -> str | None:
    """Return the path of SQLite's log; ``None`` = there is none that a look at a file would tell of."""
    name = engine.url.database
    return f"{name}-wal" if engine.dialect.name == "sqlite" and name else None


def _engine(url: str) -> Engine:
    if url.startswith("postgresql"):
        return _postgresql(url)
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise Malformed(
            "bad_state_url",
            f"not a database URL: {url.partition('://')[0]!r}…, write sqlite:////path/state.db or postgresql://user:password@host/database",
            "state",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: str) -> Engine:
    try:
        made = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(made, pool_pre_ping=True, connect_args=_POSTGRESQL)
    except (ArgumentError, ImportError, ValueError) as error:
        raise Malformed(
            "bad_state_url",
            "PostgreSQL for the state: a URL that cannot be read, or the extra 'postgres' is missing",
            "state",
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("fuseboard_write", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _prepare_sqlite(connection: Any, record: object) -> None:
    del record
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("fuseboard_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
