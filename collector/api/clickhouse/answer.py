"""What goes back: whole or in chunks, in ClickHouse's framing and gzip where the client asked for them; errors in ClickHouse's form."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from collector.api.clickhouse import frames
from collector.errors import (
    Forbidden,
    FuseboardError,
    NotFound,
    QueryError,
    QueryTooExpensive,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from collector.receive.asgi import Send

_GZIP = zlib.MAX_WBITS | 16
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
    "bad_lz4": (432, "UNKNOWN_COMPRESSION_METHOD"),
}
# Words of the refusal of statements that would write.
_WRITES = re.compile(
    r"(INSERT|ALTER|CREATE|DROP|SET|SYSTEM|ATTACH|DETACH|RENAME|TRUNCATE|OPTIMIZE|DELETE|UPDATE)\b"
)


class Answer:
    """
    One answer on its way.

    Args:
        send: Of ASGI.
        gzip: Whether the client reads it.

    Attributes:
        framed: Whether it asked for ClickHouse's framing (``compress=1``).
        begun: Whether the head is sent.
    """

    def __init__(self, send: Send, gzip: bool) -> None:
        self._send = send
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP) if gzip else None
        self.framed = False
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
        for piece in frames.framed(chunk) if self.framed else (chunk,):
            made = self._compressor.compress(piece) if self._compressor is not None else piece
            if made:
                await self._send({"type": "http.response.body", "body": made, "more_body": True})

    async def end(self) -> None:
        """Send the rest."""
        rest = self._compressor.flush() if self._compressor is not None else b""
        await self._send({"type": "http.response.body", "body": rest})

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a short answer as it is."""
        self._compressor, self.framed = None, False
        await self.begin(status, {**headers, "content-length": str(len(body))})
        await self.part(body)
        await self.end()

    async def error(
        self, status: int, code: int, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an error in ClickHouse's form; framed where the client undoes frames, yet to be read by those that do not."""
        said = {
            "content-type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Exception-Code": str(code),
            **(headers or {}),
        }
        body = text.encode()
        await self.whole(status, frames.plain_frame(body) if self.framed else body, said)


async def refuse(answer: Answer, error: FuseboardError) -> None:
    """
    Send *error* in ClickHouse's form.

    Raises:
        FuseboardError: The head said 200 already: breaking off is how the client learns.
    """
    if answer.begun:
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


def content_type(form: str) -> str:
    """Return the media type of answers in the format *form*."""
    return next(
        (kind for shape, kind in _CONTENT_TYPES if shape.search(form.lower())), "text/plain; charset=UTF-8"
    )
