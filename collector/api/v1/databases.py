"""``/databases``: who uses which, and what is shared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Windowed
from collector.read import databases

router = APIRouter(tags=["catalogue"])


class DatabaseUser(BaseModel):
    """One service's use of a database."""

    service: str
    calls: int
    writes: int = Field(description="Calls whose operation changes something.")
    errors: int
    mean_ms: float
    last_call: str


class DatabaseTable(BaseModel):
    """A table, collection or key space, as spans name it."""

    table: str
    shared: bool
    services: list[str]
    writers: list[str]


class Database(BaseModel):
    """A database as its clients' spans name it."""

    env: str
    system: str = Field(description="postgresql, mysql, redis, …")
    namespace: str = Field(description="Empty: the clients do not say; then a server is a database.")
    servers: list[str]
    shared: bool = Field(description="Whether several services use it.")
    finding: str | None = Field(
        description="What the sharing means; null where one service has it for itself."
    )
    services: list[DatabaseUser]
    tables: list[DatabaseTable]


@router.get("/databases", response_model=Page[Database])
def list_databases(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Databases and who uses them, those that several services share first."""
    return answer(databases.databases(ask.reader, asked.window(ask.now_ns), asked.env), ask.reader.cost)
