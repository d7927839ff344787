"""
What the three OTLP/HTTP protocols share when they come as JSON: the count, `Status` errors as JSON, ``{}`` or ``partialSuccess`` as success.

A request is checked by msgspec (C, whole body at once): that it is JSON, of the right shape down to its records, which are
counted and looked into as far as some may be invalid. Its bytes go on untouched, unless some are; the mappings read them (_otlp_json.sql).

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from collector.errors import FuseboardError, Malformed
from collector.formats import otlp
from collector.receive.protocol import Judged, Protocol, Response

CONTENT_TYPE = "application/json"
Request = TypeVar("Request")
_RESOURCES = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}
_NOTHING = msgspec.Raw(b"null")
_REJECTED = {"logs": "rejectedLogRecords", "traces": "rejectedSpans", "metrics": "rejectedDataPoints"}


class Item(msgspec.Struct):
    """A record: an object, whatever is in it."""


class _Pair(msgspec.Struct):
    key: str = ""
    value: dict[str, Any] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Pair] | None = None


class _Claiming(msgspec.Struct):
    """Logs, spans or metrics of one resource, as far as they say whose."""

    resource: _Resource | None = None


def protocol(
    name: str,
    signal: str,
    tables: tuple[str, ...],
    request: type[Request],
    count: Callable[[Request], int],
    seal_age_s: float = 1.0,
    sift: Callable[[Request, bytes], tuple[otlp.LeftOut, bytes] | None] = lambda _request, _body: None,
    lacks: Callable[[bytes], tuple[str, ...]] = lambda _: (),
) -> Protocol:
    """
    Declare one OTLP signal that comes as JSON.

    Args:
        name: The folder, also the group.
        signal: ``logs``, ``traces`` or ``metrics``; also the path.
        tables: Targets.
        request: The request's shape, down to its records.
        count: Records in a request: one addition per scope, not per record.
        seal_age_s: As in `Protocol`.
        sift: Request and body -> what of it is invalid, and a body without that; ``None`` = nothing is.
        lacks: A body -> as in `Judged`.
    """
    decoder = msgspec.json.Decoder(request)

    def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
        del headers
        if body.strip() == b"{}":
            return Judged(0)
        try:
            body.decode()  # what msgspec passes over it does not look at; ClickHouse does
            request = decoder.decode(body)
            found = sift(request, body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(
                "bad_json", f"the body is not an OTLP request for {signal} as JSON: {error}"
            ) from error
        if found is None:
            return Judged(count(request), timed=True, claims=claims, lacks=lacks(body))
        rejected, kept = found
        records = otlp.left(count(decoder.decode(kept)), rejected)
        return Judged(
            records, timed=True, told=otlp.told(rejected), kept=kept, claims=claims, lacks=lacks(body)
        )

    def claims(body: bytes) -> Iterable[str]:
        """Return the services that a body speaks of; of use only where a key may not write as all."""
        try:
            told = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(_RESOURCES[signal], _NOTHING)
            groups = msgspec.json.decode(told, type=list[_Claiming] | None) or ()
        except msgspec.DecodeError:  # oddly told: nothing is said here, the mapping reads what it can
            return set()
        pairs = (pair for one in groups if one.resource for pair in one.resource.attributes or ())
        named = (pair.value.get("stringValue") for pair in pairs if pair.key == "service.name" and pair.value)
        return {name for name in named if isinstance(name, str)}

    return Protocol(
        name=name,
        paths=(f"/v1/{signal}", *otlp.PATHS[signal]),
        group=name,
        signal=signal,
        tables=tables,
        judge=judge,
        answer=otlp.answer,
        respond=partial(respond, signal),
        refuse=refuse,
        content_types=(CONTENT_TYPE,),
        seal_age_s=seal_age_s,
    )


def respond(signal: str, given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 200 with an Export…ServiceResponse of *signal*: empty where everything was accepted."""
    answer = otlp.respond(given, duplicate)
    found = otlp.partial(given)
    said: dict[str, Any] = {}
    if found is not None:
        count = {_REJECTED[signal]: str(found.records)} if found.records else {}
        said = {"partialSuccess": {**count, "errorMessage": found.why}}
    return Response(answer.status, msgspec.json.encode(said), CONTENT_TYPE, answer.headers)


def refuse(error: FuseboardError) -> Response:
    """Return the error as a google.rpc.Status; its message begins with our slug."""
    status = {"code": otlp.rpc_code(error), "message": f"{error.code}: {error.message}"}
    return Response(error.status, msgspec.json.encode(status), CONTENT_TYPE, otlp.refuse(error).headers)
