"""Boards: dashboards that people compose; the list, new ones, imported ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from dashboards.api import Problem, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit
from dashboards.render import Help

_NOTHING = "No dashboard was kept"


@dataclass(frozen=True)
class BoardsContext:
    """Everything the list of dashboards shows."""

    answer: Annotated[Section, Help("GET /dashboards by name.")]
    panel: Annotated[str, Help("Kind of a panel that is to be put on one; empty: none.")]
    queries: Annotated[tuple[str, ...], Help("Its queries.")]


async def load(visit: Visit) -> BoardsContext:
    """Ask for the dashboards."""
    queries = tuple(query for number in range(1, 9) if (query := visit.text(f"q{number}")))
    return BoardsContext(await visit.api.get("dashboards"), visit.text("panel"), queries)


async def add(post: Post) -> Outcome:
    """Keep a new, empty one, and open it for editing."""
    content = {"name": post.text("name"), "description": post.text("description")}
    return _opened(post, await post.api.change("POST", "dashboards", content=content), _NOTHING)


async def imported(post: Post) -> Outcome:
    """Keep one that was exported; the API judges it."""
    try:
        content = json.loads(post.fields.get("json", ""))
    except (ValueError, RecursionError) as error:
        return Outcome(problem=Problem(400, "bad_json", f"This is not JSON: {error}"), what=_NOTHING)
    if not isinstance(content, dict):
        problem = Problem(400, "bad_json", "This is JSON, but no object as a dashboard's export is.")
        return Outcome(problem=problem, what=_NOTHING)
    if post.text("name"):
        content["name"] = post.text("name")
    kept = {
        name: content[name] for name in content if name not in ("id", "revision", "updated_at", "updated_by")
    }
    return _opened(post, await post.api.change("POST", "dashboards", content=kept), _NOTHING)


async def put(post: Post) -> Outcome:
    """Put a panel on a dashboard that is chosen, or on a new one."""
    panel = {
        "kind": post.text("kind"),
        "title": post.text("title"),
        "queries": [query for number in range(1, 9) if (query := post.text(f"q{number}"))],
        "width": 12,
    }
    if post.text("board"):
        found = await post.api.get("dashboards", post.text("board"))
        if not found.first:
            return Outcome(problem=found.problem, what="The panel was not put on it")
        board = kept(dict(found.first))
        board["panels"] = [*board["panels"], panel]
        answer = await post.api.change("PUT", "dashboards", post.text("board"), content=board)
    else:
        content = {"name": post.text("name"), "panels": [panel]}
        answer = await post.api.change("POST", "dashboards", content=content)
    return _opened(post, answer, "The panel was not put on a dashboard")


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """Give what a PUT takes of what a GET gave."""
    return {name: row.get(name) for name in ("name", "description", "panels", "revision")}


def _opened(post: Post, answer: Section, what: str) -> Outcome:
    if answer.problem or not answer.first:
        return Outcome(
            problem=answer.problem or Problem(502, "not_our_api", "No dashboard came back."), what=what
        )
    return Outcome(post.visit.window.url("boards", str(answer.first.get("id", "")), edit="1"))


PAGE = Page("/boards", "boards.html", "boards", BoardsContext, load)
ACTIONS = (
    Action("/boards", add, "boards"),
    Action("/boards/import", imported, "boards"),
    Action("/boards/put", put, "boards"),
)
