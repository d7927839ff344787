"""Receivers: whether those who have to be told can be told, what was sent to them, and which rules cry wolf."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Section
from dashboards.forms import Action, Outcome, Post
from dashboards.pages.page import Page, Visit, text_of
from dashboards.pages.rules import NOISE_SINCE
from dashboards.render import Help

STATUSES = ("pending", "failed", "delivered")
DELIVERIES_SHOWN = "50"
TOLD_CHARS = 20_000


@dataclass(frozen=True)
class ReceiversContext:
    """Everything the Receivers page shows."""

    answer: Annotated[Section, Help("GET /receivers: how each stands.", decides_status=True)]
    deliveries: Annotated[Section, Help("GET /deliveries: what was sent, newest first.", decides_status=True)]
    noise: Annotated[Section, Help("GET /alerts/noise of seven days.")]
    filters: Annotated[
        Mapping[str, str], Help("receiver, status and type of the deliveries shown; empty: all.")
    ]
    filtered: Annotated[bool, Help("Whether any of them is set, or an older page is shown.")]
    statuses: Annotated[tuple[str, ...], Help("What a delivery may be.")]
    one: Annotated[Section | None, Help("GET /deliveries/{id}: one with every attempt; None = not asked.")]
    told: Annotated[str, Help("What that delivery tells, as JSON.")]


async def load(visit: Visit) -> ReceiversContext:
    """Ask for the receivers, what was sent, and how noisy rules are."""
    filters = {name: visit.text(name) for name in ("receiver", "status", "type")}
    asked = {**filters, "cursor": visit.text("cursor"), "limit": DELIVERIES_SHOWN}
    answer, deliveries, noise, one = await asyncio.gather(
        visit.api.get("receivers"),
        visit.api.get("deliveries", params=asked),
        visit.api.get("alerts", "noise", params={"start": NOISE_SINCE}),
        _one(visit, visit.text("delivery")),
    )
    filtered = any(filters.values()) or bool(asked["cursor"])
    return ReceiversContext(answer, deliveries, noise, filters, filtered, STATUSES, one, _told(one))


async def test(post: Post) -> Outcome:
    """Send a test to a receiver, and go where it stands what came back."""
    answer = await post.api.change("POST", "receivers", post.visit.segments[1], "test")
    sent = text_of(answer.first or {}, "delivery_id")
    return Outcome(
        post.visit.window.url("receivers", delivery=sent), problem=answer.problem, what="No test was sent"
    )


async def enable(post: Post) -> Outcome:
    """Let a disabled receiver be sent to again."""
    answer = await post.api.change("POST", "receivers", post.visit.segments[1], "enable")
    return Outcome(
        post.visit.window.url("receivers"), problem=answer.problem, what="The receiver is still disabled"
    )


async def retry(post: Post) -> Outcome:
    """Send a failed delivery once more."""
    sent = post.visit.segments[1]
    answer = await post.api.change("POST", "deliveries", sent, "retry")
    to = post.visit.window.url("receivers", delivery=sent)
    return Outcome(to, problem=answer.problem, what="Nothing was sent again")


def _told(one: Section | None) -> str:
    payload = one.first.get("payload") if one is not None and one.first else None
    return json.dumps(payload, indent=2, ensure_ascii=False)[:TOLD_CHARS] if payload else ""


async def _one(visit: Visit, delivery: str) -> Section | None:
    return await visit.api.get("deliveries", delivery) if delivery else None


PAGE = Page("/receivers", "receivers.html", "receivers", ReceiversContext, load)
ACTIONS = (
    Action("/receivers/{receiver}/test", test, "receivers"),
    Action("/receivers/{receiver}/enable", enable, "receivers"),
    Action("/deliveries/{delivery_id}/retry", retry, "receivers"),
)
