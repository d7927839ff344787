"""
Splunk's events, told apart: JSON objects one behind the other, with or without anything between them.

Most clients put each on a line of its own: one pass in C over all (msgspec; ≈ 1 M events/s), the bytes stay as they are. Others write them end to end or
over several lines: those are walked one by one with the standard library's scanner (≈ 200 k events/s) and kept one to a line.
"""

from __future__ import annotations

import json

import msgspec

from collector.errors import Malformed


class Event(msgspec.Struct):
    """The part of an event that must be right."""

    event: str | dict[str, msgspec.Raw] | list[msgspec.Raw] | int | float | bool
    time: str | float | int | None = None
    fields: dict[str, msgspec.Raw] | None = None


class Acks(msgspec.Struct, forbid_unknown_fields=True):
    """A question: which of these requests are durable?"""

    acks: list[int]


_ACKS = msgspec.json.Decoder(Acks)
_EVENTS = msgspec.json.Decoder(list[Event])
_EVENT = msgspec.json.Decoder(Event)
_SCANNER = json.JSONDecoder()


def acks(body: bytes) -> list[int] | None:
    """Return the numbers asked for; ``None`` for anything that is no such question."""
    if not body.lstrip().startswith(b'{"acks"'):
        return None
    try:
        return _ACKS.decode(body).acks
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read(body: bytes) -> tuple[bytes, int, bool]:
    """
    Judge a body.

    Returns:
        The events one to a line (or nothing on it), how many, and whether each carries its own time.

    Raises:
        Malformed: ``empty_body``, ``bad_json``, ``hec_event_missing``, ``hec_event_blank``, ``hec_fields``; *param* is the event's number, from 0.
    """
    if not body.strip():
        raise Malformed("empty_body", "the body is empty; send at least one event")
    parts = body.split(b"\n")
    lines = [line for line in parts if line.strip()]
    try:
        body.decode()
        # A comma where a line ended is right between two objects and wrong anywhere inside one.
        events = _EVENTS.decode(b"[" + b",".join(lines) + b"]")
        kept = body if len(lines) + parts.count(b"") == len(parts) else b"\n".join(lines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kept, events = _one_by_one(body)
    for number, event in enumerate(events):
        if event.event == "":
            raise Malformed("hec_event_blank", f"event {number} is blank", str(number))
    return kept, len(events), all(event.time is not None for event in events)


def _one_by_one(body: bytes) -> tuple[bytes, list[Event]]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed("bad_json", f"the body is not UTF-8: {error}") from error
    kept: list[bytes] = []
    events: list[Event] = []
    place = _behind_space(text, 0)
    while place < len(text):
        try:
            end = _SCANNER.raw_decode(text, place)[1]
        except (ValueError, RecursionError) as error:
            raise Malformed(
                "bad_json", f"event {len(events)} is not JSON: {error}", str(len(events))
            ) from error
        line = text[place:end].replace("\n", " ").replace("\r", " ").encode()
        events.append(_event(line, len(events)))
        kept.append(line)
        place = _behind_space(text, end)
    return b"\n".join(kept), events


def _event(line: bytes, number: int) -> Event:
    try:
        return _EVENT.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        said = f"event {number}: {error}: {line[:100]!r}"
        if "`event`" in str(error):
            raise Malformed("hec_event_missing", said, str(number)) from error
        if "$.fields" in str(error):
            raise Malformed("hec_fields", said, str(number)) from error
        raise Malformed("bad_json", said, str(number)) from error


def _behind_space(text: str, place: int) -> int:
    """Give the place of the next character that is none of JSON's white space."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
