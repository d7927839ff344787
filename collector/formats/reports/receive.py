"""The promise made to our agent that reports its counters: ``POST /v1/reports``, ``200 {"accepted": 1}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.errors import Malformed
from collector.formats.breakers.receive import respond
from collector.receive.protocol import Judged, Protocol


class Report(msgspec.Struct):
    """The part of a report that must be right; the rest is kept as it came."""

    agent: str
    at: str
    sequence: int
    counters: list[dict[str, Any]]


_DECODER = msgspec.json.Decoder(Report)


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Validate one report.

    Raises:
        Malformed: ``empty_body`` or ``bad_report``, naming the field.
    """
    del headers
    if not body.strip():
        raise Malformed("empty_body", "the body is empty; send one report as a JSON object")
    try:
        report = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("bad_report", f"not an agent's report: {error}") from error
    if not report.agent:
        raise Malformed("bad_report", "'agent' is empty", "agent")
    return Judged(1)


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what the agent is told."""
    del batch_id, size
    return {"accepted": records}


PROTOCOL = Protocol(
    name="reports",
    paths=("/v1/reports",),
    group="reports",
    signal="reports",
    tables=("agent_reports",),
    judge=judge,
    answer=answer,
    respond=respond,
    seal_age_s=5.0,
)
