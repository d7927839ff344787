"""Answers over ASGI: the common error body of the contract, and how a response is sent."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from collector.errors import KINDS, FuseboardError, Refused
from collector.receive.protocol import Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def error_response(error: FuseboardError) -> Response:
    """Return the common error body of the contract."""
    request_id = secrets.token_hex(8)
    body = {
        "type": KINDS[error.status],
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "request_id": request_id,
    }
    headers = {"x-request-id": request_id}
    if isinstance(error, Refused):
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status == 405:
        headers["allow"] = "POST"
    return Response(error.status, msgspec.json.encode({"error": body}), headers=headers)


async def send_response(send: Send, response: Response) -> None:
    """Send *response* over ASGI; a 204 has no body to say anything of."""
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    if response.status != 204:
        headers.append((b"content-type", response.content_type.encode()))
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
