"""The promise made to a Splunk HEC client that sends events: 200 ``{"text":"Success","code":0}``, HEC's codes for errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.formats.hec import events
from collector.formats.hec.codes import answer, probe, refuse, respond
from collector.receive.protocol import Judged, Protocol


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the events; what is kept has one on each line. A question for acknowledgements holds none: what was told to be taken is durable.

    Raises:
        Malformed: HEC's own refusals, as ``events.read`` names them.
    """
    asked = events.acks(body)
    if asked is not None:
        return Judged(0, told={"acks": {str(number): True for number in asked}})
    kept, count, timed = events.read(body)
    told: dict[str, Any] = {"acked": b"x-splunk-request-channel" in headers}
    return Judged(count, timed=timed, told=told, kept=None if kept == body else kept)


PROTOCOL = Protocol(
    name="hec",
    paths=(
        "/services/collector",
        "/services/collector/event",
        "/services/collector/event/1.0",
        "/services/collector/ack",
    ),
    group="hec",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
    refuse=refuse,
    probe=probe,
)
