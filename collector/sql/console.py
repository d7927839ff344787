"""
`Console.prepare`: a person's statement -> a statement that may run.

1. The engine parses it (two pure functions of it, given the text as data: nothing of it runs) into a tree, or refuses it.
2. `tree.Walk` or `plain.read_plain` checks what was parsed.
3. The engine writes the checked tree as text again; that text runs, under ``readonly`` and the limits, on a client of its own.

Two parsers that read one text differently are how guards are passed by; here the parser that checks is the one that runs (docs/adr/0022).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from collector.errors import (
    Forbidden,
    QueryError,
    StoreError,
    StoreUnavailable,
    TooLarge,
    Unavailable,
)
from collector.sql.changes import accepted, checked_format
from collector.sql.functions import LIST_FUNCTIONS, Functions, functions
from collector.sql.plain import Plain, read_plain
from collector.sql.tables import Readable
from collector.sql.tree import Checked, Walk
from collector.store.bulkhead import Bulkhead
from collector.store.client import Answer, Store
from collector.store.limits import TOO_EXPENSIVE, QueryLimits
from collector.store.question import Question

# ClickHouse's own max_query_size; a longer one is generated, and its place is a table.
_STATEMENT_BYTES = 256 << 10
# People share the engine with ingestion and with the board: more statements than this wait for each other, so long at most.
_AT_ONCE = 4
_WAITING = 4
_WAIT_S = 30.0
_NOT_IN_TREE, _UNKNOWN_FUNCTION, _READONLY = 36, 46, 164


# With these a client cannot write, nor look into the engine.
_READ_ONLY: Mapping[str, str] = {"readonly": "1", "allow_introspection_functions": "0"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    A statement that may run.

    Attributes:
        text: Without FORMAT and SETTINGS.
        database: Where it runs.
        format: Asked for in its FORMAT clause; empty: none.
        settings: What it runs under.
    """

    text: str
    database: str
    format: str
    settings: Mapping[str, str]


