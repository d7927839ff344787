"""
What the three OTLP/HTTP protocols share when they come as JSON: the count, `Status` errors as JSON, ``{}`` as success.

A request is checked by msgspec (C, whole body at once): that it is JSON, of the right shape down to its records, which are
counted and not looked into. Its bytes go on untouched; the mappings read them (_otlp_json.sql).

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from collector.errors import FuseboardError, Malformed
from collector.formats import otlp
from collector.receive.protocol import Judged, Protocol, Response

CONTENT_TYPE = "application/json"
Request = TypeVar("Request")


class Item(msgspec.Struct):
    """A record: an object, whatever is in it."""


def protocol(
    name: str,
    signal: str,
    tables: tuple[str, ...],
    request: type[Request],
    count: Callable[[Request], int],
    seal_age_s: float = 1.0,
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
    """
    decoder = msgspec.json.Decoder(request)

    def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
        del headers
        if body.strip() == b"{}":
            return Judged(0)
        try:
            body.decode()  # what msgspec passes over it does not look at; ClickHouse does
            return Judged(count(decoder.decode(body)), timed=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(
                "bad_json", f"the body is not an OTLP request for {signal} as JSON: {error}"
            ) from error

    return Protocol(
        name=name,
        paths=(f"/v1/{signal}",),
        group=name,
        signal=signal,
        tables=tables,
        judge=judge,
        answer=otlp.answer,
        respond=respond,
        refuse=refuse,
        content_types=(CONTENT_TYPE,),
        seal_age_s=seal_age_s,
    )


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 200 with an empty Export…ServiceResponse: everything was accepted."""
    answer = otlp.respond(given, duplicate)
    return Response(answer.status, b"{}", CONTENT_TYPE, answer.headers)


def refuse(error: FuseboardError) -> Response:
    """Return the error as a google.rpc.Status; its message begins with our slug."""
    status = {"code": otlp.rpc_code(error), "message": f"{error.code}: {error.message}"}
    return Response(error.status, msgspec.json.encode(status), CONTENT_TYPE, otlp.refuse(error).headers)
