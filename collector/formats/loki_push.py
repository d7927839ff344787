"""
What a push to Loki is, whether it comes as JSON or as Protobuf: the path, 204 as success, an error's sentence as plain text.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from collector.errors import FuseboardError, Refused
from collector.receive.protocol import Judged, Protocol, Response


def protocol(
    name: str,
    judge: Callable[[bytes, Mapping[bytes, bytes]], Judged],
    *content_types: str,
    encoding: str = "identity",
) -> Protocol:
    """Declare one encoding of the push: its folder, its judge, its content types, and the content encoding where none is named."""
    return Protocol(
        name=name,
        paths=("/loki/api/v1/push",),
        group=name,
        signal="logs",
        tables=("logs",),
        judge=judge,
        answer=answer,
        respond=respond,
        refuse=refuse,
        content_types=content_types,
        encoding=encoding,
    )


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat: the answer itself says nothing of the batch."""
    del size, records
    return {"batch": batch_id}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 204: everything was accepted."""
    headers = {"fuseboard-duplicate": "true"} if duplicate else {}
    return Response(204, b"", headers=headers | {"fuseboard-batch": str(given["batch"])})


def refuse(error: FuseboardError) -> Response:
    """Return the sentence as Loki does, in plain text; clients log it."""
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Refused) else {}
    return Response(
        error.status, f"{error.code}: {error.message}\n".encode(), "text/plain; charset=utf-8", headers
    )
