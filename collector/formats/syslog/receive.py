"""The promise made to a syslog sender: none can be told, so what was read from it is journalled before more is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.receive.protocol import Judged, Protocol, Response

SEPARATOR = b"\0"


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """Count the messages; any bytes are some."""
    del headers
    return Judged(body.count(SEPARATOR) + 1 if body else 0)


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return nothing: nobody is told."""
    del batch_id, size, records
    return {}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return nothing: nobody is told."""
    del given, duplicate
    return Response(204, b"")


PROTOCOL = Protocol(
    name="syslog",
    paths=(),
    group="syslog",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
)
