"""What stands around every route: server span, faults, metrics, one log line, one shape of errors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.errors import ShopError
from demo.runtime import Component, Endpoint, Runtime


def application(component: Component, runtime: Runtime) -> Starlette:
    """Build the ASGI application of a service; /metrics, /healthz and /_fault are neither traced nor logged."""

    async def metrics(_request: Request) -> Response:
        return Response(runtime.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"service": runtime.settings.spec.name, "version": runtime.settings.version})

    routes = [
        Route(each.route, _observed(each, runtime), methods=[each.method]) for each in component.endpoints
    ]
    return Starlette(
        routes=[
            *routes,
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/_fault", runtime.faults.endpoint, methods=["GET", "POST"]),
        ]
    )


def control_application(runtime: Runtime) -> Starlette:
    """Build what answers on the control port, also while the service itself refuses connections."""
    return Starlette(routes=[Route("/_fault", runtime.faults.endpoint, methods=["GET", "POST"])])


def _observed(endpoint: Endpoint, runtime: Runtime) -> Callable[[Request], Awaitable[Response]]:
    name = f"{endpoint.method} {endpoint.route}"

    async def handle(request: Request) -> Response:
        began = time.perf_counter()
        with runtime.tracer.start_as_current_span(
            name,
            context=extract(request.headers),
            kind=SpanKind.SERVER,
            attributes=_span_attributes(endpoint, request),
        ) as span:
            response = await _answer(endpoint, request, runtime, span)
            span.set_attribute("http.response.status_code", response.status_code)
            _measure(endpoint, response.status_code, time.perf_counter() - began, runtime)
            return response

    return handle


def _span_attributes(endpoint: Endpoint, request: Request) -> dict[str, str | int]:
    return {
        "http.request.method": endpoint.method,
        "http.route": endpoint.route,
        "url.path": request.url.path,
        "url.scheme": request.url.scheme,
        "server.address": request.url.hostname or "",
        "server.port": request.url.port or 80,
        "client.address": request.client.host if request.client else "",
        "user_agent.original": request.headers.get("user-agent", ""),
    }


async def _answer(endpoint: Endpoint, request: Request, runtime: Runtime, span: Span) -> JSONResponse:
    try:
        await runtime.faults.meet()
        return await endpoint.handler(request)
    except ShopError as error:
        if error.status >= 500:
            span.record_exception(error)
            span.set_attribute("error.type", error.code)
            span.set_status(StatusCode.ERROR, error.message)
            runtime.log.error("request_failed", **error.log_fields())  # noqa: TRY400 - expected: no stack
        return _error(error.status, error.code, error.message)
    except Exception as error:  # the last boundary: a bug becomes a 500, a span and a line
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR, str(error))
        runtime.log.exception("request_failed", **{"error.type": type(error).__name__})
        return _error(500, "internal", "internal error")


def _measure(endpoint: Endpoint, status: int, seconds: float, runtime: Runtime) -> None:
    runtime.metrics.request_seconds.labels(endpoint.method, endpoint.route, str(status)).observe(seconds)
    fields = {
        "http.request.method": endpoint.method,
        "http.route": endpoint.route,
        "http.response.status_code": status,
        "duration_ms": round(seconds * 1000, 2),
    }
    runtime.log.info("request_handled", **fields)


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
