"""``/dashboards``: panels that people put together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asker
from collector.boards import Boards
from collector.errors import QueryError, Unavailable
from collector.query.promql.syntax import QUERY_LIMIT_CHARS as PROMQL_CHARS
from collector.query.promql.syntax import parse
from collector.query.search import LOGS, compile_search

router = APIRouter(prefix="/dashboards", tags=["views"])

PANELS_MOST = 40
COLUMNS = 12
_SEARCH_CHARS = 4096


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a character that cannot be printed")
    return text


Words = Annotated[str, AfterValidator(_printable)]


class Panel(BaseModel):
    """One panel."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    kind: Literal["metric", "log_count", "logs", "breakers", "text"] = Field(
        description="metric: PromQL as lines; log_count: matching records over time; logs: the newest; breakers: their states; text."
    )
    title: Words = Field("", max_length=200)
    queries: list[str] = Field(
        [],
        max_length=8,
        description="metric: PromQL, 1 to 8; log_count, logs: one search; breakers: one service or none.",
    )
    text: str = Field("", max_length=4000, description="Of a text panel.")
    unit: Words = Field(
        "", max_length=20, description="Of a metric: count, per_second, ratio, ms, s, bytes, …"
    )
    width: int = Field(6, ge=2, le=COLUMNS, description=f"Of {COLUMNS} columns.")
    height: int = Field(2, ge=1, le=6, description="In rows of about 120 pixels.")


class DashboardFields(BaseModel):
    """A dashboard as it is exported and imported."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Words = Field(min_length=1, max_length=100)
    description: str = Field("", max_length=2000)
    panels: list[Panel] = Field([], max_length=PANELS_MOST)


class DashboardChanged(DashboardFields):
    """A dashboard, and which one it takes the place of."""

    revision: int | None = Field(
        None, ge=1, description="The one that was changed: if it is not the newest, 409; null: never mind."
    )


class Dashboard(DashboardFields):
    """A dashboard."""

    id: str
    revision: int
    updated_at: str
    updated_by: str


class DashboardListed(BaseModel):
    """A dashboard in the list."""

    id: str
    name: str
    description: str
    panels: int
    revision: int
    updated_at: str
    updated_by: str


@router.get("", response_model=Page[DashboardListed])
def list_dashboards(ask: Ask) -> Response:
    """Dashboards by name; POST keeps a new one, or one that was exported."""
    return answer(_boards(ask).all())


@router.post("", response_model=Page[Dashboard])
def add_dashboard(ask: Ask, fields: DashboardFields) -> Response:
    """Keep a new dashboard; a panel whose query cannot be asked is a 400 that names it."""
    return answer([_boards(ask).add(_checked(ask, fields), ask.caller.name)])


@router.get("/{dashboard_id}", response_model=Page[Dashboard])
def get_dashboard(ask: Ask, dashboard_id: str) -> Response:
    """One dashboard with its panels."""
    return answer([_boards(ask).one(dashboard_id)])


@router.put("/{dashboard_id}", response_model=Page[Dashboard])
def replace_dashboard(ask: Ask, dashboard_id: str, fields: DashboardChanged) -> Response:
    """Put another in a dashboard's place."""
    kept = _checked(ask, fields)
    return answer([_boards(ask).replace(dashboard_id, kept, fields.revision, ask.caller.name)])


@router.delete("/{dashboard_id}", response_model=Page[Dashboard])
def forget_dashboard(ask: Ask, dashboard_id: str) -> Response:
    """Delete a dashboard."""
    _boards(ask).forget(dashboard_id)
    return answer([])


def _checked(ask: Asker, fields: DashboardFields) -> dict[str, Any]:
    for number, panel in enumerate(fields.panels):
        try:
            _check(panel, ask.now_ns)
        except QueryError as error:
            where = f"panels[{number}] ({panel.title or panel.kind})"
            raise QueryError("bad_panel", f"{where}: {error.message}", f"panels[{number}]") from error
    return {
        "name": fields.name,
        "description": fields.description,
        "panels": [panel.model_dump() for panel in fields.panels],
    }


def _check(panel: Panel, now_ns: int) -> None:
    least, most = {"metric": (1, 8), "log_count": (0, 1), "logs": (0, 1), "breakers": (0, 1), "text": (0, 0)}[
        panel.kind
    ]
    if not least <= len(panel.queries) <= most:
        count = f"{least} to {most}" if least != most else str(most)
        raise QueryError(
            "bad_panel", f"a panel of kind {panel.kind} has {count} queries, not {len(panel.queries)}"
        )
    for query in panel.queries:
        if len(query) > (PROMQL_CHARS if panel.kind == "metric" else _SEARCH_CHARS):
            raise QueryError("bad_panel", "the query is too long")
        if panel.kind == "metric":
            parse(query)
        elif panel.kind != "breakers":
            compile_search(query, LOGS, now_ns)


def _boards(ask: Asker) -> Boards:
    if ask.parts.boards is None:
        raise Unavailable("state_unavailable", "this collector keeps no dashboards")
    return ask.parts.boards