class Console:
    """
    The guard. Thread-safe.

    Args:
        store: Parses, and runs for ``POST /api/v1/sql``.
        limits: What one statement may take.
    """

    def __init__(self, store: Store, limits: QueryLimits) -> None:
        self._store = store
        self.limits = limits
        self._lock = threading.Lock()
        self._bulkhead = Bulkhead(_AT_ONCE, _WAITING, _WAIT_S, _busy)
        self._functions: Functions | None = None

    def prepare(self, text: str, database: str = "", changes: Mapping[str, str] | None = None) -> Prepared:
        """
        Check *text*.

        Args:
            text: One statement.
            database: Where names without a database live; empty: ours.
            changes: Settings sent beside it.

        Raises:
            Forbidden: Something in it is not allowed; the message names it.
            QueryError: ``sql_syntax``: it does not parse.
            StoreUnavailable: The engine does not answer.
        """
        if len(text.encode()) > _STATEMENT_BYTES:
            raise TooLarge("sql_too_long", f"a statement may have {_STATEMENT_BYTES} bytes", "query")
        ours = self._store.database
        readable = Readable(ours, ours if database in {"", "default"} else database)
        if not readable.database(None):
            raise Forbidden("sql_table", f"the database {database[:80]!r} is not readable here", "database")
        checked = Checked()
        safe = self._safe(text, readable, checked)
        limits = {**_READ_ONLY, **self.limits.settings()}
        settings = limits | accepted({**(changes or {}), **checked.changes}, limits)
        return Prepared(
            safe, readable.current, checked_format(checked.format) if checked.format else "", settings
        )

    def ask(self, text: str, question: Question | None = None) -> Answer:
        """
        Check *text*, run it, and return its rows as objects.

        Args:
            text: One statement.
            question: Whose it is; it ends when its asker goes away.

        Raises:
            Forbidden: As `prepare`.
            QueryError: ``sql_syntax``, or ``sql_failed``: the engine refuses it.
            QueryTooExpensive: Over a limit.
            Unavailable: ``sql_busy``: others run.
            Gone: The asker went away.
        """
        prepared = self.prepare(text)
        asked = question or Question(limits=self.limits)
        with self._bulkhead.turn(asked.check), asked.statement() as (query_id, _):
            try:
                return self._store.query(prepared.text, None, prepared.settings, query_id)
            except StoreError as error:
                asked.check()
                raise _failed(error, self.limits.under(prepared.settings)) from error

    def _safe(self, text: str, readable: Readable, checked: Checked) -> str:
        try:
            tree = self._pure("parseQueryToJSON", text)
        except StoreError as error:
            if error.clickhouse_code != _NOT_IN_TREE:
                raise _unparsed(error) from error
            return self._plain(self._normal(text), readable, checked)
        try:
            root = msgspec.json.decode(tree, type=dict)
        except msgspec.DecodeError as error:
            raise QueryError(
                "sql_syntax", f"the statement's tree cannot be read: {error}", "query"
            ) from error
        found = Walk(self._known(), readable).check(root)
        checked.format = found.format
        checked.changes.update(found.changes)
        return self._pure("formatQueryFromJSON", msgspec.json.encode(root).decode())

    def _plain(self, normal: str, readable: Readable, checked: Checked) -> str:
        plain = read_plain(normal)
        if plain is None:
            raise Forbidden("sql_statement", f"{' '.join(normal.split()[:2])[:80]} is not allowed in this form", "query")  # fmt: skip
        checked.format = plain.format
        if plain.select is not None:
            inner = Checked()
            safe = self._safe(plain.select, readable, inner)
            checked.changes.update(inner.changes)
            return f"DESCRIBE TABLE ({safe})"
        _check_plain(plain, readable)
        names = [f"`{name}`" for name in (plain.database, plain.table) if name]
        return f"{plain.verb} {'.'.join(names)}"

    def _normal(self, text: str) -> str:
        try:
            return self._pure("formatQuerySingleLine", text)
        except StoreError as error:
            raise _unparsed(error) from error

    def _pure(self, function: str, text: str) -> str:
        """Let the engine apply one of its functions of statements to *text*, given as data."""
        given = base64.b64encode(text.encode()).decode()
        answer = self._store.query(f"SELECT {function}(base64Decode('{given}')) AS made", None, _PARSING)
        return str(answer.rows[0]["made"])

    def _known(self) -> Functions:
        with self._lock:
            if self._functions is None:
                self._functions = functions(self._store.query(LIST_FUNCTIONS).rows)
            return self._functions


# The texts of two functions: no rows are read; a tree may be many times as long as its statement.
_PARSING: Mapping[str, object] = {"readonly": 1, "max_execution_time": 10, "max_query_size": 64 << 20}


def _check_plain(plain: Plain, readable: Readable) -> None:
    allowed = (
        readable.database(plain.database)
        if plain.table is None
        else readable.table(plain.database, plain.table)
    )
    if not allowed:
        whole = ".".join(name for name in (plain.database, plain.table) if name)
        raise Forbidden("sql_table", f"the table {whole[:160]} is not readable here", "query")


def _unparsed(error: StoreError) -> Exception:
    if error.clickhouse_code == _UNKNOWN_FUNCTION:
        return Forbidden("sql_statement", "statements are checked with parseQueryToJSON, which this ClickHouse lacks; 26.8 has it")  # fmt: skip
    if isinstance(error, StoreUnavailable) and error.clickhouse_code not in TOO_EXPENSIVE:
        return error
    return QueryError("sql_syntax", _said(error), "query")


def _busy(sentence: str) -> Unavailable:
    return Unavailable("sql_busy", f"{sentence}; ask again soon", retry_after_s=2)


def _failed(error: StoreError, limits: QueryLimits) -> Exception:
    if refused := limits.refused(error):
        return refused
    if error.clickhouse_code == _READONLY:
        return Forbidden("sql_statement", _said(error), "query")
    return error if isinstance(error, StoreUnavailable) else QueryError("sql_failed", _said(error), "query")


def _said(error: StoreError) -> str:
    """Return the engine's own words, without what its function was given."""
    text = error.message
    start = text.find("DB::Exception: ")
    words = text[start + 15 if start >= 0 else 0 :].split(": In scope SELECT")[0]
    return words.split(" (for url ")[0].strip()[:500]
