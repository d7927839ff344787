"""
The collector's API as a recording: the contract's paths, answering with `recorded_shop`.

Not a mock of our code: the dashboards only know HTTP, and this is a program that speaks it.
``create_recorded_api(variant)``: ``shop``, ``empty``, ``down`` (503 for data, the pipeline says so),
``slow`` (answers late), ``hostile`` (markup in every text), ``locked`` (401 without the key; a person may sign in for it).
By hand: ``python -m tests.dashboards.recorded_api VARIANT PORT`` serves it with the pages, for looking at.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.dashboards.recorded_shop import DEAD, NOW, PIPELINE, answer

HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'{{7*7}}</details>"
KEY = "read-key"
PASSWORD = "correct horse battery"
LISTS = (
    "breakers/transitions",
    "logs/histogram",
    "logs/facets",
    "logs/fields",
    "logs/patterns",
    "traces/heatmap",
    "traces/compare",
    "courses/services",
    "courses/breakers",
    "silences/preview",
    "alerts/noise",
)
_VERBATIM = (
    "resultType",
    "may",
    "state",
    "health",
    "status",
    "severity",
    "trace_id",
    "span_id",
    "parent_span_id",
    "from",
    "to",
    "field",
)

Handler = Callable[[Request], Awaitable[JSONResponse]]


def create_recorded_api(variant: str = "shop", delay_s: float = 30.0) -> Starlette:
    """Build the recording; *delay_s* is how late the slow variant answers."""
    handlers: dict[str, Handler] = {
        "shop": shop,
        "empty": empty,
        "down": down,
        "hostile": hostile,
        "locked": locked,
        "slow": partial(late, delay_s=delay_s),
    }
    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(routes=[Route("/api/v1/{path:path}", handlers[variant], methods=methods)])


async def shop(request: Request) -> JSONResponse:
    """Answer with the shop, 404 for what it does not have, 400 for a search nobody can read."""
    path, query = request.path_params["path"], dict(request.query_params)
    if "(" in query.get("query", "") and ")" not in query["query"]:
        return refuse(400, "query_syntax", "position 9: expected ')'")
    data = answer(path, query)
    if data is None:
        return refuse(404, "not_found", f"Nothing is called {path} in this time range.")
    if path.startswith("metrics/"):
        return as_prometheus(data)
    return reply(data, "next-1" if path == "logs" and "cursor" not in query else None)


async def empty(request: Request) -> JSONResponse:
    """Answer as a collector to which nothing was ever sent."""
    path = request.path_params["path"]
    if path == "pipeline":
        return reply([PIPELINE])
    if path.startswith("metrics/"):
        return as_prometheus({"resultType": "matrix", "result": []} if path == "metrics/query_range" else [])
    if "/" in path and path not in LISTS:
        return refuse(404, "not_found", f"Nothing is called {path} in this time range.")
    return reply([{"nodes": [], "edges": []}] if path == "map" else [])


async def down(request: Request) -> JSONResponse:
    """Answer while the engine is dead."""
    if request.path_params["path"] == "pipeline":
        return reply([DEAD])
    return refuse(503, "engine_unavailable", "The engine is restarting; try again in 2 s.")


async def hostile(request: Request) -> JSONResponse:
    """Answer with markup in every text; whatever is asked for exists."""
    path = request.path_params["path"]
    known = {
        "services": "services/checkout",
        "breakers": "breakers/checkout/payment",
        "dashboards": "dashboards/b0a2d1",
        "logs": "logs/b1-3/context",
        "incidents": "incidents/1f3a",
        "deliveries": "deliveries/2",
    }
    if path.startswith("metrics/"):
        return as_prometheus(spoiled(answer(path, {})))
    if "/" in path and path not in LISTS:
        path = known.get(path.partition("/")[0], path)
    return reply(spoiled(answer(path, {})))


async def locked(request: Request) -> JSONResponse:
    """Answer with the shop to those who bring the key, and give it to whoever signs in."""
    if request.path_params["path"] == "session" and request.method == "POST":
        sent = await request.json()
        if sent != {"name": "ana", "password": PASSWORD}:
            return refuse(401, "sign_in_wrong", "No such name, or not its password.")
        return reply(
            [{"token": KEY, "kind": "person", "name": "ana", "role": "editor", "may": ["read", "change"]}]
        )
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return refuse(401, "unauthenticated", "No key, or one nobody issued.")
    return await shop(request)


async def late(request: Request, delay_s: float) -> JSONResponse:
    """Answer with the shop, too late except about the pipeline and who asks, which stand in memory."""
    if request.path_params["path"] not in ("pipeline", "session"):
        await asyncio.sleep(delay_s)
    return await shop(request)


def spoiled(value: Any) -> Any:
    """Put markup into every free text of an answer, and a javascript: link where links stand."""
    if isinstance(value, dict):
        items = {name: item if name in _VERBATIM else spoiled(item) for name, item in value.items()}
        return items | {HOSTILE: HOSTILE}
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    if isinstance(value, str) and not value.startswith("2026-") and not _is_number(value):
        return "javascript:window.hacked=1" if value.startswith("/") else HOSTILE
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_prometheus(data: Any) -> JSONResponse:
    """Write an answer of the Prometheus API."""
    return JSONResponse({"status": "success", "data": data})


def reply(data: list[Any], cursor: str | None = None) -> JSONResponse:
    """Write the envelope of an answer."""
    return JSONResponse({"data": data, "next_cursor": cursor, "stats": {"rows_read": len(data)}})


def refuse(status: int, code: str, message: str) -> JSONResponse:
    """Write the error object."""
    error = {"type": "error", "code": code, "message": message, "param": None, "request_id": "r1"}
    return JSONResponse({"error": error}, status)


@cache
def pages_over(
    variant: str,
    delay_s: float = 30.0,
    timeout_s: float = 60.0,
    tour: str = "",
    patience_s: float | None = None,
) -> Starlette:
    """Build the dashboards over one variant of the recording, at the recorded time; pages go out whole unless *patience_s* says otherwise."""
    transport = httpx.ASGITransport(app=create_recorded_api(variant, delay_s))
    api = Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"), timeout_s=timeout_s)
    return create_app(api, clock=lambda: NOW, tour=tour, patience_s=patience_s)


if __name__ == "__main__":
    uvicorn.run(pages_over(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
