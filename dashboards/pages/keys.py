"""Keys: who may write and ask; made, rotated, revoked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help


@dataclass(frozen=True)
class KeysContext:
    """Everything the Keys page shows."""

    answer: Annotated[Section, Help("GET /keys: living ones first, never a secret.", decides_status=True)]
    made: Annotated[Row | None, Help("The key that was just made or rotated, with its secret, this once.")]
    living: Annotated[tuple[Row, ...], Help("Keys that are in force or have expired.")]
    revoked: Annotated[tuple[Row, ...], Help("Keys that were revoked, kept for the record.")]


async def load(visit: Visit) -> KeysContext:
    """Ask for the keys."""
    answer = await visit.api.get("keys")
    revoked = tuple(row for row in answer.rows if text_of(row, "state") == "revoked")
    living = tuple(row for row in answer.rows if text_of(row, "state") != "revoked")
    return KeysContext(answer, None, living, revoked)


async def make(post: Post) -> Outcome:
    """Make a key and show its secret."""
    kind = post.text("kind") or "ingest"
    content = {
        "name": post.text("name"),
        "kind": kind,
        "services": post.names("services") if kind == "ingest" else [],
        "envs": post.names("envs") if kind == "ingest" else [],
    }
    if kind == "read":
        content["role"] = post.text("role") or "viewer"
    if post.text("expires_in_days"):
        content["expires_in_days"] = post.text("expires_in_days")
    return await _shown(post, await post.api.change("POST", "keys", content=content), "No key was made")


async def rotate(post: Post) -> Outcome:
    """Give a key another secret and show it."""
    content = {"overlap_s": post.text("overlap_s") or "0"}
    answer = await post.api.change("POST", "keys", _key(post), "rotate", content=content)
    return await _shown(post, answer, "The key was not rotated")


async def revoke(post: Post) -> Outcome:
    """Revoke a key."""
    answer = await post.api.change("DELETE", "keys", _key(post))
    return Outcome("/keys", problem=answer.problem, what="The key was not revoked")


def _key(post: Post) -> str:
    return post.visit.segments[1]


async def _shown(post: Post, answer: Section, what: str) -> Outcome:
    if answer.problem:
        return Outcome(problem=answer.problem, what=what)
    context = replace(await load(post.visit), made=answer.first)
    return Outcome(template="keys.html", context=context)


PAGE = Page("/keys", "keys.html", "keys", KeysContext, load)
ACTIONS = (
    Action("/keys", make, "keys"),
    Action("/keys/{key_id}/rotate", rotate, "keys"),
    Action("/keys/{key_id}/revoke", revoke, "keys"),
)
