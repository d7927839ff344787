"""The promise made to a Zipkin client: ``POST /api/v2/spans``, 202 without a body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from collector.errors import Malformed
from collector.receive.protocol import Judged, Protocol, Response

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
_TraceId = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class Span(msgspec.Struct):
    """A span, as far as it is counted: what Zipkin requires."""

    traceId: _TraceId  # noqa: N815 - Zipkin's name
    id: _Id


_SPANS = msgspec.json.Decoder(list[Span])


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the spans: one pass of msgspec over the body.

    Raises:
        Malformed: ``bad_json``: no array of spans with their ids; the sentence says where.
    """
    del headers
    try:
        body.decode()  # what msgspec passes over it does not look at; ClickHouse does
        return Judged(len(_SPANS.decode(body)), timed=True)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("bad_json", f"the body is not an array of Zipkin v2 spans: {error}") from error


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat."""
    del size, records
    return {"batch": batch_id}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 202."""
    headers = {"fuseboard-duplicate": "true"} if duplicate else {}
    return Response(202, b"", "text/plain", {"fuseboard-batch": str(given["batch"]), **headers})


PROTOCOL = Protocol(
    name="zipkin",
    paths=("/api/v2/spans",),
    group="zipkin",
    signal="traces",
    tables=("spans",),
    judge=judge,
    answer=answer,
    respond=respond,
    content_types=("application/json",),
    seal_age_s=3.0,
)
