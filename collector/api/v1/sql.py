"""``/sql``: a statement of a person, through the same guard as ``/clickhouse/``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask
from collector.read import schema
from collector.read.sql import Cost

router = APIRouter(tags=["sql"])


class SqlAsked(BaseModel):
    """The body of ``POST /sql``."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description="One SELECT, SHOW, DESCRIBE, EXISTS or EXPLAIN.")


class SqlLimits(BaseModel):
    """What one statement may take; settings `query_timeout_s` and `sql_*`."""

    time_s: float
    memory_bytes: int
    result_rows: int
    result_bytes: int
    read_rows: int = Field(description="0: any.")


class Column(BaseModel):
    """A column."""

    name: str
    type: str


class Table(BaseModel):
    """A table or view."""

    table: str
    columns: list[Column]


class SqlAbout(BaseModel):
    """For whoever writes statements."""

    limits: SqlLimits
    tables: list[Table]


@router.get("/sql/about", response_model=Page[SqlAbout])
def about_sql(ask: Ask) -> Response:
    """What a statement may take, and the tables with their columns."""
    limits = ask.parts.sql_limits
    taken = {name: getattr(limits, name) for name in SqlLimits.model_fields}
    return answer([{"limits": taken, "tables": schema.tables(ask.reader)}], ask.reader.cost)


@router.post("/sql", response_model=Page[dict[str, Any]])
def run_sql(ask: Ask, asked: SqlAsked) -> Response:
    """The rows of a read-only statement, each as an object; what it may be stands below."""
    found = ask.parts.sql.ask(asked.query, ask.question)
    return answer(found.rows, Cost(found.rows_read, found.bytes_read, found.elapsed_ms))
