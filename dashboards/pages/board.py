"""Board: one dashboard; its panels, each loaded once the frame stands, and the forms that add, change, move, size and remove them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.api import CallerApi, Problem, Row, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.boards import kept
from dashboards.pages.page import Page, Part, Visit, rows_of, text_of
from dashboards.panels import COLUMNS, KINDS, WORDS, Panel, filled, frames, show
from dashboards.render import Help

QUERIES = 8
_WHAT = "The dashboard was not changed"


@dataclass(frozen=True)
class BoardContext:
    """Everything the page of one dashboard shows."""

    answer: Annotated[Section, Help("GET /dashboards/{id}.", decides_status=True)]
    board: Annotated[Row, Help("The dashboard; empty if there is none.")]
    panels: Annotated[
        tuple[Panel, ...], Help("Its panels; with what they show if all of it is asked for at once.")
    ]
    whole: Annotated[bool, Help("True if the panels come with the page: for those without scripts.")]
    editing: Annotated[bool, Help("True if the forms stand beside the panels.")]
    kinds: Annotated[tuple[tuple[str, str], ...], Help("(kind, words) of panels to add.")]
    export_url: Annotated[str, Help("The dashboard as JSON.")]


@dataclass(frozen=True)
class PanelContext:
    """One panel of a dashboard."""

    answer: Annotated[Section, Help("GET /dashboards/{id}; its problem stands in place of the panel.")]
    panel: Annotated[Panel | None, Help("The panel with what it shows; None if it is not there any more.")]


async def load(visit: Visit) -> BoardContext:
    """Ask for the dashboard; its panels ask for themselves, unless ``whole=1`` says that they cannot."""
    identifier = visit.segments[1]
    answer = await visit.api.get("dashboards", identifier)
    board = answer.first or {}
    panels = frames(visit, rows_of(board.get("panels")))
    whole = visit.text("whole") == "1"
    return BoardContext(
        answer=answer,
        board=board,
        panels=await show(visit, panels) if whole else panels,
        whole=whole,
        editing=visit.text("edit") == "1",
        kinds=tuple((kind, WORDS[kind]) for kind in KINDS),
        export_url=visit.window.url("boards", identifier, "export"),
    )


async def load_panel(visit: Visit) -> PanelContext:
    """Ask for one panel, ``part=panel-<index>``."""
    answer = await visit.api.get("dashboards", visit.segments[1])
    number = visit.text("part").partition("-")[2]
    panels = frames(visit, rows_of((answer.first or {}).get("panels")))
    panel = next((each for each in panels if str(each.index) == number), None)
    return PanelContext(answer, panel and await filled(visit, panel))


async def add(post: Post) -> Outcome:
    """Add a panel at the end."""
    return await _changed(post, lambda panels: [*panels, _panel(post)], "last")


async def change(post: Post) -> Outcome:
    """Save, move, size or remove a panel, as the pressed button says."""
    number, do = post.visit.segments[3], post.text("do")
    if not (number.isascii() and number.isdigit()):
        return Outcome(problem=Problem(404, "not_found", "No panel has this number."), what=_WHAT)
    index = int(number[:4])
    return await _changed(post, lambda panels: edited(panels, index, do, _panel(post)), number)


async def rename(post: Post) -> Outcome:
    """Give the dashboard another name and description."""
    identifier = post.visit.segments[1]
    found = await post.api.get("dashboards", identifier)
    if not found.first:
        return Outcome(problem=found.problem, what=_WHAT)
    content = {**kept(dict(found.first)), "name": post.text("name"), "description": post.text("description")}
    answer = await post.api.change("PUT", "dashboards", identifier, content=content)
    return Outcome(post.visit.window.url("boards", identifier, edit="1"), problem=answer.problem, what=_WHAT)


async def forget(post: Post) -> Outcome:
    """Delete the dashboard."""
    answer = await post.api.change("DELETE", "dashboards", post.visit.segments[1])
    return Outcome(post.visit.window.url("boards"), problem=answer.problem, what="Nothing was deleted")


def edited(panels: list[dict[str, Any]], index: int, do: str, saved: dict[str, Any]) -> list[dict[str, Any]]:
    """Do what a button says to the panel *index*; what cannot be done changes nothing."""
    if not 0 <= index < len(panels):
        return panels
    panel = panels[index]
    if do == "remove":
        return [*panels[:index], *panels[index + 1 :]]
    if do in ("up", "down"):
        other = min(max(index + (1 if do == "down" else -1), 0), len(panels) - 1)
        moved = list(panels)
        moved[index], moved[other] = moved[other], panel
        return moved
    sized = {
        "wider": {"width": min(int(panel["width"]) + 1, COLUMNS)},
        "narrower": {"width": max(int(panel["width"]) - 1, 2)},
        "taller": {"height": min(int(panel["height"]) + 1, 6)},
        "shorter": {"height": max(int(panel["height"]) - 1, 1)},
        "save": {**saved, "width": panel["width"], "height": panel["height"]},
    }.get(do, {})
    return [*panels[:index], {**panel, **sized}, *panels[index + 1 :]]


def _panel(post: Post) -> dict[str, Any]:
    kind = post.text("kind") or "metric"
    queries = [line.strip() for line in post.text("queries").splitlines() if line.strip()]
    return {
        "kind": kind,
        "title": post.text("title"),
        "queries": queries if kind != "text" else [],
        "text": post.fields.get("text", "") if kind == "text" else "",
        "unit": post.text("unit"),
    }


async def _changed(
    post: Post, how: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], anchor: str
) -> Outcome:
    identifier = post.visit.segments[1]
    found = await post.api.get("dashboards", identifier)
    if not found.first:
        return Outcome(problem=found.problem, what=_WHAT)
    content = kept(dict(found.first))
    sent = post.text("revision")
    content["revision"] = int(sent[:9]) if sent.isascii() and sent.isdigit() else content["revision"]
    content["panels"] = how(list(content["panels"] or []))
    answer = await post.api.change("PUT", "dashboards", identifier, content=content)
    to = post.visit.window.url("boards", identifier, edit="1") + f"#panel-{anchor}"
    return Outcome(to, problem=answer.problem, what=_WHAT)


async def export(api: CallerApi, request: Request) -> Response:
    """Give a dashboard as the file that an import takes."""
    found = await api.get("dashboards", request.path_params["board_id"])
    if not found.first:
        problem = found.problem or Problem(404, "not_found", "No such dashboard.")
        return JSONResponse({"error": {"code": problem.code, "message": problem.message}}, problem.status)
    row = {name: found.first.get(name) for name in ("name", "description", "panels")}
    safe = "".join(each if each.isascii() and each.isalnum() else "-" for each in text_of(row, "name"))[:60]
    headers = {
        "Content-Disposition": f'attachment; filename="{safe or "dashboard"}.json"',
        "Cache-Control": "no-store",
    }
    return JSONResponse(row, 200, headers)


PAGE = Page(
    "/boards/{board_id}",
    "board.html",
    "boards",
    BoardContext,
    load,
    parts={"panel": Part("parts/panel.html", PanelContext, load_panel)},
)
ACTIONS = (
    Action("/boards/{board_id}/panels", add, "boards"),
    Action("/boards/{board_id}/panels/{number}", change, "boards"),
    Action("/boards/{board_id}/change", rename, "boards"),
    Action("/boards/{board_id}/delete", forget, "boards"),
)
