"""
The client of ClickHouse: embedded and server mode differ in the URL only.

``query``    one statement, ``{name:Type}`` parameters, rows as dicts (JSON: the engine formats, msgspec parses); to the embedded engine by ``direct.py``
``command``  DDL and the like
``load``     an ``INSERT … SELECT``: from a file the engine can read, or with the segment as the request's body
``insert``   a few rows the collector itself made (per batch or per alert, never per record)

All raise `StoreUnavailable` when no answer came and `StoreRejected` when the answer was no.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.errors import StoreRejected, StoreUnavailable
from collector.store import cluster
from collector.store.direct import Direct
from collector.store.refusals import MESSAGE_LIMIT, refused
from collector.store.storage import Storage
from collector.store.target import Target

# Times as RFC 3339 with all nanoseconds, numbers as numbers: answers go out as they come.
_JSON_SETTINGS: Mapping[str, object] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    # a small answer's threads cost more than it: a fifth of SELECT 1 (docs/adr/0047)
    "output_format_parallel_formatting": 0,
}
# A statement ends by its own deadline, with ClickHouse's words, before the connection is given up: a share of that, and the answer's way.
_GRACE = 1.25
# Over a network an answer is compressed; the client's HTTP library undoes it.
_COMPRESSED = {"Accept-Encoding": "zstd, gzip"}
# BAD_ARGUMENTS (no such message) and CANNOT_PARSE_PROTOBUF_SCHEMA, when they name a file in ClickHouse's cache of inline schemas.
_SCHEMA_CODES = frozenset({36, 434})
_SCHEMA_CACHE = "__cache__"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of one query and what it cost."""

    rows: list[dict[str, Any]]
    rows_read: int = 0
    bytes_read: int = 0
    elapsed_ms: float = 0.0


class _Statistics(msgspec.Struct):
    elapsed: float = 0.0
    rows_read: int = 0
    bytes_read: int = 0


class _Json(msgspec.Struct):
    data: list[dict[str, Any]]
    statistics: _Statistics = msgspec.field(default_factory=_Statistics)


