"""An HTTP port that can be closed and opened again while the process lives (uvicorn inside)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_KEEP_ALIVE_S = 75  # longer than any caller keeps an idle connection, so no call meets a closing one


class _Server(uvicorn.Server):
    """A server whose signals belong to the process, which runs two of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """
    Serve *app* at one address.

    Args:
        app: The ASGI application.
        host: Address to bind.
        port: Port to bind.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._address = (host, port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()

    async def set_listening(self, listening: bool) -> None:
        """
        Open the port, or close it together with its connections; no effect if it is so already.

        Raises:
            OSError: The port is taken.
        """
        async with self._switching:
            if listening and self._serving is None:
                await self._open()
            elif not listening and self._serving is not None:
                await self._close()

    async def _open(self) -> None:
        sock = socket.create_server(self._address, backlog=256)
        config = uvicorn.Config(
            self._app,
            loop="none",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[sock]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn has a flag only
            await asyncio.sleep(0.01)

    async def _close(self) -> None:
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None
