"""
The ClickHouse HTTP interface over chDB: ``python -m collector.engine.server --path DIR --watch-stdin``.

Spoken: ``GET /ping``; ``POST|GET /?query=…&database=…&param_x=…&<setting>=…`` with the statement in the
query string, in the body, in a form, or in both of the first (an INSERT's data follows its statement); Basic or ``X-ClickHouse-*``
credentials; ``Content-Encoding`` and chunked bodies; the ``X-ClickHouse-Format``, ``-Summary``, ``-Query-Id``,
``-Exception-Code`` and ``-Timezone`` headers. Not spoken: progress headers, external data, sessions.

chDB gives each statement a ``query_id`` of its own and takes none. The client's stands before the statement as a comment, ``/* id */``: by that
the statement is found in ``system.processes`` and ended by ``KILL QUERY`` (``collector/store/processes.py``).

One chDB handle is one session: settings stay on it, and a handle that was made read-only never becomes
writable again. So handles are pooled by the settings they were given, and never given others; a handle whose settings
will not come again (an insert's deduplication token) costs 130 KB if kept, so only the last few used are.

The port and nothing else is printed on standard output once the database is open. The process ends when its
standard input closes: an engine never outlives its collector.

Source: https://clickhouse.com/docs/en/interfaces/http; clickhouse-connect 1.12 is the client it was written against.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import re
import sys
import tempfile
import threading
import traceback
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

if __name__ == "__main__":
    # chDB looks for these for data frames, which this process never makes: 38 MB that nothing would use.
    sys.modules.update(dict.fromkeys(("pandas", "pyarrow", "numpy")))  # type: ignore[arg-type]

import chdb
import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

from collector.engine.deduplication import Logs, repair

# Consumed by the HTTP interface itself; everything else in the query string is a ClickHouse setting.
_TRANSPORT = frozenset(
    [
        "query",
        "database",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "quota_key",
        "compress",
        "decompress",
        "user",
        "password",
        "wait_end_of_query",
        "client_protocol_version",
        "role",
        "send_progress_in_http_headers",
        "buffer_size",
        "default_format",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
    ]
)
_READS = re.compile(
    rb"\s*(?:/\*.*?\*/\s*)?(SELECT|WITH|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|SET|KILL)\b",
    re.IGNORECASE | re.DOTALL,
)
_INSERTS = re.compile(rb"\s*INSERT\b", re.IGNORECASE)
_QUERY_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_INSERT_DATA = re.compile(rb"\s*INSERT\s+INTO\s+[^;]*?\bFORMAT\s+(\w+)\s*\Z", re.IGNORECASE)
_INSERT_DATA_HEAD = re.compile(rb"\s*INSERT\s+INTO\s[^;\n]*?\bFORMAT\s+(\w+)[ \t]*\r?\n", re.IGNORECASE)
_INPUT_TABLE = re.compile(rb"\binput\s*\(\s*('(?:[^'\\]|\\.)*')\s*\)", re.IGNORECASE)
_TRAILING_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_ERROR_CODE = re.compile(r"Code: (\d+)")
_BODY_ENCODINGS = frozenset({"zstd", "gzip", "deflate", "br", "lz4"})
# Read by chDB when the first handle opens the database.
_CONFIG = Path(__file__).with_name("engine.xml")
# Idle handles kept, whatever their settings: the readers' few sets stay warm, the one-off sets of inserts fall out.
_IDLE_HANDLES = 16


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handles:
    """
    chDB handles by the settings and database they carry.

    Args:
        path: Directory of the database; one per process (a chDB rule).
        defaults: Settings every handle starts with.
    """

    def __init__(self, path: str, defaults: dict[str, str]) -> None:
        self._path = f"{path}?config-file={_CONFIG}"
        self._defaults = defaults
        self._idle: deque[tuple[tuple[tuple[str, str], ...], Any]] = (
            deque()
        )  # the latest used at the right end
        self._lock = threading.Lock()
        self._keep_open = chdb.connect(self._path)  # the database closes with its last handle

    @contextmanager
    def borrow(self, database: str, settings: dict[str, str]) -> Iterator[Any]:
        """Yield a handle on *database* with exactly *settings* over the defaults; it goes back unless a query broke it."""
        key = (("", database), *sorted(settings.items()))
        handle = self._take(key)
        if handle is None:
            handle = self._open(database, settings)
        try:
            yield handle
        except BaseException:
            handle.close()  # what it had written of its answer would stand before the next one
            raise
        self._give_back(key, handle)

    def _take(self, key: tuple[tuple[str, str], ...]) -> Any:
        with self._lock:
            for index, (known, handle) in enumerate(self._idle):
                if known == key:
                    del self._idle[index]
                    return handle
        return None

    def _open(self, database: str, settings: dict[str, str]) -> Any:
        handle = chdb.connect(self._path)
        try:
            merged = {**self._defaults, **settings}
            readonly = merged.pop("readonly", None)
            if merged:
                handle.query(
                    "SET " + ", ".join(f"{k} = {_quoted(v)}" for k, v in merged.items()), "TabSeparated"
                )
            if database:
                handle.query(f"USE `{database.replace('`', '')}`", "TabSeparated")
            if readonly is not None:
                handle.query(f"SET readonly = {_quoted(readonly)}", "TabSeparated")
        except BaseException:
            handle.close()
            raise
        return handle

    def _give_back(self, key: tuple[tuple[str, str], ...], handle: Any) -> None:
        with self._lock:
            self._idle.append((key, handle))
            spare = self._idle.popleft()[1] if len(self._idle) > _IDLE_HANDLES else None
        if spare is not None:
            spare.close()


class Handler(BaseHTTPRequestHandler):
    """One connection of a ClickHouse client."""

    protocol_version = "HTTP/1.1"
    server: EngineServer
    # One send per answer instead of one per header, and no wait for the client's acknowledgement of the first.
    wbufsize = 65536
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer ``/ping`` and statements in the query string."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a statement in the body, the query string, or both."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Keep quiet: the collector logs what it asks."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        body = self._read_body()
        if url.path == "/ping":
            self._send(200, b"Ok.\n")
            return
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        form = self.headers.get("Content-Type", "")
        if form.startswith("multipart/form-data"):
            params, body = params | _fields(form, body), b""
        if not self._authorised(params):
            self._send_error(
                516, "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)", status=403
            )
            return
        try:
            self._run(params, body)
        except Exception as error:  # noqa: BLE001 - whatever the engine says is the client's answer
            text = str(error)
            found = _ERROR_CODE.search(text)
            self._send_error(int(found[1]) if found else 1002, text[text.find("Code: ") :] if found else text)

    def _authorised(self, params: dict[str, str]) -> bool:
        given = self.headers.get("X-ClickHouse-Key") or params.get("password", "")
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            try:
                given = base64.b64decode(basic[6:]).decode().partition(":")[2]
            except ValueError:
                return False
        return hmac.compare_digest(given.encode(), self.server.secret.encode())

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _run(self, params: dict[str, str], body: bytes) -> None:
        settings = {k: v for k, v in params.items() if k not in _TRANSPORT and not k.startswith("param_")}
        for name in settings:
            if not _SETTING_NAME.match(name):
                raise ValueError(f"Code: 115. DB::Exception: Unknown setting {name!r}. (UNKNOWN_SETTING)")
        bound = {k[6:]: v for k, v in params.items() if k.startswith("param_")}
        declared = self.headers.get("Content-Encoding", "")
        encoding = declared if declared in _BODY_ENCODINGS else "none"
        if encoding != "none" and not params.get(
            "query"
        ):  # the statement is inside: the data behind it is too
            body, encoding = _undone(body, encoding), "none"
        query, data = _split(params.get("query", "").encode(), body)
        database = params.get("database") or self.headers.get("X-ClickHouse-Database") or ""
        found = _TRAILING_FORMAT.search(query)
        out = found[1].decode() if found and data is None else params.get("default_format", "TabSeparated")
        with (
            _as_file(query, data, encoding) as statement,
            self.server.handles.borrow(database, settings) as handle,
        ):
            result = handle.query(_marked(statement.decode(), params.get("query_id", "")), out, params=bound)
            payload = result.bytes() or b""
            summary = {
                "read_rows": str(result.storage_rows_read()),
                "read_bytes": str(result.storage_bytes_read()),
                "result_rows": str(result.rows_read()),
                "elapsed_ns": str(int(result.elapsed() * 1e9)),
            }
        if _INSERTS.match(query):
            self.server.logs.sync()
        elif not _READS.match(query):
            self.server.logs.forget_tables()
        headers = {"X-ClickHouse-Summary": json.dumps(summary), "X-ClickHouse-Timezone": "UTC"}
        if params.get("query_id"):
            headers["X-ClickHouse-Query-Id"] = params["query_id"]
        if payload:
            headers["X-ClickHouse-Format"] = out
        if params.get("enable_http_compression") == "1" and "zstd" in self.headers.get("Accept-Encoding", ""):
            payload, headers["Content-Encoding"] = zstd.compress(payload), "zstd"
        self._send(200, payload, headers)

    def _send(self, status: int, payload: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def _send_error(self, code: int, text: str, status: int = 500) -> None:
        self._send(status, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})


def _marked(statement: str, query_id: str) -> str:
    """Put the client's *query_id* before the statement; one that could end the comment is not taken."""
    return f"/* {query_id} */ {statement}" if _QUERY_ID.match(query_id) else statement


