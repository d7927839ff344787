"""The promise made to a client that pushes to Loki as Protobuf: 204 without a body; an error is its sentence as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from collector.errors import Malformed
from collector.formats import loki_push
from collector.formats.protos import message_class
from collector.receive.protocol import Judged

REQUEST: Any = message_class(Path(__file__).with_name("request.proto").read_text(), "Request", "loki")


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the entries of a push: one addition per stream.

    Raises:
        Malformed: ``bad_protobuf``.
    """
    del headers
    try:
        push = REQUEST.FromString(body)
    except DecodeError as error:
        raise Malformed("bad_protobuf", f"the body is not a push to Loki: {error}") from error
    if body and not push.ListFields():
        raise Malformed("bad_protobuf", "the body is no push to Loki: none of its fields is there")
    return Judged(sum(len(stream.entries) for stream in push.streams), timed=True)


PROTOCOL = loki_push.protocol("loki", judge, "application/x-protobuf", encoding="snappy")
