"""The promise made to a forward sender: what is acknowledged was journalled."""

from __future__ import annotations

from collections.abc import Mapping

from collector.formats.syslog.receive import answer, respond
from collector.receive.protocol import Judged, Protocol


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """Count the events, a line each: ``messages.py`` made them. Their times may be whole seconds: the same event twice is two."""
    del headers
    return Judged(body.count(b"\n"))


PROTOCOL = Protocol(
    name="fluent_forward",
    paths=(),
    group="fluent_forward",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
)
