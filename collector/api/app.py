"""One FastAPI application out of the resources of ``v1/``; ``collector.app`` mounts it under ``/api``."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute

import collector
from collector.api.bodies import Bodies
from collector.api.docs import docs_page
from collector.api.failure import Edges, add_failures
from collector.api.parts import ApiParts
from collector.api.v1 import (
    alerts,
    breakers,
    bulkheads,
    catalogue,
    causes,
    courses,
    dashboards,
    databases,
    deploys,
    endpoints,
    gateway,
    hot,
    incidents,
    keys,
    ledger,
    logs,
    patterns,
    queries,
    queues,
    receivers,
    services,
    session,
    settings,
    silences,
    sql,
    topology,
    traces,
    users,
    views,
    volume,
)
from collector.api.watch import Watched

_DESCRIPTION = (
    "Everything the dashboards show, for anyone who asks. Answers are {data, next_cursor, stats}; times are RFC 3339 "
    "with nanoseconds, UTC; errors are {error: {type, code, message, param, request_id}}."
)
_RESOURCES: tuple[APIRouter, ...] = (
    logs.router,
    patterns.router,
    traces.router,
    services.router,
    topology.router,
    queues.router,
    gateway.router,
    hot.router,
    breakers.router,
    causes.router,
    bulkheads.router,
    ledger.router,
    endpoints.router,
    courses.router,
    databases.router,
    deploys.router,
    catalogue.router,
    alerts.router,
    receivers.router,
    silences.router,
    incidents.router,
    sql.router,
    queries.router,
    views.router,
    session.router,
    keys.router,
    users.router,
    settings.router,
    dashboards.router,
    volume.router,
)


def build_api(parts: ApiParts) -> FastAPI:
    """
    Build the API.

    Args:
        parts: What it asks.

    Returns:
        An application whose paths begin with ``/v1``, ``/openapi.json`` and ``/docs``: to be mounted at ``/api``.
    """
    app = FastAPI(
        title="Fuseboard API",
        version=collector.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    for resource in _RESOURCES:
        for route in resource.routes:
            _add(app, route)
    app.add_api_route("/docs", _docs, include_in_schema=False, response_class=HTMLResponse)
    add_failures(app)
    app.add_middleware(Watched, questions=parts.questions, limits=parts.limits, sql_limits=parts.sql_limits)
    app.add_middleware(Bodies)
    app.add_middleware(Edges)
    return app


def _add(app: FastAPI, route: BaseRoute) -> None:
    """Give *app* a resource's route as its own: a request is matched once, not once per level of routers (a third of a small answer)."""
    assert isinstance(route, APIRoute)
    app.add_api_route(
        f"/v1{route.path}",
        route.endpoint,
        methods=sorted(route.methods or ()),
        response_model=route.response_model,
        response_class=route.response_class,
        status_code=route.status_code,
        tags=route.tags,
        dependencies=[Depends(_authenticate)],
    )


async def _authenticate(request: Request) -> None:
    """Look into memory: nothing here is worth a thread."""
    parts: ApiParts = request.app.state.parts
    parts.authenticate(request)


def _docs(request: Request) -> HTMLResponse:
    app: FastAPI = request.app
    return HTMLResponse(docs_page(app.openapi()))
