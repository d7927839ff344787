"""What a client asks: its body undone, its statement and parameters put together, its key where our own clients put it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import HTTP

from collector.api.clickhouse import frames
from collector.errors import Malformed, QueryError, TooLarge, Unsupported
from collector.receive.asgi import Receive

# A statement has 256 KiB at most; its parameters may be as long.
BODY_BYTES = 1 << 20


def with_key(headers: Mapping[bytes, bytes], asked: Mapping[str, str]) -> Mapping[bytes, bytes]:
    """Say the key as our own clients do, wherever ClickHouse's put it."""
    key = headers.get(b"x-clickhouse-key") or asked.get("password", "").encode()
    return {**headers, b"authorization": b"Bearer " + key} if key else headers


async def body_of(headers: Mapping[bytes, bytes], asked: Mapping[str, str], receive: Receive) -> bytes:
    """
    Read the body and undo gzip, and ClickHouse's framing where ``decompress=1`` says that it is in it.

    Raises:
        Malformed: It is cut off, or not what it says.
        TooLarge: ``sql_too_long``.
        Unsupported: ``unsupported_encoding``.
    """
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("body_cut_off", "the client went away before its body was complete")
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > BODY_BYTES:
            raise TooLarge("sql_too_long", f"a request here may have {BODY_BYTES} bytes")
        if not message.get("more_body"):
            break
    plain = _undone(b"".join(parts), headers.get(b"content-encoding", b"").decode("latin-1"))
    return frames.unframed(plain, BODY_BYTES) if asked.get("decompress") == "1" else plain


def _undone(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"} or not body:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise Unsupported(
            "unsupported_encoding", f"Content-Encoding {encoding[:40]!r} is not read here; gzip is"
        )
    try:
        plain = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed("bad_gzip", f"the body is not valid {encoding}: {error}") from error
    if len(plain) > BODY_BYTES:
        raise TooLarge("sql_too_long", f"a request here may have {BODY_BYTES} bytes")
    return plain


def together(headers: Mapping[bytes, bytes], asked: Mapping[str, str], body: bytes) -> dict[str, str]:
    """
    Put statement and parameters together: a statement begins in the query string and goes on in the body.

    Raises:
        QueryError: ``sql_syntax``: it is not UTF-8.
    """
    kind = headers.get(b"content-type", b"").decode("latin-1")
    try:
        if kind.startswith("multipart/form-data"):
            return {**asked, **_fields(kind, body)}
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
