"""The promise made to a client that pushes to Loki as JSON: 204 without a body; an error is its sentence as plain text."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from collector.errors import Malformed
from collector.formats import loki_push
from collector.receive.protocol import Judged


class Stream(msgspec.Struct):
    """One stream, as far as it is checked and counted."""

    stream: dict[str, str]
    values: list[msgspec.Raw]


class Push(msgspec.Struct):
    """A push, as far as it is checked and counted."""

    streams: list[Stream]


_DECODER = msgspec.json.Decoder(Push)


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the entries of a push.

    Raises:
        Malformed: ``bad_json``, with the place where it stops being a push.
    """
    del headers
    try:
        body.decode()  # what msgspec passes over it does not look at; ClickHouse does
        push = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("bad_json", f"the body is not a push to Loki as JSON: {error}") from error
    return Judged(sum(len(stream.values) for stream in push.streams), timed=True)


PROTOCOL = loki_push.protocol("loki_json", judge, "application/json")
