"""
Following new records: server-sent events, resumed behind the last one seen where the connection broke off.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event stream".
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collector.terminal.output import TerminalError, tell
from collector.terminal.plain import safe
from collector.terminal.remote import Interruption, Remote

_AGAIN_FIRST_S = 0.5
_AGAIN_MOST_S = 10.0
# An id longer than this would not be taken back in a header.
_ID_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event.

    Attributes:
        name: ``message`` where none is given.
        data: Its text.
        last_id: The last id that the stream has told.
    """

    name: str
    data: str
    last_id: str


def events(lines: Iterable[str], last_id: str = "") -> Iterator[Event]:
    """Read *lines* as events; comments and what is cut off at the end are none. An id alone is one without name and data: a place to come back to."""
    name, told = "", last_id
    data: list[str] = []
    for line in lines:
        if not line:
            if data or last_id != told:
                yield Event((name or "message") if data else "", "\n".join(data), last_id)
            name, data, told = "", [], last_id
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value and len(value) <= _ID_CHARS:
            last_id = value


def follow(remote: Remote, params: Mapping[str, object], text: str) -> Iterator[Mapping[str, Any] | None]:
    """
    Give new records for ever; ``None`` once the stream is open, and what the stream says besides on standard error.

    Args:
        remote: The collector.
        params: ``query`` and ``env``.
        text: What the person typed.

    Raises:
        TerminalError: The collector refuses, or was not there in the first place.
    """
    last_id, again_s, opened = "", _AGAIN_FIRST_S, False
    while True:
        said = "the collector ended the stream"
        try:
            with remote.events(params, last_id, text) as lines:
                if not opened:
                    yield None
                opened, again_s = True, _AGAIN_FIRST_S
                for event in events(lines, last_id):
                    last_id = event.last_id
                    record = _read(event)
                    if record is not None:
                        yield record
        except Interruption as interruption:
            said = str(interruption)
            if not opened:
                raise TerminalError(said) from interruption
        tell([f"{said}; again in {again_s:g} s"])
        time.sleep(again_s)
        again_s = min(again_s * 2, _AGAIN_MOST_S)


def _read(event: Event) -> Mapping[str, Any] | None:
    try:
        body = json.loads(event.data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return None
    match event.name:
        case "message":
            return body
        case "problem":
            raise TerminalError(f"{safe(body.get('code', ''))}: {safe(body.get('message', ''))}")
        case "skipped":
            tell([f"{safe(body.get('records', '?'))} records were skipped: more came than are told"])
        case "waiting":
            tell(["the collector's engine is away; what comes meanwhile follows"])
    return None
