"""``/queries/{id}``: how far a question is that another request waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask
from collector.store.processes import Progress
from collector.store.question import Question

router = APIRouter(tags=["queries"])


class QueryProgress(BaseModel):
    """How far a question is."""

    id: str
    state: Literal["running", "waiting", "unknown"] = Field(
        description="`waiting`: nothing of it runs in ClickHouse at the moment; `unknown`: not begun, answered, or asked of another collector."
    )
    elapsed_ms: float = Field(description="Since it was asked.")
    statements: int = Field(description="How many it has sent to ClickHouse, the running ones included.")
    rows_read: int = Field(description="Rows that its running statements have read.")
    bytes_read: int = Field(description="Bytes of them, uncompressed.")
    rows_total: int | None = Field(
        description="Rows that those mean to read; null: ClickHouse does not know."
    )
    percent: float | None = Field(
        description="Of the running statements, not of those to come; null as `rows_total`."
    )
    memory_bytes: int = Field(description="What they hold of the engine's memory.")


@router.get("/queries/{query_id}", response_model=Page[QueryProgress])
def query_progress(ask: Ask, query_id: str) -> Response:
    """How far the question is that was sent with `X-Query-Id: {query_id}` (8 to 64 letters, digits, `-`, `_`)."""
    asked = ask.parts.questions.named(query_id)
    ids = [identifier for question in asked for identifier in question.running]
    found = ask.parts.progress(ids) if ids else Progress()
    return answer([_row(query_id, asked, bool(ids), found)])


def _row(query_id: str, asked: Sequence[Question], running: bool, found: Progress) -> dict[str, object]:
    total = max(found.rows_total, found.rows_read) if found.rows_total else None
    return {
        "id": query_id,
        "state": "running" if running else "waiting" if asked else "unknown",
        "elapsed_ms": round(max((question.elapsed_s for question in asked), default=0.0) * 1000, 1),
        "statements": sum(question.statements for question in asked),
        "rows_read": found.rows_read,
        "bytes_read": found.bytes_read,
        "rows_total": total,
        "percent": round(100 * found.rows_read / total, 1) if total else None,
        "memory_bytes": found.memory_bytes,
    }
