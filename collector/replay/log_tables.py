"""Tables of log records: sent as JSON lines whose fields are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.replay.lines import Cut
from collector.replay.parcel import Extent, Move, Parcel, Unreadable, resource_header
from collector.replay.tables import SERVICES, Table, of_pod, plain_column
from collector.replay.times import read_ns

# A column that is precise before one that is for people: RCAEval's "time" is minutes of the day.
_TIMES = ("timeunixnano", "timestamp", "datetime", "time", "ts", "date")
BODIES = ("message", "log", "body", "msg", "value", "logmessage", "content")
_LEVELS = ("level", "severity", "loglevel")
_TRACES, _SPANS = ("traceid",), ("spanid",)


@dataclass(frozen=True, slots=True)
class LogTable:
    """
    A CSV file of log records.

    Attributes:
        table: Its header.
        resource: Whose they are where no column says it.
    """

    table: Table
    resource: Mapping[str, str]
    what: str = "a table of log records"

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    def extent(self) -> Extent:
        """Read all of it."""
        extent = Extent()
        time = self._time()
        for number, row in self.table.rows():
            at_ns = _at(row[time], number)
            extent.add(at_ns, at_ns, 1)
        if not extent.records:
            raise Unreadable("has no row")
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it into bodies of JSON lines."""
        time = self._time()
        names = {place: name for place, name in enumerate(self._names()) if place != time}
        service = self.table.place(*SERVICES)
        headers = {**resource_header(self.resource), "Fuseboard-Format": "json"}
        cut = Cut(move, "/v1/lines", "application/x-ndjson", headers)
        for number, row in self.table.rows():
            at_ns = _at(row[time], number)
            record: dict[str, object] = {"timestamp": at_ns + move.shift_ns}
            record |= {name: _said(name, row[place]) for place, name in names.items() if row[place]}
            if service is not None:
                record["service"] = of_pod(row[service])
            yield from cut.add(at_ns, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())
        yield from cut.rest()

    def _time(self) -> int:
        """Give the place of the time: the most precise column whose first value is one."""
        first = next((row for _, row in self.table.rows()), [])
        for name in _TIMES:
            place = self.table.place(name)
            if place is not None and (not first or _is_time(first[place])):
                return place
        raise Unreadable(f"has no column with a time; known are {', '.join(_TIMES)}")

    def _names(self) -> Iterator[str]:
        """Give each column the name under which the collector knows it."""
        known = {
            **dict.fromkeys(_LEVELS, "level"),
            **dict.fromkeys(_TRACES, "trace_id"),
            **dict.fromkeys(_SPANS, "span_id"),
        }
        body = next((name for name in BODIES if self.table.place(name) is not None), "")
        for column in self.table.columns:
            plain = plain_column(column)
            # another column named after a time would be taken for the record's
            yield (
                "message"
                if plain == body
                else f"recorded_{column}"
                if plain in _TIMES
                else known.get(plain, column)
            )


def _said(name: str, text: str) -> str:
    """Give a field: a message that is JSON of a container's log is its inner text."""
    if name == "message" and text.startswith('{"log":'):
        try:
            return str(json.loads(text)["log"]).rstrip("\n")
        except (ValueError, KeyError):
            return text
    return text


def _is_time(text: str) -> bool:
    try:
        return read_ns(text) > 10**17
    except ValueError:
        return False


def _at(text: str, number: int) -> int:
    try:
        return read_ns(text)
    except ValueError as error:
        raise Unreadable(f"line {number}: {error}") from error
