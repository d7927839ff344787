"""
The request headers that describe a block: resource, source, times.

``Fuseboard-Resource: service.name=checkout,service.version=1.4`` has the syntax of OTEL_RESOURCE_ATTRIBUTES
(W3C baggage without properties): comma-separated ``key=value``, percent-encoded.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from collector.errors import Malformed

_MOST_PAIRS = 128  # a resource is a handful of attributes; a thousand of them is an attack or a bug
_MOST_LENGTH = 4096
_FRACTION = re.compile(r"\.(\d{1,9})\d*")


def pairs(value: str, header: str) -> dict[str, str]:
    """
    Parse ``k=v,k=v``.

    Raises:
        Malformed: Quoting the part that is not a pair; *param* is the header's name.
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        name, equals, text = part.partition("=")
        if not equals or not name.strip():
            raise Malformed(
                "bad_header",
                f"{header}: {part[:80]!r} is not key=value; write comma-separated, percent-encoded key=value pairs",
                header,
            )
        found[_decoded(name.strip(), header)] = _decoded(text.strip(), header)
    if len(found) > _MOST_PAIRS or any(len(k) + len(v) > _MOST_LENGTH for k, v in found.items()):
        raise Malformed(
            "bad_header",
            f"{header}: more than {_MOST_PAIRS} pairs or {_MOST_LENGTH} characters in one",
            header,
        )
    return found


def time_ns(value: str, header: str) -> int:
    """
    Parse an RFC 3339 time to epoch nanoseconds.

    Raises:
        Malformed: Quoting the value.
    """
    fraction = _FRACTION.search(value)
    nanos = int(fraction[1].ljust(9, "0")) if fraction else 0
    whole = _FRACTION.sub("", value, count=1).replace("Z", "+00:00").replace("z", "+00:00")
    try:
        at = datetime.fromisoformat(whole)
    except ValueError as error:
        raise Malformed("bad_header", f"{header}: {value[:80]!r} is not an RFC 3339 time", header) from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(int(at.timestamp()) * 1_000_000_000 + nanos, 0)


def _decoded(text: str, header: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise Malformed(
            "bad_header", f"{header}: {text[:80]!r} is not percent-encoded UTF-8", header
        ) from error
