"""Silences and maintenance windows: who is not told of what; and the form that previews before it silences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from dashboards.api import Row, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help

_FORM = ("matchers", "created_by", "comment", "duration", "ends_at")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The page's own parameters are not those of the time range.
_WINDOW = {"window_start": "start", "window_end": "end", "timezone": "timezone"}


@dataclass(frozen=True)
class SilencesContext:
    """Everything the Silences page shows."""

    answer: Annotated[Section, Help("GET /silences: active, pending, lately ended.", decides_status=True)]
    living: Annotated[tuple[Row, ...], Help("Those that silence now or will.")]
    ended: Annotated[tuple[Row, ...], Help("Those that ended within five days.")]
    form: Annotated[
        Mapping[str, str], Help("What stands in the form: from the address, or of the edited one.")
    ]
    weekdays: Annotated[tuple[tuple[str, bool], ...], Help("(weekday, chosen) of the form.")]
    preview: Annotated[
        Section | None, Help("POST /silences/preview: the living alerts the form is about; None = not asked.")
    ]


async def load(visit: Visit) -> SilencesContext:
    """Ask for the silences, and for the preview if the form has matchers."""
    answer = await visit.api.get("silences")
    form = _form(visit, answer)
    preview = None
    if visit.text("matchers"):
        preview = await visit.api.change(
            "POST", "silences", "preview", content={"matchers": form["matchers"]}
        )
    chosen = [day for day in WEEKDAYS if visit.text(day)] or form.get("weekdays", "").split(",")
    return SilencesContext(
        answer=answer,
        living=tuple(row for row in answer.rows if text_of(row, "state") != "expired"),
        ended=tuple(row for row in answer.rows if text_of(row, "state") == "expired"),
        form=form,
        weekdays=tuple((day, day in chosen) for day in WEEKDAYS),
        preview=preview,
    )


async def put(post: Post) -> Outcome:
    """Make the silence that the form says, or change the one it names."""
    content: dict[str, Any] = {name: post.text(name) for name in _FORM if post.text(name)}
    if post.text("id"):
        content["id"] = post.text("id")
    if post.text("window_start"):
        content["schedule"] = {
            "weekdays": [day for day in WEEKDAYS if post.text(day)],
            "start": post.text("window_start"),
            "end": post.text("window_end"),
            "timezone": post.text("timezone") or "UTC",
        }
        if not post.text("ends_at"):
            content.pop("duration", None)
    answer = await post.api.change("POST", "silences", content=content)
    return Outcome(post.visit.window.url("silences"), problem=answer.problem, what="Nothing was silenced")


async def end(post: Post) -> Outcome:
    """End a silence now."""
    answer = await post.api.change("DELETE", "silences", post.visit.segments[1])
    return Outcome(post.visit.window.url("silences"), problem=answer.problem, what="The silence goes on")


def _form(visit: Visit, answer: Section) -> dict[str, str]:
    names = (*_FORM, *_WINDOW)
    form = {name: visit.text(name) for name in names} | {"id": visit.text("edit") or visit.text("id")}
    edited = next((row for row in answer.rows if form["id"] and text_of(row, "id") == form["id"]), None)
    if edited is None or visit.text("matchers"):
        return form
    schedule = edited.get("schedule")
    window = schedule if isinstance(schedule, dict) else {}
    return {
        **form,
        "matchers": text_of(edited, "text"),
        "created_by": text_of(edited, "created_by"),
        "comment": text_of(edited, "comment"),
        "ends_at": text_of(edited, "ends_at"),
        **{name: text_of(window, field) for name, field in _WINDOW.items()},
        "weekdays": ",".join(map(str, window.get("weekdays") or ())),
    }


PAGE = Page("/silences", "silences.html", "silences", SilencesContext, load)
ACTIONS = (
    Action("/silences", put, "silences"),
    Action("/silences/{silence_id}/end", end, "silences"),
)
