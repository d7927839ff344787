"""SQL: a read-only statement, its rows, what may be asked, and rows taken away as CSV or NDJSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from dashboards.api import CallerApi, Row, Section
from dashboards.filters import duration_s, number, size_bytes
from dashboards.pages.page import Page, Visit
from dashboards.render import Help

SHOWN_ROWS = 1000
CELL_CHARS = 2000
STATEMENT_CHARS = 32_768
"""Longer ones do not fit into an address."""
EXAMPLES = (
    "SELECT service, count() AS records FROM logs WHERE occurred_at > now() - INTERVAL 1 HOUR GROUP BY service ORDER BY records DESC",
    "SELECT service, name, quantile(0.95)(duration_ns) / 1e6 AS p95_ms FROM spans WHERE start > now() - INTERVAL 15 MINUTE GROUP BY service, name ORDER BY p95_ms DESC LIMIT 20",
    "SELECT at, service, breaker, from_state, to_state, reason FROM breaker_transitions ORDER BY at DESC LIMIT 50",
)
_RUNS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run."""


@dataclass(frozen=True)
class SqlContext:
    """Everything the SQL page shows."""

    statement: Annotated[str, Help("As typed; empty: none was asked.")]
    answer: Annotated[Section, Help("POST /sql: the rows.", decides_status=True)]
    columns: Annotated[tuple[str, ...], Help("Names of the answer's columns, in their order.")]
    rows: Annotated[tuple[tuple[str, ...], ...], Help("The first rows, each value as text.")]
    count: Annotated[int, Help("How many rows the answer has.")]
    about: Annotated[Section, Help("GET /sql/about: limits and tables.")]
    limits: Annotated[str, Help("The limits in a sentence; empty while unknown.")]
    tables: Annotated[tuple[Row, ...], Help("Tables with their columns.")]
    examples: Annotated[tuple[str, ...], Help("Statements to begin with.")]
    exports: Annotated[tuple[tuple[str, str], ...], Help("(words, address) of the rows as a file.")]


async def load(visit: Visit) -> SqlContext:
    """Run the statement, if there is one, and ask what there is."""
    statement = visit.text("query")[:STATEMENT_CHARS]
    about, answer = await asyncio.gather(visit.api.get("sql", "about"), _run(visit.api, statement))
    told = about.first or {}
    columns = tuple(answer.rows[0]) if answer.rows else ()
    url = visit.window.url
    return SqlContext(
        statement=statement,
        answer=answer,
        columns=columns,
        rows=tuple(tuple(text(row.get(name)) for name in columns) for row in answer.rows[:SHOWN_ROWS]),
        count=len(answer.rows),
        about=about,
        limits=_sentence(told.get("limits")),
        tables=tuple(row for row in told.get("tables", ()) if isinstance(row, dict))
        if isinstance(told.get("tables"), list)
        else (),
        examples=EXAMPLES,
        exports=tuple(
            (words, url("sql", "export", query=statement, format=kind))
            for words, kind in (("CSV", "csv"), ("NDJSON", "ndjson"))
        ),
    )


async def _run(api: CallerApi, statement: str) -> Section:
    return await api.change("POST", "sql", content={"query": statement}) if statement else Section()


def text(value: Any) -> str:
    """Write a value of an answer: maps and arrays as JSON, NULL as itself, long texts cut."""
    if value is None:
        return "NULL"
    found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found if len(found) <= CELL_CHARS else f"{found[:CELL_CHARS]}…"


def _sentence(limits: object) -> str:
    if not isinstance(limits, dict):
        return ""
    read = limits.get("read_rows")
    return (
        f"A statement may take {duration_s(limits.get('time_s'))}, {size_bytes(limits.get('memory_bytes'))} of memory, "
        f"answer {number(limits.get('result_rows'))} rows or {size_bytes(limits.get('result_bytes'))}"
        + (f", and read {number(read)} rows." if read else ".")
    )


async def export(api: CallerApi, request: Request) -> Response:
    """Run the statement again and give its rows as a file."""
    statement, kind = request.query_params.get("query", ""), request.query_params.get("format", "csv")
    if kind not in ("csv", "ndjson") or not statement:
        message = "format is csv or ndjson, query the statement"
        return JSONResponse({"error": {"code": "bad_parameter", "message": message}}, 400)
    answer = await _run(api, statement[:STATEMENT_CHARS])
    if answer.problem:
        error = {"code": answer.problem.code, "message": answer.problem.message}
        return JSONResponse({"error": error}, answer.problem.status)
    lines = as_csv(answer.rows) if kind == "csv" else as_ndjson(answer.rows)
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    headers = {
        "Content-Disposition": f'attachment; filename="fuseboard.{kind}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(lines, 200, headers, media)


def as_ndjson(rows: Iterable[Row]) -> Iterator[str]:
    """Write each row as a line of JSON."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """Write the rows with a head; a quote stands before what a spreadsheet would run."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for index, row in enumerate(rows):
        if index == 0:
            writer.writerow([_cell(name) for name in row])
        writer.writerow([_cell(value) for value in row.values()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _cell(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else str(value)
    found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{found}" if found.startswith(_RUNS) else found


PAGE = Page("/sql", "sql.html", "sql", SqlContext, load)
