"""
Liveness, readiness and the collector's own metrics.

``GET /healthz``  200 while the process answers
``GET /readyz``   200, or 503 with the reasons; reasons that do not stop acceptance are listed under ``degraded``
``GET /metrics``  Prometheus text; needs a read key where keys are required
"""

from __future__ import annotations

import asyncio

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from collector.errors import FuseboardError, MethodNotAllowed
from collector.metrics import EngineMetrics, JournalMetrics
from collector.pipeline import Pipeline
from collector.receive.asgi import Receive, Scope, Send, error_response, send_response
from collector.receive.authenticate import Keys
from collector.receive.protocol import Response


class Probes:
    """
    The three paths.

    Args:
        pipeline: What is asked.
        registry: All metrics.
        journal: Gauges set when asked.
        engine: Gauges set when asked.
        keys: Who may read ``/metrics``.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        registry: CollectorRegistry,
        journal: JournalMetrics,
        engine: EngineMetrics,
        keys: Keys,
    ) -> None:
        self._pipeline = pipeline
        self._registry = registry
        self._journal = journal
        self._engine = engine
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        try:
            response = await self._answer(scope)
        except FuseboardError as error:
            response = error_response(error)
        await send_response(send, response)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed("method_not_allowed", f"{scope['path']} takes GET, not {scope['method']}")
        if scope["path"] == "/healthz":
            return Response(200, b'{"status":"alive"}')
        if scope["path"] == "/readyz":
            return await asyncio.to_thread(self._ready)
        self._keys.authenticate(dict(scope["headers"]), "read")
        return await asyncio.to_thread(self._metrics)

    def _ready(self) -> Response:
        reasons = self._pipeline.not_ready()
        body = {"ready": not reasons, "reasons": reasons, "degraded": self._pipeline.degraded()}
        return Response(503 if reasons else 200, msgspec.json.encode(body))

    def _metrics(self) -> Response:
        state = self._pipeline.pipeline()
        self._journal.bytes.set(state["journal"]["bytes"])
        self._journal.max_bytes.set(state["journal"]["max_bytes"])
        self._journal.waiting.set(state["journal"]["segments_waiting"])
        self._journal.damaged.set(state["journal"]["damaged_segments"])
        self._engine.up.set(state["engine"]["state"] == "up")
        self._engine.restarts.set(state["engine"]["restarts"])
        return Response(200, generate_latest(self._registry), "text/plain; version=0.0.4; charset=utf-8")
