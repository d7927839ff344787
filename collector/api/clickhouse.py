"""
The ClickHouse HTTP interface for people at ``/clickhouse/``: clickhouse-connect, Grafana's data source, DBeaver, curl.

Spoken: ``GET …/ping``, and ``GET …/`` without a statement, which is the same; GET and POST of a statement in ``?query=``, in the body, or its beginning in the one and its end in the other; a form
(multipart) with the same fields; ``database``, ``default_format``, ``query_id``, ``param_<name>``, the settings of ``collector.sql.changes``;
our read keys as Basic password, ``X-ClickHouse-Key``, ``password`` or Bearer; gzip of bodies and answers; ClickHouse's headers and the
form of its errors. Not spoken: ``compress=1`` (ClickHouse's own framing), sessions (``session_id`` is ignored), external tables, progress headers.

Every statement goes through `collector.sql.console.Console`; the answer is passed on chunk by chunk.

Source: https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

import asyncio
import re
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

import httpx
import structlog

from collector.errors import (
    Forbidden,
    FuseboardError,
    Malformed,
    MethodNotAllowed,
    NotFound,
    QueryError,
    QueryTooExpensive,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from collector.receive.app import Receive, Scope, Send
from collector.sql.changes import checked_format
from collector.sql.console import Console, Prepared
from collector.store.passage import Passage

log = structlog.get_logger(__name__)

PREFIX = "/clickhouse"
# A statement has 256 KiB at most; its parameters may be as long.
_BODY_BYTES = 1 << 20
# People share the engine with ingestion and with the board: more statements than this wait for each other, so long at most.
_AT_ONCE = 4
_WAIT_S = 30.0
_DEFAULT_FORMAT = "TabSeparated"
_GZIP = zlib.MAX_WBITS | 16
_TRANSPORT = frozenset(
    {"query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check", "quota_key", "user", "password",
     "client_protocol_version", "compress", "decompress", "role"}
)  # fmt: skip
_CONTENT_TYPES = (
    (re.compile(r"json(eachrow|lines)|ndjson|jsoncompact.*eachrow|jsonstringseachrow"), "application/x-ndjson; charset=UTF-8"),
    (re.compile("json"), "application/json; charset=UTF-8"),
    (re.compile("csv"), "text/csv; charset=UTF-8"),
    (re.compile("tsv|tabseparated"), "text/tab-separated-values; charset=UTF-8"),
    (re.compile("native|rowbinary|arrow|parquet|msgpack"), "application/octet-stream"),
)  # fmt: skip
# ClickHouse's numbers: ACCESS_DENIED, READONLY, SYNTAX_ERROR, AUTHENTICATION_FAILED, REQUIRED_PASSWORD, …
_CODES: Mapping[type[FuseboardError], tuple[int, str]] = {
    Unauthenticated: (516, "AUTHENTICATION_FAILED"),
    Forbidden: (497, "ACCESS_DENIED"),
    QueryTooExpensive: (159, "TIMEOUT_EXCEEDED"),
    QueryError: (62, "SYNTAX_ERROR"),
    StoreUnavailable: (210, "NETWORK_ERROR"),
    Unavailable: (202, "TOO_MANY_SIMULTANEOUS_QUERIES"),
    Unsupported: (48, "NOT_IMPLEMENTED"),
    TooLarge: (307, "TOO_MANY_BYTES"),
    NotFound: (404, "NOT_FOUND_NODE"),
}
# By our own code, where its class is not enough.
_CODE_OF = {
    "sql_setting": (164, "READONLY"),
    "sql_format": (73, "UNKNOWN_FORMAT"),
    "sql_too_long": (62, "SYNTAX_ERROR"),
}
# Words of the refusal of statements that would write.
_WRITES = re.compile(
    r"(INSERT|ALTER|CREATE|DROP|SET|SYSTEM|ATTACH|DETACH|RENAME|TRUNCATE|OPTIMIZE|DELETE|UPDATE)\b"
)


class ClickHouse:
    """
    The ASGI application.

    Args:
        console: The guard.
        passage: The way to the engine.
        authenticate: Called with the headers (lower case) of each request but ``ping``; raises.
    """

    def __init__(
        self, console: Console, passage: Passage, authenticate: Callable[[Mapping[bytes, bytes]], object]
    ) -> None:
        self._console = console
        self._passage = passage
        self._authenticate = authenticate
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = _Answer(send, b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b""))
        try:
            await self._answer(scope, receive, answer)
        except FuseboardError as error:
            await _refuse(answer, error)
        except Exception:
            log.exception("clickhouse_interface_failed")
            if answer.begun:
                raise
            await answer.error(
                500,
                1002,
                "Code: 1002. DB::Exception: the collector failed; see its log. (UNKNOWN_EXCEPTION)",
            )

    async def aclose(self) -> None:
        """Close the way to the engine."""
        await self._passage.aclose()

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        path = scope["path"].removeprefix(PREFIX).strip("/")
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if path == "ping" or (not path and scope["method"] == "GET" and not asked.get("query")):
            await answer.whole(200, b"Ok.\n", {"content-type": "text/html; charset=UTF-8"})
            return
        if path:
            raise NotFound(
                "not_found", f"nothing is served at {scope['path'][:200]!r}; statements go to {PREFIX}/"
            )
        if scope["method"] not in {"GET", "POST"}:
            raise MethodNotAllowed("method_not_allowed", f"{PREFIX}/ takes GET and POST")
        headers = dict(scope["headers"])
        self._authenticate(_with_key(headers, asked))
        asked = _asked(headers, asked, await _body(headers, receive))
        await self._run(asked, headers, answer)

    async def _run(self, asked: dict[str, str], headers: Mapping[bytes, bytes], answer: _Answer) -> None:
        if asked.get("compress") == "1":
            raise Unsupported("unsupported_encoding", "compress=1, ClickHouse's own framing, is not spoken here; use Accept-Encoding: gzip", "compress")  # fmt: skip
        changes = {k: v for k, v in asked.items() if k not in _TRANSPORT and not k.startswith("param_")}
        database = asked.get("database") or headers.get(b"x-clickhouse-database", b"").decode("latin-1")
        wanted = asked.get("default_format") or headers.get(b"x-clickhouse-format", b"").decode("latin-1")
        async with self._turn():
            prepared = await asyncio.to_thread(
                self._console.prepare, asked.get("query", ""), database, changes
            )
            form = prepared.format or checked_format(wanted or _DEFAULT_FORMAT)
            self._check_native(form, asked)
            params = _params(prepared, asked, form)
            query_id = asked.get("query_id") or str(uuid.uuid4())
            async with self._passage.run(prepared.text, params) as response:
                await _pass_on(response, form, query_id, answer)

    def _check_native(self, form: str, asked: Mapping[str, str]) -> None:
        """Refuse what would be read wrongly: a client that says its protocol version expects Native as of that version."""
        version = asked.get("client_protocol_version", "0")
        if form.lower() == "native" and version != "0" and self._passage.embedded:
            raise Unsupported("unsupported_format", f"the embedded engine does not write Native of protocol version {version[:20]}; use another format, or server mode", "client_protocol_version")  # fmt: skip

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._at_once.acquire(), _WAIT_S)
        except TimeoutError as error:
            raise Unavailable("sql_busy", f"{_AT_ONCE} statements run already and none ended within {_WAIT_S:g} s") from error  # fmt: skip
        try:
            yield
        finally:
            self._at_once.release()


class _Answer:
    """
    What goes back: whole or in chunks, compressed where the client reads gzip.

    Args:
        send: Of ASGI.
        gzip: Whether the client reads it.
    """

    def __init__(self, send: Send, gzip: bool) -> None:
        self._send = send
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP) if gzip else None
        self.begun = False

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        self.begun = True
        marks = {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-clickhouse-server-display-name": "fuseboard",
        }
        if self._compressor is not None:
            marks["content-encoding"] = "gzip"
        pairs = [
            (k.lower().encode(), v.encode("latin-1", "replace")) for k, v in {**marks, **headers}.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def part(self, chunk: bytes) -> None:
        """Send some of the body."""
        made = self._compressor.compress(chunk) if self._compressor is not None else chunk
        if made:
            await self._send({"type": "http.response.body", "body": made, "more_body": True})

    async def end(self) -> None:
        """Send the rest."""
        rest = self._compressor.flush() if self._compressor is not None else b""
        await self._send({"type": "http.response.body", "body": rest})

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a short answer as it is."""
        self._compressor = None
        await self.begin(status, {**headers, "content-length": str(len(body))})
        await self.part(body)
        await self.end()

    async def error(
        self, status: int, code: int, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an error in ClickHouse's form."""
        said = {
            "content-type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Exception-Code": str(code),
            **(headers or {}),
        }
        await self.whole(status, text.encode(), said)


async def _refuse(answer: _Answer, error: FuseboardError) -> None:
    if answer.begun:  # the head says 200: breaking off is how the client learns
        raise error
    code, name = _CODE_OF.get(error.code) or next(
        (found for kind, found in _CODES.items() if isinstance(error, kind)), (36, "BAD_ARGUMENTS")
    )
    if error.code == "sql_statement" and _WRITES.match(error.message):
        code, name = 164, "READONLY"
    extra = {}
    if isinstance(error, Unauthenticated):
        extra["WWW-Authenticate"] = 'Basic realm="fuseboard"'
    if isinstance(error, StoreUnavailable | Unavailable):
        extra["Retry-After"] = "2"
    await answer.error(error.status, code, f"Code: {code}. DB::Exception: {error.message}. ({name})\n", extra)


async def _pass_on(response: httpx.Response, form: str, query_id: str, answer: _Answer) -> None:
    if response.status_code != 200:
        await response.aread()
        code = response.headers.get("x-clickhouse-exception-code", "1002")
        await answer.error(
            response.status_code, int(code), response.text, {"X-ClickHouse-Query-Id": query_id}
        )
        return
    kept = ("x-clickhouse-summary", "x-clickhouse-timezone", "x-clickhouse-exception-tag")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    headers |= {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Format": form, "content-type": _content_type(form)}  # fmt: skip
    await answer.begin(200, headers)
    async for chunk in response.aiter_bytes(64 << 10):
        await answer.part(chunk)
    await answer.end()


def _params(prepared: Prepared, asked: Mapping[str, str], form: str) -> dict[str, str]:
    bound = {name: value for name, value in asked.items() if name.startswith("param_")}
    passed = {name: asked[name] for name in ("client_protocol_version",) if name in asked}
    return {**prepared.settings, **bound, **passed, "database": prepared.database, "default_format": form}


def _with_key(headers: Mapping[bytes, bytes], asked: Mapping[str, str]) -> Mapping[bytes, bytes]:
    """Say the key as our own clients do, wherever ClickHouse's put it."""
    key = headers.get(b"x-clickhouse-key") or asked.get("password", "").encode()
    return {**headers, b"authorization": b"Bearer " + key} if key else headers


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Read the body and undo gzip."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("body_cut_off", "the client went away before its body was complete")
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > _BODY_BYTES:
            raise TooLarge("sql_too_long", f"a request here may have {_BODY_BYTES} bytes")
        if not message.get("more_body"):
            break
    return _undone(b"".join(parts), headers.get(b"content-encoding", b"").decode("latin-1"))


def _undone(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"} or not body:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise Unsupported(
            "unsupported_encoding", f"Content-Encoding {encoding[:40]!r} is not read here; gzip is"
        )
    try:
        plain = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, _BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed("bad_gzip", f"the body is not valid {encoding}: {error}") from error
    if len(plain) > _BODY_BYTES:
        raise TooLarge("sql_too_long", f"a request here may have {_BODY_BYTES} bytes")
    return plain


def _asked(headers: Mapping[bytes, bytes], asked: dict[str, str], body: bytes) -> dict[str, str]:
    """Put statement and parameters together: a statement begins in the query string and goes on in the body."""
    kind = headers.get(b"content-type", b"").decode("latin-1")
    try:
        if kind.startswith("multipart/form-data"):
            fields = _fields(kind, body)
            return {**asked, **fields}
        # a browser's or an httpx client's form would be a statement that begins with "query="
        return {**asked, "query": asked.get("query", "") + body.decode()}
    except UnicodeDecodeError as error:
        raise QueryError("sql_syntax", f"the statement is not UTF-8: {error}", "query") from error


def _fields(kind: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=HTTP)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        if part.get_filename():
            raise Unsupported("unsupported_content_type", "external tables are not taken here")
        payload = part.get_payload(decode=True)
        if name and isinstance(payload, bytes):
            fields[str(name)] = payload.decode()
    return fields


def _content_type(form: str) -> str:
    return next(
        (kind for shape, kind in _CONTENT_TYPES if shape.search(form.lower())), "text/plain; charset=UTF-8"
    )
