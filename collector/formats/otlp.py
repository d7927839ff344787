"""
What the three OTLP/HTTP protocols share: content types, `Status` errors, success answers with what was refused in part.

A request is validated by the protobuf library (C, whole body at once, ≈ 1 M records/s); its bytes go on untouched, unless some of its
records are invalid: those are taken out, the rest is journalled, and ``partial_success`` says how many and why. If all are, that is a 400.
An empty request is a success: there was nothing to store. Answers are in the request's content type.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from collector.errors import FuseboardError, Malformed, Refused
from collector.journal.envelope import varint
from collector.receive.protocol import Judged, Protocol, Response

CONTENT_TYPE = "application/x-protobuf"
# Beside ``/v1/<signal>``: where exporters that were set up for Loki and for Prometheus send.
PATHS = {"logs": ("/otlp/v1/logs",), "traces": (), "metrics": ("/api/v1/otlp/v1/metrics",)}
# google.rpc.Code by HTTP status: what an OTLP client finds in Status.code.
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 413: 3, 415: 3, 429: 8, 503: 14}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    What was taken out of a request.

    Attributes:
        records: How many: log records, spans or data points.
        why: A sentence for the client's developer.
    """

    records: int
    why: str


def protocol(
    name: str,
    signal: str,
    tables: tuple[str, ...],
    message: type[Message],
    count: Callable[[Any], int],
    seal_age_s: float = 1.0,
    sift: Callable[[Any], LeftOut | None] = lambda _: None,
    lacks: Callable[[Any], tuple[str, ...]] = lambda _: (),
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
        sift: Takes the invalid records out of a parsed request; ``None`` = there are none.
        lacks: What is left of a parsed request -> as in `Judged`.
    """

    def claims(body: bytes) -> Iterable[str]:
        """Return the services that a body speaks of; of use only where a key may not write as all."""
        [resources] = message.FromString(body).ListFields()[:1]
        pairs = (pair for one in resources[1] for pair in one.resource.attributes)
        return {pair.value.string_value for pair in pairs if pair.key == "service.name"}

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
        rejected = sift(request)
        if rejected is None:
            return Judged(records, timed=True, claims=claims, lacks=lacks(request))
        return Judged(
            left(count(request), rejected),
            timed=True,
            told=told(rejected),
            kept=request.SerializeToString(),
            claims=claims,
            lacks=lacks(request),
        )

    return Protocol(
        name=name,
        paths=(f"/v1/{signal}", *PATHS[signal]),
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


def left(records: int, rejected: LeftOut) -> int:
    """
    Return *records*, those that are left.

    Raises:
        Malformed: ``bad_record``: none is.
    """
    if not records:
        raise Malformed("bad_record", f"nothing of this request can be stored: {rejected.why}")
    return records


def told(rejected: LeftOut) -> Mapping[str, Any]:
    """Return what the answer says of it, to be kept with it for a repeat."""
    return {"rejected": rejected.records, "why": rejected.why}


def partial(given: Mapping[str, Any]) -> LeftOut | None:
    """Return what the answer *given* says in ``partial_success``; 0 records is a warning: all was taken."""
    why = [given["why"]] if "why" in given else []
    if "overridden" in given:
        own, claimed = given["overridden"]
        why.append(f"written as service {own!r}: this key may not write as {', '.join(map(repr, claimed))}")
    return LeftOut(given.get("rejected", 0), "; ".join(why)) if why else None


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat: the answer itself says nothing of the batch."""
    del size, records
    return {"batch": batch_id}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 200 with an Export…ServiceResponse: empty where everything was accepted; the fields are the same for each signal."""
    headers = {"fuseboard-duplicate": "true"} if duplicate else {}
    if given.get("batch"):
        headers["fuseboard-batch"] = str(given["batch"])
    found = partial(given)
    if found is None:
        return Response(200, b"", CONTENT_TYPE, headers)
    text = found.why.encode()
    count = b"\x08" + varint(found.records) if found.records else b""
    message = count + b"\x12" + varint(len(text)) + text
    return Response(200, b"\x0a" + varint(len(message)) + message, CONTENT_TYPE, headers)


def refuse(error: FuseboardError) -> Response:
    """Return the error as a google.rpc.Status; its message begins with our slug."""
    text = f"{error.code}: {error.message}".encode()
    status = b"\x08" + varint(rpc_code(error)) + b"\x12" + varint(len(text)) + text
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Refused) else {}
    return Response(error.status, status, CONTENT_TYPE, headers)


def rpc_code(error: FuseboardError) -> int:
    """Return the google.rpc.Code of *error*; INTERNAL where none fits."""
    return _RPC_CODES.get(error.status, 13)
