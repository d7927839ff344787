"""The envelope of every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.read.sql import Cost

T = TypeVar("T")


class Stats(BaseModel):
    """What the answer cost in ClickHouse."""

    rows_read: int
    bytes_read: int
    elapsed_ms: float


class Page(BaseModel, Generic[T]):
    """Every answer: a list, also of one."""

    data: list[T]
    next_cursor: str | None = Field(
        description="Pass as `cursor` for the next page; null: this was the last."
    )
    stats: Stats
    warnings: list[str] = Field(
        default_factory=list, description="Present when something was asked that matches nothing."
    )


def answer(
    data: Sequence[Any],
    cost: Cost | None = None,
    next_cursor: str | None = None,
    warnings: Sequence[str] = (),
) -> Response:
    """Write the envelope; *data* is plain (dicts, lists, numbers, texts) and goes out unchanged. NaN becomes null."""
    cost = cost or Cost()
    stats = {
        "rows_read": cost.rows_read,
        "bytes_read": cost.bytes_read,
        "elapsed_ms": round(cost.elapsed_ms, 3),
    }
    body: Mapping[str, Any] = {"data": data, "next_cursor": next_cursor, "stats": stats}
    if warnings:
        body = {**body, "warnings": list(warnings)}
    return Response(msgspec.json.encode(body), media_type="application/json")