def _undone(body: bytes, encoding: str) -> bytes:
    match encoding:
        case "zstd":
            return zstd.decompress(body)
        case "gzip" | "deflate":
            return zlib.decompress(body, zlib.MAX_WBITS | 32)
        case "lz4":
            return bytes(lz4.frame.decompress(body))
    raise ValueError(f"a statement in a body of Content-Encoding {encoding} is not read here")


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form: parameters that are too long for a URL arrive so, and the statement with them."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    parts = [(part.get_param("name", header="Content-Disposition"), part) for part in message.iter_parts()]
    return {str(name): bytes(part.get_payload(decode=True) or b"").decode() for name, part in parts if name}


def _split(query: bytes, body: bytes) -> tuple[bytes, bytes | None]:
    """Tell the statement from an INSERT's data; ``None`` when there is no data."""
    if query:
        return query, (body if body and (_INSERT_DATA.match(query) or _INPUT_TABLE.search(query)) else None)
    if head := _INSERT_DATA_HEAD.match(body):
        return body[: head.end()].rstrip(), body[head.end() :]
    return body, None


@contextmanager
def _as_file(query: bytes, data: bytes | None, encoding: str) -> Iterator[bytes]:
    """Put an INSERT's data where chDB reads it from: a file that lives as long as the statement runs."""
    if data is None:
        yield query
        return
    with tempfile.NamedTemporaryFile(prefix="fuseboard-insert-") as file:
        file.write(data)
        file.flush()
        if source := _INPUT_TABLE.search(query):
            found = _TRAILING_FORMAT.search(query)
            name = found[1].decode() if found else "Native"
            table = f"file({_quoted(file.name)}, '{name}', {source[1].decode()}, '{encoding}')".encode()
            statement = query[: found.start()] if found else query
            yield statement[: source.start()] + table + statement[source.end() :]
        else:
            found = _INSERT_DATA.match(query)
            assert found is not None
            into = query[: query[: found.start(1)].upper().rindex(b"FORMAT")]
            infile = f" FROM INFILE {_quoted(file.name)} COMPRESSION '{encoding}' FORMAT {found[1].decode()}"
            yield into.rstrip() + infile.encode()


