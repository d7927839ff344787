"""
What the three OTLP/HTTP protocols share: content types, `Status` errors, empty success answers.

A request is validated by the protobuf library (C, whole body at once, ≈ 1 M records/s); its bytes go on untouched.
An empty request is a success: there was nothing to store. Answers are in the request's content type.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from collector.errors import FuseboardError, Malformed, Refused
from collector.journal.envelope import varint
from collector.receive.protocol import Judged, Protocol, Response

CONTENT_TYPE = "application/x-protobuf"
# google.rpc.Code by HTTP status: what an OTLP client finds in Status.code.
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 413: 3, 415: 3, 429: 8, 503: 14}


def protocol(
    name: str,
    signal: str,
    tables: tuple[str, ...],
    message: type[Message],
    count: Callable[[Any], int],
    seal_age_s: float = 1.0,
) -> Protocol:
    """
    Declare one OTLP signal.

    Args:
        name: The folder, also the group.
        signal: ``logs``, ``traces`` or ``metrics``; also the path.
        tables: Targets.
        message: The request's class.
        count: Records in a parsed request: one addition per scope, not per record.
        seal_age_s: As in `Protocol`.
    """

    def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
        del headers
        try:
            request = message.FromString(body)
        except DecodeError as error:
            raise Malformed(
                "bad_protobuf", f"the body is not a valid {message.DESCRIPTOR.name}: {error}"
            ) from error
        records = count(request)
        if body and not records and not request.ListFields():
            raise Malformed(
                "bad_protobuf", f"the body is no {message.DESCRIPTOR.name}: none of its fields is there"
            )
        return Judged(records, timed=True)

    return Protocol(
        name=name,
        paths=(f"/v1/{signal}",),
        group=name,
        signal=signal,
        tables=tables,
        judge=judge,
        answer=answer,
        respond=respond,
        refuse=refuse,
        content_types=(CONTENT_TYPE,),
        seal_age_s=seal_age_s,
    )


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat: the answer itself says nothing of the batch."""
    del size, records
    return {"batch": batch_id}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 200 with an empty Export…ServiceResponse: everything was accepted."""
    headers = {"fuseboard-duplicate": "true"} if duplicate else {}
    if given.get("batch"):
        headers["fuseboard-batch"] = str(given["batch"])
    return Response(200, b"", CONTENT_TYPE, headers)


def refuse(error: FuseboardError) -> Response:
    """Return the error as a google.rpc.Status; its message begins with our slug."""
    text = f"{error.code}: {error.message}".encode()
    status = b"\x08" + varint(rpc_code(error)) + b"\x12" + varint(len(text)) + text
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Refused) else {}
    return Response(error.status, status, CONTENT_TYPE, headers)


def rpc_code(error: FuseboardError) -> int:
    """Return the google.rpc.Code of *error*; INTERNAL where none fits."""
    return _RPC_CODES.get(error.status, 13)
