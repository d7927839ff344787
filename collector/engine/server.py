"""
The ClickHouse HTTP interface over chDB: ``python -m collector.engine.server --path DIR --watch-stdin``.

Spoken: ``GET /ping``; ``POST|GET /?query=…&database=…&param_x=…&<setting>=…`` with the statement in the
query string, in the body, in a form, or in both of the first (an INSERT's data follows its statement); Basic or ``X-ClickHouse-*``
credentials; ``Content-Encoding`` and chunked bodies; the ``X-ClickHouse-Format``, ``-Summary``, ``-Query-Id``,
``-Exception-Code`` and ``-Timezone`` headers. Not spoken: progress headers, external data, sessions.

chDB gives each statement a ``query_id`` of its own and takes none. The client's stands before the statement as a comment, ``/* id */``: by that
the statement is found in ``system.processes`` and ended by ``KILL QUERY`` (``collector/store/processes.py``).

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
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

if __name__ == "__main__":
    # chDB looks for these for data frames, which this process never makes: 38 MB that nothing would use.
    sys.modules.update(dict.fromkeys(("pandas", "pyarrow", "numpy")))  # type: ignore[arg-type]

from backports import zstd

from collector.engine.deduplication import Logs, repair
from collector.engine.handles import Handles
from collector.engine.statement import TRAILING_FORMAT, as_file, fields, marked, split, undone

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
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ERROR_CODE = re.compile(r"Code: (\d+)")
_BODY_ENCODINGS = frozenset({"zstd", "gzip", "deflate", "br", "lz4"})


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
            params, body = params | fields(form, body), b""
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
            body, encoding = undone(body, encoding), "none"
        query, data = split(params.get("query", "").encode(), body)
        database = params.get("database") or self.headers.get("X-ClickHouse-Database") or ""
        found = TRAILING_FORMAT.search(query)
        out = found[1].decode() if found and data is None else params.get("default_format", "TabSeparated")
        with (
            as_file(query, data, encoding) as statement,
            self.server.handles.borrow(database, settings) as handle,
        ):
            result = handle.query(marked(statement.decode(), params.get("query_id", "")), out, params=bound)
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
    server.serve_forever(poll_interval=3600)  # nobody shuts it down: the process ends with its standard input


if __name__ == "__main__":
    main()
