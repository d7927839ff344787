"""
Judges one request to the relay and undoes its encoding; the body itself is passed on as the bytes it is.

Only what is cheap is checked here (path, origin, content type, encoding, size, JSON syntax); whether the Protobuf is well
formed is the collector's to say, and what it rejects is quarantined and counted.
"""

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agents.errors import BadRequest
from agents.zstd import ZstdDecompressor, ZstdError

SIGNALS = {"/v1/logs": "logs", "/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/breakers": "breakers"}
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CARRIES_TIME = re.compile(rb"[\x09\x59\x11\x19\x39].{7}[\x15-\x1f]|TimeUnixNano|timeUnixNano", re.DOTALL)


def check_origin(headers: Mapping[str, str]) -> None:
    """
    Let programs of this machine in and web pages not (design §12).

    Raises:
        BadRequest: 403, the Host is not loopback, or a browser says that the request is cross-site.
    """
    host = headers.get("Host", "")
    if _hostname(f"//{host}") not in LOOPBACK:
        raise BadRequest(
            403, "forbidden_host", f"Host {host!r} is not this relay: use 127.0.0.1 or localhost"
        )
    origin = headers.get("Origin")
    if origin is not None and _hostname(origin) not in LOOPBACK:
        raise BadRequest(403, "cross_site", f"Origin {origin!r} may not write here")
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in {"none", "same-origin"}:
        raise BadRequest(403, "cross_site", f"Sec-Fetch-Site {site!r} may not write here")


def check_type(path: str, content_type: str) -> str:
    """
    Give the content type to pass on.

    Raises:
        BadRequest: 415, neither Protobuf nor JSON on an OTLP path.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if path == "/v1/breakers":
        return content_type or JSON
    if kind not in {PROTOBUF, JSON}:
        raise BadRequest(
            415, "unsupported_content_type", f"Content-Type {content_type!r}: send {PROTOBUF} or {JSON}"
        )
    return content_type


def decoded(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """
    Undo the content encoding.

    Raises:
        BadRequest: 415 unknown encoding, 400 damaged or empty body, 413 larger than *max_bytes*.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        plain = body
    elif encoding == "zstd":
        plain = _unzstd(body, max_bytes)
    elif encoding in {"gzip", "deflate"}:
        plain = _inflate(body, encoding, max_bytes)
    else:
        raise BadRequest(
            415,
            "unsupported_encoding",
            f"Content-Encoding {encoding!r}: send gzip, deflate, zstd or identity",
        )
    if len(plain) > max_bytes:
        raise too_large(len(plain), max_bytes)
    if not plain:
        raise BadRequest(400, "empty_body", "the body is empty: send at least one record")
    return plain


def check_json(path: str, content_type: str, body: bytes) -> None:
    """
    Refuse JSON that cannot be read, and breaker posts that are no transitions.

    Raises:
        BadRequest: 400, with the place or the missing field.
    """
    if path == "/v1/breakers":
        _check_transitions(body)
    elif content_type.partition(";")[0].strip().lower() == JSON:
        _parse(body)


def carries_time(path: str, body: bytes) -> bool:
    """
    Say whether a body holds times of its own, so that the same bytes twice are one body sent twice.

    OTLP: a look at the wire (a fixed64 field of a time stamp between 2017 and 2040) rather than a parse, a linear pass in C.
    Transitions: all have ``at``.
    """
    if path == "/v1/breakers":
        return all(item.get("at") is not None for item in _transitions(body))
    return _CARRIES_TIME.search(body) is not None


def too_large(size: int, max_bytes: int) -> BadRequest:
    """Say how large it may be."""
    return BadRequest(
        413, "body_too_large", f"{size} bytes and more; at most {max_bytes} are taken: send smaller batches"
    )


def as_status(message: str) -> bytes:
    """Write google.rpc.Status with only its message (field 2): what OTLP/HTTP wants as an error body."""
    text = message.encode()[:16000]
    length = len(text)
    varint = bytearray()
    while length > 127:
        varint.append(length & 127 | 128)
        length >>= 7
    varint.append(length)
    return b"\x12" + bytes(varint) + text


def count_transitions(body: bytes) -> int:
    """Count the transitions of a body that ``check_json`` has let through."""
    return len(_transitions(body))


def unknown_path(path: str) -> BadRequest:
    """Say which paths there are."""
    return BadRequest(404, "unknown_path", f"{path!r} is not answered here; known: {', '.join(SIGNALS)}")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _inflate(body: bytes, encoding: str, max_bytes: int) -> bytes:
    wbits = 31 if encoding == "gzip" else 15
    inflater = zlib.decompressobj(wbits)
    try:
        plain = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BadRequest(400, f"bad_{encoding}", f"the body is not {encoding}: {error}") from error
    if len(plain) > max_bytes:
        raise too_large(len(plain), max_bytes)
    if not inflater.eof:
        raise BadRequest(
            400, f"bad_{encoding}", f"the {encoding} body ends too early: {len(body)} bytes came"
        )
    return plain


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    decompressor = ZstdDecompressor()
    try:
        plain = decompressor.decompress(body, max_bytes + 1)
    except (ZstdError, ValueError) as error:
        raise BadRequest(400, "bad_zstd", f"the body is not zstd: {error}") from error
    if len(plain) > max_bytes:
        raise too_large(len(plain), max_bytes)
    if not decompressor.eof or decompressor.unused_data:
        raise BadRequest(400, "bad_zstd", "the body is not exactly one whole zstd frame")
    return plain


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, "bad_json", f"the body is not JSON: {error}") from error


def _transitions(body: bytes) -> list[Any]:
    """Read one object, an array, or one object per line; posts are rare (a few per breaker and hour)."""
    try:
        whole = json.loads(body)
        return whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError):
        return [_parse(line) for line in body.splitlines() if line.strip()]


def _check_transitions(body: bytes) -> None:
    for number, item in enumerate(_transitions(body)):
        for name in ("breaker", "to"):
            if not isinstance(item, dict) or not isinstance(item.get(name), str):
                raise BadRequest(
                    400, "bad_transition", f"transition {number} has no text field {name!r}: {item!r:.200}"
                )
