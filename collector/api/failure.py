"""
Every error as the contract's body.

``{"error": {"type", "code", "message", "param", "request_id"}}``; never a stack trace. ``type`` groups codes by what the
caller can do: mend the request, show a key, come back later, narrow the question, or tell us.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.errors import KINDS, FuseboardError, QueryError, Refused, StoreUnavailable

log = structlog.get_logger(__name__)

# The supervisor restarts the engine within seconds.
_ENGINE_RETRY_S = 2
_QUOTED_CHARS = 200
_TRACE_CHARS = 4000
# Where bodies have passwords in them, nothing of them is quoted.
_SECRET_PATHS = ("/v1/session", "/v1/users")


def error_response(request: Request, error: FuseboardError) -> Response:
    """Write *error* with its status, and Retry-After where coming back helps."""
    body: dict[str, Any] = {"code": error.code, "message": error.message, "param": error.param}
    if isinstance(error, QueryError) and error.position is not None:
        body["position"] = error.position
    headers = {}
    if isinstance(error, Refused):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    elif isinstance(error, StoreUnavailable):
        headers["Retry-After"] = str(_ENGINE_RETRY_S)
    return _write(request, error.status, body, headers)


def _write(request: Request, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    error = {
        "type": KINDS.get(status, "invalid_request" if status < 500 else "internal"),
        **body,
        "request_id": request_id(request),
    }
    content = msgspec.json.encode({"error": error})
    return Response(content, status, dict(headers), "application/json")


def request_id(request: Request) -> str:
    """Give the request's id: set once by `Edges`."""
    return str(request.scope.get("fuseboard.request_id", ""))


def add_failures(app: FastAPI) -> None:
    """Register a handler for each kind of failure, the framework's own included."""
    app.add_exception_handler(FuseboardError, _fuseboard)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)


async def _fuseboard(request: Request, error: Exception) -> Response:
    assert isinstance(error, FuseboardError)
    if error.status >= 500 and not isinstance(error, StoreUnavailable):
        log.error("api_failed", code=error.code, error=error.message, request_id=request_id(request))
    return error_response(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where: Sequence[Any] = first["loc"]
    param = str(where[-1])
    value = str(first.get("input"))[:_QUOTED_CHARS] if _quotable(request) else "…"
    if first["type"] == "extra_forbidden":
        body = {
            "code": "unknown_parameter",
            "message": f"unknown parameter {param!r} (={value!r})",
            "param": param,
        }
    else:
        body = {"code": "bad_parameter", "message": f"{param}={value!r}: {first['msg']}", "param": param}
    return _write(request, 400, body, {})


def _quotable(request: Request) -> bool:
    path = request.scope["path"].removeprefix("/api")
    return not path.startswith(_SECRET_PATHS)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    messages = {
        404: f"nothing lives at {request.url.path}; see /api/docs",
        405: f"{request.method} is not possible at {request.url.path}",
    }
    message = messages.get(error.status_code, str(error.detail))
    body = {"code": codes.get(error.status_code, "http_error"), "message": message, "param": None}
    return _write(request, error.status_code, body, error.headers or {})


class Edges:
    """
    The outermost layer: a request id, ``Cache-Control: no-store``, and the last catch.

    Whatever nobody foresaw becomes a 500 with an id under which the log has the details.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["fuseboard.request_id"] = identifier = secrets.token_hex(8)
        began = False

        async def send_marked(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                marks = [(b"cache-control", b"no-store"), (b"x-request-id", identifier.encode())]
                message = {**message, "headers": [*message.get("headers", ()), *marks]}
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:
            told = "".join(traceback.format_exception(error))[-_TRACE_CHARS:]
            log.error("api_crashed", path=scope["path"], request_id=identifier, trace=told)  # noqa: TRY400 - no locals
            if began:
                raise
            body = {
                "code": "internal",
                "message": "the collector failed to answer; see its log",
                "param": None,
            }
            await _write(Request(scope), 500, body, {})(scope, receive, send_marked)
