"""The spans of a trace as a list to be sorted and narrowed, a page of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.api import Row
from dashboards.walk import Entry, number_of

SHOWN = 300

SORTS: Mapping[str, Callable[[Entry], tuple[object, ...]]] = {
    "start": lambda each: (each.start,),
    "duration": lambda each: (-each.duration_ns, each.start),
    "self": lambda each: (-number_of(each.row.get("self_ns")), each.start),
    "service": lambda each: (str(each.row.get("service")), each.start),
    "status": lambda each: (each.row.get("status") != "error", each.start),
}


@dataclass(frozen=True)
class Listed:
    """One span of the list."""

    row: Row
    offset_ms: float
    duration_ms: float
    self_ms: float | None
    url: str


@dataclass(frozen=True)
class SpanList:
    """One page of the list."""

    rows: tuple[Listed, ...]
    first: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.rows) - 1


def list_spans(
    spans: Sequence[Row], sort: str, named: str, first: int, url_of: Callable[[Row], str]
) -> SpanList:
    """Give the spans whose service or name has all letters of *named*, from the *first* (1 …) on."""
    entries = [Entry.of("span", row) for row in spans]
    begin = min((each.start for each in entries), default=0)
    words = named.casefold().split()
    fitting = [each for each in entries if all(word in _text(each) for word in words)]
    shown = sorted(fitting, key=SORTS[sort])[first - 1 : first - 1 + SHOWN]
    return SpanList(tuple(_listed(each, begin, url_of) for each in shown), first, len(fitting))


def _listed(entry: Entry, begin: int, url_of: Callable[[Row], str]) -> Listed:
    own = entry.row.get("self_ns")
    return Listed(
        entry.row,
        (entry.start - begin) / 1e6,
        entry.duration_ns / 1e6,
        number_of(own) / 1e6 if own is not None else None,
        url_of(entry.row),
    )


def _text(entry: Entry) -> str:
    return f"{entry.row.get('service')} {entry.row.get('name')}".casefold()
