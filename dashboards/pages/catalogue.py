"""Catalogue: who owns what, where its runbook is, what is missing; and the form that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help

FIELDS = (
    ("owner", "who is asked first", False),
    ("team", "", False),
    ("tier", "how much depends on it", False),
    ("description", "", False),
    ("runbook", "what to do at 3 a.m.", True),
    ("docs", "", True),
    ("openapi", "its API's description", True),
    ("repo", "", True),
    ("receiver", "which receiver its alerts go to", False),
    ("slo", "what was promised of it", False),
)
"""(field, hint, whether it is a link)."""
LINKS = tuple(name for name, _, link in FIELDS if link)


@dataclass(frozen=True)
class CatalogueContext:
    """Everything the Catalogue page shows."""

    answer: Annotated[Section, Help("GET /catalogue in the time range.", decides_status=True)]
    rows: Annotated[tuple[Row, ...], Help("Services, those with most missing first.")]
    links: Annotated[tuple[str, ...], Help("Which fields are links.")]
    fields: Annotated[tuple[tuple[str, str, bool], ...], Help("(field, hint, is a link) of the form.")]
    edited: Annotated[str, Help("The service whose form is open; empty: none.")]
    score: Annotated[float | None, Help("Mean of the services' scores; None without any.")]


async def load(visit: Visit) -> CatalogueContext:
    """Ask for the catalogue."""
    answer = await visit.api.get("catalogue", params=visit.question)
    rows = tuple(sorted(answer.rows, key=lambda row: (_score(row), text_of(row, "service"))))
    scores = [_score(row) for row in rows]
    return CatalogueContext(
        answer=answer,
        rows=rows,
        links=LINKS,
        fields=FIELDS,
        edited=visit.text("edit"),
        score=sum(scores) / len(scores) if scores else None,
    )


async def put(post: Post) -> Outcome:
    """Keep what the form says of a service, in place of what was put before."""
    service = post.visit.segments[1]
    content = {name: post.text(name) for name, _, _ in FIELDS if post.text(name)}
    answer = await post.api.change("PUT", "catalogue", service, content=content)
    return _back(post, answer, "The catalogue was not changed")


async def forget(post: Post) -> Outcome:
    """Forget what was put for a service."""
    answer = await post.api.change("DELETE", "catalogue", post.visit.segments[1])
    return _back(post, answer, "The catalogue was not changed")


def _back(post: Post, answer: Section, what: str) -> Outcome:
    return Outcome(post.visit.window.url("catalogue"), problem=answer.problem, what=what)


def _score(row: Row) -> float:
    value = row.get("score")
    return float(value) if isinstance(value, int | float) else 0.0


PAGE = Page("/catalogue", "catalogue.html", "catalogue", CatalogueContext, load)
ACTIONS = (
    Action("/catalogue/{service}", put, "catalogue"),
    Action("/catalogue/{service}/forget", forget, "catalogue"),
)
