"""The promise made to a Splunk HEC client that sends raw lines: 200 ``{"text":"Success","code":0}``, HEC's codes for errors."""

from __future__ import annotations

from collections.abc import Mapping

from collector.errors import Malformed
from collector.formats.hec.codes import answer, refuse, respond
from collector.receive.protocol import Judged, Protocol


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the lines.

    Raises:
        Malformed: ``empty_body``.
    """
    if not body.strip():
        raise Malformed("empty_body", "the body is empty; send at least one line")
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    return Judged(lines, told={"acked": b"x-splunk-request-channel" in headers})


def declare(path: str, query: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the query says of the lines, under the names that events have."""
    del path
    said = {name: query[name] for name in ("source", "sourcetype", "index", "host") if query.get(name)}
    names = {"source": "service.name", "host": "host.name"}
    return said | {names[name]: said[name] for name in names if name in said}


PROTOCOL = Protocol(
    name="hec_raw",
    paths=("/services/collector/raw", "/services/collector/raw/1.0"),
    group="hec_raw",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
    refuse=refuse,
    declare=declare,
)
