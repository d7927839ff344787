"""Answers of the API that browsers take as they come: the live tail and exports. Passed on, part by part, as the visitor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dashboards.api import Api

STREAMS = {"/logs/tail": ("logs", "tail"), "/logs/export": ("logs", "export")}
"""Path of this site -> the API's."""
_PASSED = ("content-type", "content-disposition", "fuseboard-records", "retry-after")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Accel-Buffering": "no",
}


async def relay(api: Api, request: Request) -> Response:
    """Ask the API for what *request* asks for and pass its answer on."""
    try:
        answer = await api.of_caller(request.headers.get("authorization", "")).stream(
            *STREAMS[request.url.path],
            params=dict(request.query_params),
            last_event_id=request.headers.get("last-event-id", ""),
        )
    except httpx.HTTPError as error:
        message = f"The collector cannot be reached: {error or type(error).__name__}"
        return JSONResponse({"error": {"code": "unreachable", "message": message}}, 502, _HEADERS)
    return _Relayed(answer)


class _Relayed(StreamingResponse):
    """An answer passed on; it is closed in any case, also when the visitor went away before its first byte."""

    def __init__(self, answer: httpx.Response) -> None:
        passed = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
        super().__init__(_parts(answer), answer.status_code, {**_HEADERS, **passed})
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for part in answer.aiter_bytes():
        yield part
