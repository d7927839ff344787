"""
All records of a search, in order, for whoever takes them away: some thousands at a time, whatever their number.

The window is cut where the search's own histogram says that about as many records lie as are read at once; each piece is read by pages. So
every record is read once, memory is that of one page, and an export that nobody takes any more ends with the page at hand.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from collector.errors import QueryUnanswerable
from collector.query.window import Window, parse_time
from collector.read import log_counts, logs
from collector.read.sql import Reader, Row

Form = Literal["ndjson", "csv"]
MEDIA_TYPES: dict[str, str] = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_PAGE_RECORDS = 5_000
_PIECES = 500
_COLUMNS = (
    "occurred_at", "observed_at", "service", "env", "severity", "severity_number", "body", "trace_id", "span_id", "attributes", "resource",
    "batch_id", "line", "id",
)  # fmt: skip
# What spreadsheets take for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Export:
    """
    An export, counted and not yet read.

    Attributes:
        records: How many the search matches now.
        pieces: Windows to read, in order.
    """

    records: int
    pieces: tuple[Window, ...]


def plan(reader: Reader, chosen: logs.Slice, order: logs.Order) -> Export:
    """Count the records of *chosen* and cut its window into pieces."""
    buckets = log_counts.histogram(reader, chosen, _PIECES)
    edges = [max(parse_time(row["at"], "start", 0), chosen.window.start_ns) for row in buckets]
    pieces, begin, held = [], chosen.window.start_ns, 0
    for edge, row in zip(edges, buckets, strict=True):
        if held and held + row["total"] > _PAGE_RECORDS:
            pieces.append(Window(begin, edge, chosen.window.now_ns))
            begin, held = edge, 0
        held += row["total"]
    pieces.append(Window(begin, chosen.window.end_ns, chosen.window.now_ns))
    in_order = pieces if order == "asc" else pieces[::-1]
    return Export(sum(row["total"] for row in buckets), tuple(in_order))


def check(export: Export, limit: int | None, most: int) -> int:
    """
    Return how many records to export.

    Raises:
        QueryUnanswerable: 422 ``export_too_large``: more match than are allowed and nobody said that some will do.
    """
    if limit is not None:
        return min(limit, most)
    if export.records > most:
        raise QueryUnanswerable(
            "export_too_large",
            f"the search matches {export.records:,} records, an export has {most:,} at most (export_rows): narrow start and end or query, "
            "or pass limit for the first of them",
            "limit",
        )
    return most


def records(
    reader: Reader, chosen: logs.Slice, order: logs.Order, export: Export, limit: int
) -> Iterator[list[Row]]:
    """Give the records of *export*, page by page, *limit* at most."""
    left = limit
    for piece in export.pieces:
        cursor: str | None = None
        while left > 0:
            part = replace(chosen, window=piece)
            page = logs.page(
                reader, logs.LogQuestion(part, order, min(left, _PAGE_RECORDS), cursor), warn=False
            )
            if page.rows:
                yield page.rows
            left -= len(page.rows)
            cursor = page.next_cursor
            if cursor is None:
                break


def written(pages: Iterator[list[Row]], form: Form) -> Iterator[bytes]:
    """Write pages of records as NDJSON or CSV (with its head)."""
    if form == "csv":
        yield _csv([_COLUMNS])
    write = _WRITERS[form]
    for rows in pages:
        yield write(rows)


def _ndjson(rows: Sequence[Row]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _csv_records(rows: Sequence[Row]) -> bytes:
    return _csv([[_cell(row[name]) for name in _COLUMNS] for row in rows])


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """Write maps as JSON, and a quote before a text that a spreadsheet would run."""
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


_WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {"ndjson": _ndjson, "csv": _csv_records}
