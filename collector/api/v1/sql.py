"""``/sql``: a statement of a person, through the same guard as ``/clickhouse/``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask
from collector.read.sql import Cost

router = APIRouter(tags=["sql"])


class SqlAsked(BaseModel):
    """The body of ``POST /sql``."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description="One SELECT, SHOW, DESCRIBE, EXISTS or EXPLAIN.")


@router.post("/sql", response_model=Page[dict[str, Any]])
def run_sql(ask: Ask, asked: SqlAsked) -> Response:
    """The rows of a read-only statement, each as an object; what it may be stands below."""
    found = ask.parts.sql.ask(asked.query, ask.question)
    return answer(found.rows, Cost(found.rows_read, found.bytes_read, found.elapsed_ms))
