"""``/views``: pages with their search and range, saved under a name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked
from collector.errors import NotFound
from collector.query.grammar import QUERY_LIMIT_CHARS
from collector.query.window import parse_window
from collector.views import View, Views

router = APIRouter(prefix="/views", tags=["views"])


class ViewFields(BaseModel):
    """What a view opens."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    page: str = Field(
        pattern=r"^[a-z][a-z0-9/-]{0,39}$", description="Of the dashboards, as its path says: `logs`."
    )
    name: str = Field(min_length=1, max_length=100, description="One of its page.")
    query: str = Field("", max_length=QUERY_LIMIT_CHARS, description="As typed.")
    env: str = Field("", max_length=200, description="Empty: every one.")
    start: str = Field(
        "-1h", max_length=40, description="As typed: `-1h` moves with the clock, a time stays."
    )
    end: str = Field("now", max_length=40, description="Likewise.")


class SavedView(ViewFields):
    """A saved view."""

    id: str
    updated_at: str


class ViewsAsked(Asked):
    """Parameters of ``/views``."""

    page: str = Field("", max_length=40, description="Only this page's; empty: every page's.")


@router.get("", response_model=Page[SavedView])
def list_views(ask: Ask, asked: Annotated[ViewsAsked, Query()]) -> Response:
    """Saved views, by page and name."""
    return answer(_views(ask).all(asked.page))


@router.post("", response_model=Page[SavedView])
def save_view(ask: Ask, fields: ViewFields) -> Response:
    """Save a view under a name that its page does not have yet."""
    return answer([_views(ask).save(_view(ask, fields))])


@router.put("/{view_id}", response_model=Page[SavedView])
def replace_view(ask: Ask, view_id: str, fields: ViewFields) -> Response:
    """Put other fields in a view's place."""
    return answer([_views(ask).replace(view_id, _view(ask, fields))])


@router.delete("/{view_id}", response_model=Page[SavedView])
def delete_view(ask: Ask, view_id: str) -> Response:
    """Delete a view."""
    _views(ask).forget(view_id)
    return answer([])


def _view(ask: Ask, fields: ViewFields) -> View:
    parse_window(fields.start, fields.end, ask.now_ns)  # what nobody could open is not saved
    return View(**fields.model_dump())


def _views(ask: Ask) -> Views:
    if ask.parts.views is None:
        raise NotFound("not_found", "this collector keeps no views")
    return ask.parts.views