class EngineServer(ThreadingHTTPServer):
    """The listening socket, the handles and the secret."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handles: Handles, logs: Logs, secret: str, port: int = 0) -> None:
        self.handles = handles
        self.logs = logs
        self.secret = secret
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that hung up."""


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Open the database, print the port, serve until standard input closes."""
    parser = argparse.ArgumentParser(
        prog="python -m collector.engine.server", description=__doc__.split("\n")[1]
    )
    parser.add_argument("--path", required=True, help="directory of the chDB database")
    parser.add_argument("--port", type=int, default=0, help="loopback port, 0 = any free one")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input closes")
    args = parser.parse_args()
    if (
        args.watch_stdin
    ):  # before the database is opened: that takes seconds in which the collector may be killed
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        _serve(Path(args.path), args.port)
    except BaseException:  # noqa: BLE001 - an interpreter that ends in good order waits for chDB's threads for ever
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _serve(path: Path, port: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    defaults = json.loads(os.environ.get("FUSEBOARD_ENGINE_SETTINGS", "{}"))
    if repaired := repair(path):
        print(f"deduplication logs repaired: {repaired}", file=sys.stderr, flush=True)  # noqa: T201 - our log
    handles = Handles(str(path), defaults)
    server = EngineServer(handles, Logs(path), os.environ.pop("FUSEBOARD_ENGINE_SECRET", ""), port)
    print(server.server_address[1], flush=True)  # noqa: T201 - the parent reads it
    server.serve_forever()


if __name__ == "__main__":
    main()
