"""What a client of the HTTP interface sent, made into the statement that chDB runs: its id, its parameters, the data of an INSERT."""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import HTTP

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

_QUERY_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")
_INSERT_DATA = re.compile(rb"\s*INSERT\s+INTO\s+[^;]*?\bFORMAT\s+(\w+)\s*\Z", re.IGNORECASE)
_INSERT_DATA_HEAD = re.compile(rb"\s*INSERT\s+INTO\s[^;\n]*?\bFORMAT\s+(\w+)[ \t]*\r?\n", re.IGNORECASE)
_INPUT_TABLE = re.compile(rb"\binput\s*\(\s*('(?:[^'\\]|\\.)*')\s*\)", re.IGNORECASE)
TRAILING_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)


def quoted(text: str) -> str:
    """Write *text* as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def marked(statement: str, query_id: str) -> str:
    """Put the client's *query_id* before the statement; one that could end the comment is not taken."""
    return f"/* {query_id} */ {statement}" if _QUERY_ID.match(query_id) else statement


def undone(body: bytes, encoding: str) -> bytes:
    """Decompress a *body* that holds a statement."""
    match encoding:
        case "zstd":
            return zstd.decompress(body)
        case "gzip" | "deflate":
            return zlib.decompress(body, zlib.MAX_WBITS | 32)
        case "lz4":
            return bytes(lz4.frame.decompress(body))
    raise ValueError(f"a statement in a body of Content-Encoding {encoding} is not read here")


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form: parameters that are too long for a URL arrive so, and the statement with them."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    parts = [(part.get_param("name", header="Content-Disposition"), part) for part in message.iter_parts()]
    return {str(name): bytes(part.get_payload(decode=True) or b"").decode() for name, part in parts if name}


def split(query: bytes, body: bytes) -> tuple[bytes, bytes | None]:
    """Tell the statement from an INSERT's data; ``None`` when there is no data."""
    if query:
        return query, (body if body and (_INSERT_DATA.match(query) or _INPUT_TABLE.search(query)) else None)
    if head := _INSERT_DATA_HEAD.match(body):
        return body[: head.end()].rstrip(), body[head.end() :]
    return body, None


@contextmanager
def as_file(query: bytes, data: bytes | None, encoding: str) -> Iterator[bytes]:
    """Put an INSERT's data where chDB reads it from: a file that lives as long as the statement runs."""
    if data is None:
        yield query
        return
    with tempfile.NamedTemporaryFile(prefix="fuseboard-insert-") as file:
        file.write(data)
        file.flush()
        if source := _INPUT_TABLE.search(query):
            found = TRAILING_FORMAT.search(query)
            name = found[1].decode() if found else "Native"
            table = f"file({quoted(file.name)}, '{name}', {source[1].decode()}, '{encoding}')".encode()
            statement = query[: found.start()] if found else query
            yield statement[: source.start()] + table + statement[source.end() :]
        else:
            found = _INSERT_DATA.match(query)
            assert found is not None
            into = query[: query[: found.start(1)].upper().rindex(b"FORMAT")]
            infile = f" FROM INFILE {quoted(file.name)} COMPRESSION '{encoding}' FORMAT {found[1].decode()}"
            yield into.rstrip() + infile.encode()
