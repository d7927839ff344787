"""
One ASGI application out of the collector's parts: path -> part, and the lifespan.

Ingest paths go to ``receive/``, ``/api`` and ``/clickhouse/`` and ``/prometheus/`` to ``api/``, the probes and ``/metrics`` to ``probes.py``, everything else to the
dashboards. Starting ends what was started where a later part cannot be.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

import structlog
from anyio import to_thread

from collector.api.clickhouse import PREFIX, ClickHouse
from collector.api.prometheus import Prometheus
from collector.api.reads import signals_of, watches
from collector.errors import FuseboardError
from collector.probes import Probes
from collector.receive.app import Receiver
from collector.receive.asgi import (
    Receive,
    Scope,
    Send,
    error_response,
    send_response,
)
from collector.receive.guard import App

log = structlog.get_logger()

METRICS = ("metrics",)
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
# Eight for statements of people, the rest for handlers that ask ClickHouse nothing.
_SPARE_THREADS = 24


class Listening(Protocol):
    """Other ways in than HTTP."""

    async def start(self) -> None:
        """Begin to listen."""

    async def stop(self) -> None:
        """End it."""


class Runs(Protocol):
    """What starts and stops with the lifespan."""

    @property
    def listeners(self) -> Listening:
        """The other ways in."""

    def start(self) -> None:
        """Start every part."""

    def stop(self) -> None:
        """Stop every part."""


class Router:
    """
    Path -> application, and the lifespan. Whoever reads waits until what waited for a reader is loaded.

    Args:
        receiver: Ingest paths.
        probes: ``/healthz``, ``/readyz``, ``/metrics``.
        api: ``/api``.
        people: ``/clickhouse/``.
        prometheus: ``/prometheus/`` and ``/api/v1/metrics/``.
        at_once: Statements of readers that may run at once.
        loaded: Given the signals that are read (``None`` = any may be), returns when what waited for a reader of them can be read.
        attended: Told that somebody watches; returns at once.

    Attributes:
        pages: Everything else; ``None`` = not installed.
        collector: What starts and stops with the lifespan.
    """

    def __init__(
        self,
        receiver: Receiver,
        probes: Probes,
        api: App,
        people: ClickHouse,
        prometheus: Prometheus,
        at_once: int,
        loaded: Callable[[Collection[str] | None], Awaitable[None]],
        attended: Callable[[], object],
    ) -> None:
        self._receiver = receiver
        self._probes = probes
        self._api = api
        self._people = people
        self._prometheus = prometheus
        self._at_once = at_once
        self._loaded = loaded
        self._attended = attended
        self.pages: App | None = None
        self.collector: Runs | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one connection's scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        if self._receiver.serves(scope):
            await self._receiver(scope, receive, send)
        elif path in PROBES:
            await self._probes(scope, receive, send)
        elif self._prometheus.serves(path):
            await self._loaded(METRICS)
            await self._prometheus(scope, receive, send)
        elif path.startswith("/api/"):
            if watches(path):
                self._attended()
            await self._loaded(signals_of(path))
            await self._api(scope, receive, send)
        elif path == PREFIX or path.startswith(f"{PREFIX}/"):
            await self._loaded(None)
            await self._people(scope, receive, send)
        elif self.pages is not None and path != "/api" and not path.startswith(("/v1/", "/loki/")):
            await self.pages(scope, receive, send)
        else:
            error = FuseboardError(
                "not_found", f"nothing is served at {path[:200]!r}; the API begins at /api/v1/"
            )
            error.status = 404
            await send_response(send, error_response(error))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        assert self.collector is not None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    _room_for_those_who_wait(self._at_once)
                    await asyncio.to_thread(self.collector.start)
                    await self._listen(self.collector)
                except Exception as error:
                    log.exception("collector_start_failed")
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.collector.listeners.stop()
                await self._people.aclose()
                await asyncio.to_thread(self.collector.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _listen(self, collector: Runs) -> None:
        """Start the other ways in; where one cannot be, end what was started: the engine is a process of its own."""
        try:
            await collector.listeners.start()
        except BaseException:
            with contextlib.suppress(Exception):  # one that never listened has nothing to stop
                await collector.listeners.stop()
            await asyncio.to_thread(collector.stop)
            raise


def _room_for_those_who_wait(at_once: int) -> None:
    """Give the API's handlers more threads than may run or wait in the bulkheads, so that what needs no turn is answered all the same."""
    limiter = to_thread.current_default_thread_limiter()
    limiter.total_tokens = max(limiter.total_tokens, 3 * at_once + _SPARE_THREADS)
