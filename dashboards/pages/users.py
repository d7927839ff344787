"""Users: who may sign in, as what; and one's own password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from dashboards.api import Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit
from dashboards.render import Help


@dataclass(frozen=True)
class UsersContext:
    """Everything the Users page shows."""

    answer: Annotated[
        Section, Help("GET /users; those who may not manage see why, and may change their own password.")
    ]


async def load(visit: Visit) -> UsersContext:
    """Ask for the people."""
    answer = await visit.api.get("users")
    return UsersContext(answer)


async def add(post: Post) -> Outcome:
    """Add a person."""
    content = {
        "name": post.text("name"),
        "role": post.text("role"),
        "password": post.fields.get("password", ""),
    }
    answer = await post.api.change("POST", "users", content=content)
    return Outcome("/users", problem=answer.problem, what="Nobody was added")


async def change(post: Post) -> Outcome:
    """Change a person: what is left empty stays."""
    content: dict[str, Any] = {"role": post.text("role")} if post.text("role") else {}
    if post.text("disabled"):
        content["disabled"] = post.text("disabled") == "true"
    if post.fields.get("password"):
        content["password"] = post.fields["password"]
    answer = await post.api.change("PUT", "users", post.visit.segments[1], content=content)
    return Outcome("/users", problem=answer.problem, what="Nothing was changed")


async def remove(post: Post) -> Outcome:
    """Remove a person."""
    answer = await post.api.change("DELETE", "users", post.visit.segments[1])
    return Outcome("/users", problem=answer.problem, what="Nobody was removed")


async def password(post: Post) -> Outcome:
    """Give the visitor another password; then they sign in anew."""
    content = {"old": post.fields.get("old", ""), "new": post.fields.get("new", "")}
    answer = await post.api.change("PUT", "session", "password", content=content)
    return Outcome("/users", problem=answer.problem, what="The password was not changed")


PAGE = Page("/users", "users.html", "users", UsersContext, load)
ACTIONS = (
    Action("/users", add, "users"),
    Action("/users/{name}/change", change, "users"),
    Action("/users/{name}/remove", remove, "users"),
    Action("/password", password, "users"),
)
