"""What the recorded shop answers about many traces: where they lie, and what sets the slow ones apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app

DURATIONS_MS = [10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000]


def heatmap(at: Callable[[float], str]) -> dict[str, Any]:
    """Give the one row of /traces/heatmap: an hour, most traces at 30 ms, a slow and failing burst towards its end."""
    cells = []
    for column in range(60):
        for row, traces in ((2, 40), (3, 310), (4, 120), (5, 9)):
            cells.append({"column": column, "row": row, "traces": traces - column % 7, "errors": 0})
        if column > 48:
            cells.append({"column": column, "row": 10, "traces": 30 + column % 5, "errors": 12})
    return {
        "times": [at(3600 - 60 * column) for column in range(61)],
        "durations_ms": [float(each) for each in DURATIONS_MS],
        "cells": cells,
        "traces": sum(cell["traces"] for cell in cells),
        "errors": sum(cell["errors"] for cell in cells),
    }


def comparison(at: Callable[[float], str]) -> dict[str, Any]:
    """Give the one row of /traces/compare: a replica explains the slow ones, a tier helps."""
    pairs = [
        ("payment", "db.instance", "replica-2", 352, 0),
        ("payment", "service.version", "2.3", 352, 41),
        ("checkout", "customer.tier", "gold", 221, 108),
        ("payment", "cache.hit", "true", 3, 902),
    ]
    sizes = {"selected": 352, "rest": 1000}
    return {
        "selected": 352,
        "rest": 27_540,
        "sample": {**sizes, "start": at(3600), "end": at(0)},
        "pairs": [
            {
                "service": service,
                "key": key,
                "value": value,
                "cut": False,
                "score": abs(selected / 352 - rest / 1000) * 0.95,
                "selected": selected,
                "rest": rest,
                "selected_share": selected / 352,
                "rest_share": rest / 1000,
            }
            for service, key, value, selected, rest in pairs
        ],
    }


def pages_of_trace(spans: list[dict[str, Any]], **more: Any) -> Starlette:
    """Build the dashboards over an API that knows one trace, whatever its id."""
    row = {"trace_id": "t", "spans": spans, "logs": [], "transitions": [], **more}

    async def api(request: Request) -> JSONResponse:
        return JSONResponse({"data": [row if "traces" in request.url.path else {}]})

    transport = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", api)]))
    return create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")))
