"""One incident: what happened when, because of what, who felt it; and what people do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.api import CallerApi, Row, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit, rows_of, text_of
from dashboards.render import Help

LIVING = ("open", "acknowledged")
_VERBS = ("ack", "note", "resolve")


@dataclass(frozen=True)
class IncidentContext:
    """Everything the Incident page shows."""

    answer: Annotated[Section, Help("GET /incidents/{id}.", decides_status=True)]
    it: Annotated[Row | None, Help("The incident; None if there is none.")]
    living: Annotated[bool, Help("Whether it is open or acknowledged.")]
    timeline: Annotated[tuple[Row, ...], Help("What happened, newest first.")]
    alerts: Annotated[tuple[Row, ...], Help("Its alerts, those that fire first.")]
    causes: Annotated[tuple[Row, ...], Help("Suspected causes with evidence, the likeliest first.")]
    others: Annotated[tuple[Row, ...], Help("Other living incidents, into which it may be merged.")]


async def load(visit: Visit) -> IncidentContext:
    """Ask for the incident, and for the others if it lives."""
    answer = await visit.api.get("incidents", visit.segments[1])
    it = answer.first
    living = it is not None and text_of(it, "state") in LIVING
    others = await visit.api.get("incidents", params={"state": ",".join(LIVING)}) if living else Section()
    alerts = rows_of(it.get("alerts")) if it else ()
    return IncidentContext(
        answer=answer,
        it=it,
        living=living,
        timeline=tuple(reversed(rows_of(it.get("timeline")))) if it else (),
        alerts=tuple(sorted(alerts, key=lambda row: text_of(row, "state") != "firing")),
        causes=rows_of(it.get("causes")) if it else (),
        others=tuple(row for row in others.rows if text_of(row, "id") != visit.segments[1]),
    )


def _do(verb: str) -> Callable[[Post], Awaitable[Outcome]]:
    async def run(post: Post) -> Outcome:
        incident = post.visit.segments[1]
        content = {"by": post.text("by"), "text": post.text("text")}
        answer = await post.api.change("POST", "incidents", incident, verb, content=content)
        return Outcome(
            post.visit.window.url("incidents", incident),
            problem=answer.problem,
            what="The incident is as it was",
        )

    return run


async def merge(post: Post) -> Outcome:
    """Merge it into another, and go there."""
    content = {"by": post.text("by"), "text": post.text("text"), "into": post.text("into")}
    answer = await post.api.change("POST", "incidents", post.visit.segments[1], "merge", content=content)
    return Outcome(
        post.visit.window.url("incidents", post.text("into")),
        problem=answer.problem,
        what="Nothing was merged",
    )


async def export(api: CallerApi, request: Request) -> Response:
    """Give the incident as Markdown, to be saved."""
    incident = request.path_params["incident_id"]
    answer = await api.stream("incidents", incident, "export", params={})
    try:
        body = await answer.aread()
    finally:
        await answer.aclose()
    if answer.status_code != 200:
        error = {"code": "not_exported", "message": f"the collector answered {answer.status_code}"}
        return JSONResponse({"error": error}, answer.status_code)
    headers = {
        "Content-Disposition": 'attachment; filename="incident.md"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(body, 200, headers, "text/markdown; charset=utf-8")


PAGE = Page("/incidents/{incident_id}", "incident.html", "incidents", IncidentContext, load)
ACTIONS = (
    *(Action(f"/incidents/{{incident_id}}/{verb}", _do(verb), "incidents") for verb in _VERBS),
    Action("/incidents/{incident_id}/merge", merge, "incidents"),
)
