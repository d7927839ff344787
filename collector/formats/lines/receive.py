"""The promise made to a client that posts lines: ``200 {"accepted": bytes, "lines": n, "batch": id, "duplicate": bool}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.errors import Malformed
from collector.receive.protocol import Judged, Protocol, Response

_FORMATS = frozenset({b"", b"detect", b"json", b"logfmt", b"cri", b"docker", b"syslog", b"access", b"text"})


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the lines; any bytes are lines.

    Raises:
        Malformed: ``empty_body``, or a ``Fuseboard-Format`` nobody here reads.
    """
    declared = headers.get(b"fuseboard-format", b"").strip().lower()
    if declared not in _FORMATS:
        known = ", ".join(sorted(name.decode() for name in _FORMATS if name))
        raise Malformed(
            "bad_header",
            f"Fuseboard-Format: {declared.decode('latin-1')[:40]!r} is not one of {known}",
            "Fuseboard-Format",
        )
    if body[:1] in b"\r\n" and not body.strip(b"\r\n"):
        raise Malformed("empty_body", "the body holds no line; send newline-separated log lines")
    return Judged(body.count(b"\n") + (not body.endswith(b"\n")))


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what the client is told of its batch."""
    return {"accepted": size, "lines": records, "batch": batch_id, "duplicate": False}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return the 200; a repeat's says so in the body and in ``Fuseboard-Duplicate``."""
    headers = {"fuseboard-duplicate": "true"} if duplicate else {}
    return Response(200, msgspec.json.encode({**given, "duplicate": duplicate}), headers=headers)


PROTOCOL = Protocol(
    name="lines",
    paths=("/v1/lines",),
    group="lines",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
)
