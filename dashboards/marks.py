"""
What stands on every chart of a page: deploys, incidents (firing alerts, where there are none) and breakers that opened.

``GET /marks?start&end&env[&service]`` → ``{"marks": [{"at", "kind", "label", "url"}]}``, oldest first, *at* in seconds since the
epoch. Charts ask once for all of them. A source that cannot be asked gives no marks: a picture without them is still right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.api import CallerApi, Row
from dashboards.filters import state_word
from dashboards.pages.page import text_of
from dashboards.timestamps import NS_PER_S, nanoseconds
from dashboards.window import BadParameterError, Window, read_window

MARKS = 200
"""The newest so many of each kind; more would hide the lines below them."""

DEPLOYS = 50
"""Fewer: each is compared with what was before it."""

Mark = dict[str, Any]


async def answer_marks(request: Request, api: CallerApi, now: Any) -> Response:
    """Answer the marks of one time range."""
    query = dict(request.query_params)
    try:
        window = read_window(query, now)
    except BadParameterError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(
        {"marks": await marks(api, window, query.get("service", ""))}, headers={"Cache-Control": "no-store"}
    )


async def marks(api: CallerApi, window: Window, service: str = "") -> list[Mark]:
    """Ask for everything that may explain a bend in a line; *service* leaves out what is about others."""
    asked = {**window.question, "limit": str(MARKS)}
    deploys, transitions, incidents, alerts = await asyncio.gather(
        api.get("deploys", params={**window.question, "limit": str(DEPLOYS)}),
        api.get("breakers", "transitions", params=asked),
        api.get("incidents", params={"limit": str(MARKS)}),
        api.get("alerts"),
    )
    found = [
        *_deploys(deploys.rows, window),
        *_openings(transitions.rows, window),
        *(_incidents(incidents.rows, window) if not incidents.problem else _alerts(alerts.rows, window)),
    ]
    inside = [each for each in found if window.start.timestamp() <= each["at"] <= window.end.timestamp()]
    concerned = [
        each for each in inside if not service or not each["services"] or service in each["services"]
    ]
    return sorted(concerned, key=lambda each: float(each["at"]))


def _deploys(rows: Iterable[Row], window: Window) -> Iterator[Mark]:
    """Give each version that came after another of its service, or that a pipeline told of; the first one ever seen deployed nothing."""
    for row in rows:
        if not row.get("previous") and not row.get("markers"):
            continue
        service, env, verdict = text_of(row, "service"), text_of(row, "env"), text_of(row, "verdict")
        label = f"{service} {text_of(row, 'version')} deployed" + (
            f" in {env}" if env and not window.env else ""
        )
        label += ": regressed" if verdict == "regressed" else ""
        at = text_of(row, "at") or text_of(row, "first_seen")
        yield _mark(at, "deploy", label, window.url("services", service), service)


def _openings(rows: Iterable[Row], window: Window) -> Iterator[Mark]:
    for row in rows:
        if row.get("to") in ("open", "forced_open") and row.get("from") not in (
            "open",
            "forced_open",
            "half_open",
        ):
            service, breaker = text_of(row, "service"), text_of(row, "breaker")
            label = f"breaker {breaker} of {service} {state_word(row.get('to'))}"
            yield _mark(
                text_of(row, "at"),
                "breaker",
                label,
                window.url("breakers", service, breaker),
                service,
                text_of(row, "target"),
            )


def _incidents(rows: Iterable[Row], window: Window) -> Iterator[Mark]:
    for row in rows:
        if not window.env or text_of(row, "env") in ("", window.env):
            title = text_of(row, "title") or "incident"
            url = window.url("incidents", text_of(row, "id"))
            yield _mark(text_of(row, "opened_at"), "incident", title, url, text_of(row, "service"))


def _alerts(rows: Iterable[Row], window: Window) -> Iterator[Mark]:
    for row in rows:
        labels = row.get("labels")
        env = labels.get("env") if isinstance(labels, dict) else ""
        if row.get("fired_at") and (not window.env or env in (None, "", window.env)):
            service = str(labels.get("service") or "") if isinstance(labels, dict) else ""
            yield _mark(
                text_of(row, "fired_at"),
                "incident",
                f"alert {text_of(row, 'rule')}",
                window.url("alerts"),
                service,
            )


def _mark(at: str, kind: str, label: str, url: str, *services: str) -> Mark:
    try:
        seconds = nanoseconds(at) / NS_PER_S
    except ValueError:
        seconds = -1.0
    return {
        "at": seconds,
        "kind": kind,
        "label": label,
        "url": url,
        "services": [each for each in services if each],
    }
