"""``/logs``: records, their histogram, their facets, new ones as they come, the neighbours of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked, Asker, Order, Paged, Searched
from collector.api.stream import EventStream
from collector.errors import NotFound, QueryError
from collector.query.search import LOGS, compile_search, names_only
from collector.query.window import parse_time
from collector.read import log_context, log_counts, log_export, logs
from collector.read.own import without_own

router = APIRouter(prefix="/logs", tags=["logs"])
FIELDS_MOST = 20


class LogRecord(BaseModel):
    """One log record."""

    id: str = Field(description="`<batch_id>:<line>`.")
    occurred_at: str = Field(description="RFC 3339, nanoseconds, UTC.")
    observed_at: str = Field(description="When the collector received it.")
    service: str
    env: str
    severity: str = Field(description="trace, debug, info, warn, error, fatal or empty.")
    severity_number: int = Field(description="OpenTelemetry's number, 0 = unset.")
    body: str
    trace_id: str
    span_id: str
    attributes: dict[str, str]
    resource: dict[str, str]
    batch_id: str
    line: int


class Bucket(BaseModel):
    """Records of one stretch of time."""

    at: str = Field(description="Where the bucket begins.")
    counts: dict[str, int] = Field(description="Records by severity; severities with none are left out.")
    total: int


class FacetValue(BaseModel):
    """One value of a field."""

    value: str
    count: int


class Facet(BaseModel):
    """A field's commonest values."""

    field: str
    values: list[FacetValue]


class LogsAsked(Paged, Searched):
    """Parameters of ``/logs``."""

    order: Order = Field("desc", description="By time: newest (`desc`) or oldest (`asc`) first.")


class HistogramAsked(Searched):
    """Parameters of ``/logs/histogram``."""

    buckets: int = Field(
        60, ge=1, le=1000, description="About how many buckets; their width is a readable step."
    )


class FacetsAsked(Searched):
    """Parameters of ``/logs/facets``."""

    fields: str = Field(
        "service,severity", description="Comma-separated: columns, attributes, resource attributes."
    )
    limit: int = Field(10, ge=1, le=1000, description="Most values per field.")


class FieldName(BaseModel):
    """A field that records have."""

    field: str
    records: int = Field(description="Records of the sample that have it.")


class FieldsAsked(Searched):
    """Parameters of ``/logs/fields``."""

    limit: int = Field(100, ge=1, le=1000, description="Most names.")


class ExportAsked(Searched):
    """Parameters of ``/logs/export``."""

    format: log_export.Form = Field("ndjson", description="`ndjson` (the objects of `/logs`) or `csv`.")
    order: Order = Field("desc", description="By time: newest (`desc`) or oldest (`asc`) first.")
    limit: int | None = Field(
        None,
        ge=1,
        description="Most records; without it more than `export_rows` are a 422, not a part of them.",
    )


class TailAsked(Asked):
    """Parameters of ``/logs/tail``."""

    query: str = Field("", description="As of `/logs`; empty: every record.")
    env: str = Field("", description="Only this deployment.environment.name; empty: every one.")
    cursor: str | None = Field(
        None, description="The id of the last event seen, for clients that cannot send it as `Last-Event-ID`."
    )

    since: str | None = Field(
        None, description="Begin with what was stored since then (RFC 3339, epoch, `-1m`); default: now."
    )


class ContextAsked(Asked):
    """Parameters of ``/logs/{id}/context``."""

    before: int = Field(20, ge=0, le=1000, description="How many older records.")
    after: int = Field(20, ge=0, le=1000, description="How many newer records.")


@router.get("", response_model=Page[LogRecord])
def list_logs(ask: Ask, asked: Annotated[LogsAsked, Query()]) -> Response:
    """Log records matching a search, newest first."""
    question = logs.LogQuestion(_slice(ask, asked), asked.order, asked.limit, asked.cursor)
    page = logs.page(ask.reader, question)
    return answer(page.rows, ask.reader.cost, page.next_cursor, page.warnings)


@router.get("/histogram", response_model=Page[Bucket])
def log_histogram(ask: Ask, asked: Annotated[HistogramAsked, Query()]) -> Response:
    """Matching records per bucket of time and severity."""
    return answer(log_counts.histogram(ask.reader, _slice(ask, asked), asked.buckets), ask.reader.cost)


@router.get("/facets", response_model=Page[Facet])
def log_facets(ask: Ask, asked: Annotated[FacetsAsked, Query()]) -> Response:
    """The commonest values of some fields among the matching records."""
    fields = [name.strip() for name in asked.fields.split(",") if name.strip()]
    if not 1 <= len(fields) <= FIELDS_MOST:
        raise QueryError(
            "bad_parameter", f"fields={asked.fields!r}: name 1 to {FIELDS_MOST} fields", "fields"
        )
    rows = log_counts.facets(ask.reader, _slice(ask, asked), fields, asked.limit)
    return answer(rows, ask.reader.cost)


@router.get("/fields", response_model=Page[FieldName])
def log_fields(ask: Ask, asked: Annotated[FieldsAsked, Query()]) -> Response:
    """The attributes that matching records have, by a sample of them."""
    return answer(log_counts.fields(ask.reader, _slice(ask, asked), asked.limit), ask.reader.cost)


@router.get("/export", status_code=200, response_class=StreamingResponse)
def export_logs(ask: Ask, asked: Annotated[ExportAsked, Query()]) -> Response:
    """Every matching record, streamed as NDJSON or CSV; `Fuseboard-Records` says how many match."""
    chosen = _slice(ask, asked)
    found = log_export.plan(ask.reader, chosen, asked.order)
    limit = log_export.check(found, asked.limit, ask.parts.export_rows)
    pages = log_export.records(ask.unhurried(), chosen, asked.order, found, limit)
    headers = {
        "Fuseboard-Records": str(found.records),
        "Content-Disposition": f'attachment; filename="logs.{asked.format}"',
    }
    body = iterate_in_threadpool(log_export.written(pages, asked.format))
    return StreamingResponse(body, media_type=log_export.MEDIA_TYPES[asked.format], headers=headers)


@router.get("/tail", status_code=200, response_class=EventStream)
async def log_tail(
    ask: Ask,
    asked: Annotated[TailAsked, Query()],
    last_event_id: Annotated[str, Header(description="Sent by browsers that come back.")] = "",
) -> Response:
    """New records as they are stored, as server-sent events; an event's id resumes behind it."""
    tail = ask.parts.tail
    if tail is None:
        raise NotFound("not_found", "this collector has no live tail")
    search = without_own(compile_search(asked.query, LOGS, ask.now_ns), asked.query)
    since_ns = None if asked.since is None else parse_time(asked.since, "since", ask.now_ns)
    return EventStream(await tail.watch(search, asked.env, last_event_id or asked.cursor, since_ns))


@router.get("/{log_id:path}/context", response_model=Page[LogRecord])
def log_neighbours(ask: Ask, log_id: str, asked: Annotated[ContextAsked, Query()]) -> Response:
    """One record among its neighbours from the same source, oldest first."""
    return answer(log_context.context(ask.reader, log_id, asked.before, asked.after), ask.reader.cost)


def _slice(ask: Asker, asked: Searched) -> logs.Slice:
    search = without_own(compile_search(asked.query, LOGS, ask.now_ns), asked.query)
    by_minutes = names_only(asked.query, logs.MINUTE_FIELDS)
    return logs.Slice(asked.window(ask.now_ns), search, asked.env, by_minutes)
