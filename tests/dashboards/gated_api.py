"""The recorded API behind a gate: what stands in memory is answered at once, the rest when a test says so. For answers whose first part goes out before."""

from __future__ import annotations

import asyncio
import threading

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.dashboards.recorded_api import empty, shop
from tests.dashboards.recorded_shop import NOW

_LONGEST_S = 60.0


class Gate:
    """What a test opens; any thread may."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.waiting = threading.Event()
        self.given_up = 0

    def open(self) -> None:
        """Let everything be answered."""
        self._open.set()

    def close(self) -> None:
        """Let nothing be answered any more, and forget what was."""
        self._open.clear()
        self.waiting.clear()
        self.given_up = 0

    async def passed(self) -> None:
        """Return when it is open."""
        self.waiting.set()
        try:
            async with asyncio.timeout(_LONGEST_S):
                while not self._open.is_set():  # noqa: ASYNC110 -- an event of another thread
                    await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.given_up += 1
            raise


def gated_api(gate: Gate, variant: str = "shop") -> Starlette:
    """Build the recording behind *gate*."""
    answer = {"shop": shop, "empty": empty}[variant]

    async def gated(request: Request) -> JSONResponse:
        if request.path_params["path"] != "session":
            await gate.passed()
        return await answer(request)

    return Starlette(routes=[Route("/api/v1/{path:path}", gated, methods=["GET", "POST", "PUT", "DELETE"])])


def gated_pages(gate: Gate, variant: str = "shop") -> Starlette:
    """Build the pages over it: their frame goes out first, always."""
    transport = httpx.ASGITransport(app=gated_api(gate, variant))
    api = Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"), timeout_s=_LONGEST_S)
    return create_app(api, clock=lambda: NOW, patience_s=0)
