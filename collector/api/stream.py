"""Answers that do not end by themselves."""

from __future__ import annotations

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from collector.api.parts import Stream


class EventStream(StreamingResponse):
    """
    Server-sent events, until the client goes away or the source ends.

    Args:
        stream: Left in any case, also when the client went away before the first byte.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream, headers={"X-Accel-Buffering": "no"})
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.leave()