class Store:
    """
    ClickHouse, as the rest of the collector sees it. Thread-safe.

    Args:
        target: Returns where ClickHouse is now, or raises `StoreUnavailable`; asked before every call, because
            the embedded engine gets a new port with each restart.
        timeout_s: Deadline of one statement.
    """

    def __init__(self, target: Callable[[], Target], timeout_s: float = 60.0) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connected: tuple[Target, Client] | None = None
        self._direct: tuple[Target, Direct] | None = None
        self._written = 0

    def mark(self) -> object | None:
        """
        Give what changes with everything that may have changed a table; ``None`` = nobody here knows: others write there, too.

        The embedded engine takes statements from this process alone, so what it holds changes by them, by a restart, and by what grows old.

        Raises:
            StoreUnavailable: The engine is away.
        """
        target = self._target()
        return (target.url, self._written) if target.shared_disk else None

    def query(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        query_id: str | None = None,
    ) -> Answer:
        """
        Run a SELECT.

        Args:
            sql: Without a FORMAT clause.
            params: Values for ``{name:Type}`` places.
            settings: ClickHouse settings for this statement.
            query_id: What it is called in ``system.processes``; unset = a random one.
        """
        target = self._target()
        merged: dict[str, object] = {"query_id": query_id or f"fuseboard-{secrets.token_hex(12)}"}
        merged |= {**_JSON_SETTINGS, "max_execution_time": math.ceil(self._timeout_s), **(settings or {})}
        if target.cluster is not None:
            merged |= cluster.QUERY_SETTINGS
        raw = self._short(target, sql, params or {}, merged) if target.shared_disk else None
        if raw is None:
            raw = self._raw(target, sql, params or {}, merged)
        try:
            parsed = msgspec.json.decode(raw, type=_Json)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreUnavailable(f"ClickHouse's answer is cut off: {error}") from error
        cost = parsed.statistics
        return Answer(parsed.data, cost.rows_read, cost.bytes_read, cost.elapsed * 1000)

    def _short(
        self, target: Target, sql: str, params: Mapping[str, object], settings: Mapping[str, object]
    ) -> bytes | None:
        with self._lock:
            if self._direct is None or self._direct[0] != target:
                self._direct = target, Direct(target.url, max(1.0, self._timeout_s * _GRACE))
            direct = self._direct[1]
        try:
            return direct.select(sql, params, settings)
        except OSError as error:
            raise StoreUnavailable(f"ClickHouse does not answer: {error}"[:MESSAGE_LIMIT]) from error

    def _raw(
        self, target: Target, sql: str, params: Mapping[str, object], settings: dict[str, object]
    ) -> bytes:
        transport = None
        if not target.shared_disk:
            settings, transport = {**settings, "enable_http_compression": 1}, _COMPRESSED
        return self._call(
            lambda client: client.raw_query(sql, dict(params), settings, "JSON", transport_settings=transport)
        )

    def command(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Run a statement that returns nothing of interest."""
        self._write(lambda client: client.command(sql, dict(params or {}), settings=dict(settings or {})))

    def load(
        self,
        sql: str,
        params: Mapping[str, object],
        settings: Mapping[str, object],
        body: bytes | None = None,
    ) -> None:
        """
        Run an INSERT … SELECT, deduplicated by the token in *settings*.

        Args:
            sql: From `Mapping.insert_from_file` or `insert_from_input`.
            params: Values for ``{name:Type}`` places.
            settings: Token, format schema, block sizes.
            body: The segment's zstd frames when *sql* reads ``input()``.

        Raises:
            StoreUnavailable: No answer, "not now", or the engine's own copy of the schema is damaged: a full disk or a power cut has left
                half a file, which ClickHouse would believe for ever. It is dropped; the next attempt makes it anew.
        """
        try:
            self._load(sql, params, settings, body)
        except StoreRejected as error:
            if error.clickhouse_code not in _SCHEMA_CODES or _SCHEMA_CACHE not in error.message:
                raise
            self.command("SYSTEM DROP FORMAT SCHEMA CACHE")
            raise StoreUnavailable(error.message, error.clickhouse_code) from error

    def _load(
        self,
        sql: str,
        params: Mapping[str, object],
        settings: Mapping[str, object],
        body: bytes | None,
    ) -> None:
        if self.cluster is not None:
            sql = cluster.local_insert(sql)
        if body is None:
            self.command(sql, params, settings)
            return
        statement = f"{sql.rstrip().rstrip(';')} FORMAT Protobuf"
        encoding = {"Content-Encoding": "zstd"}
        self._write(
            lambda client: client.command(
                statement, dict(params), data=body, settings=dict(settings), transport_settings=encoding
            )
        )

    def insert(self, table: str, rows: Sequence[Mapping[str, object]], token: str) -> None:
        """Insert *rows* (their keys are the columns) once, however often it is called with the same *token*."""
        body = b"\n".join(msgspec.json.encode(row) for row in rows)
        settings: dict[str, object] = {
            "insert_deduplication_token": token,
            "async_insert": 0,
            "date_time_input_format": "best_effort",
        }
        columns = list(rows[0])
        assert all(list(row) == columns for row in rows), f"rows for {table} differ in their columns"
        if self.cluster is not None:
            table = cluster.local(table)
        encoding = None if self.shared_disk else "zstd"
        sent = zstd.compress(body) if encoding else body
        self._write(lambda client: client.raw_insert(table, columns, sent, settings, "JSONEachRow", encoding))

    @property
    def shared_disk(self) -> bool:
        """Whether the engine reads the collector's own files."""
        return self._target().shared_disk

    @property
    def cluster(self) -> str | None:
        """The cluster that the tables are spread over; ``None`` = one server."""
        return self._target().cluster

    @property
    def storage(self) -> Storage | None:
        """Where the server keeps what the schema makes; ``None`` = its default policy."""
        return self._target().storage

    @property
    def database(self) -> str:
        """Where the tables are."""
        return self._target().database

    def ping(self) -> None:
        """Raise `StoreError` unless ClickHouse answers a SELECT."""
        self._call(lambda client: client.command("SELECT 1"))

    def _write(self, work: Callable[[Client], object]) -> None:
        try:
            self._call(work)
        finally:  # also when nobody knows what became of it
            with self._lock:
                self._written += 1

    def _call(self, work: Callable[[Client], _T]) -> _T:
        target = self._target()
        try:
            return work(self._client(target))
        except ClickHouseError as error:
            raise refused(int(getattr(error, "code", None) or 0), str(error)) from error
        except OSError as error:
            raise StoreUnavailable(f"ClickHouse does not answer: {error}"[:MESSAGE_LIMIT]) from error

    def _client(self, target: Target) -> Client:
        with self._lock:
            if self._connected is not None and self._connected[0] == target:
                return self._connected[1]
        made = _connect(target, self._timeout_s)  # outside the lock: a server that hangs holds up nobody else
        with self._lock:
            self._connected = (target, made)
        return made


def _connect(target: Target, timeout_s: float) -> Client:
    url = urlsplit(target.url)
    return clickhouse_connect.get_client(
        host=url.hostname or "127.0.0.1",
        port=url.port or (8443 if url.scheme == "https" else 8123),
        username=unquote(url.username or "default"),
        password=unquote(url.password or ""),
        database=target.database,
        secure=url.scheme == "https",
        ca_cert=target.ca_file,
        compress=not target.shared_disk,
        autogenerate_session_id=False,
        connect_timeout=5,
        send_receive_timeout=max(1, math.ceil(timeout_s * _GRACE)),
    )
