"""One service as one process: build its parts, serve until SIGTERM, then finish what is in flight and flush spans."""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
from typing import Any

import httpx
import structlog
import uvloop
from opentelemetry.trace import Tracer

from demo import serving, telemetry
from demo.breakers import breaker_for
from demo.bulkhead import Bulkhead
from demo.dependency import Dependency
from demo.faults import Faults
from demo.listener import Listener
from demo.metrics import Metrics
from demo.runtime import Component, Runtime
from demo.settings import ServiceSettings


def run(settings: ServiceSettings) -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log = telemetry.logger(settings.spec.name, settings.log_file)
    provider = telemetry.tracer_provider(settings)
    try:
        uvloop.run(_serve(settings, log, provider.get_tracer("demo")))
    finally:
        provider.shutdown()


async def _serve(settings: ServiceSettings, log: structlog.stdlib.BoundLogger, tracer: Tracer) -> None:
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_keepalive_connections=32, keepalive_expiry=30),
        trust_env=False,
    ) as client:
        service = _Process(settings, log, tracer, client)
        await service.run()


class _Process:
    """The composition root of one service."""

    def __init__(
        self,
        settings: ServiceSettings,
        log: structlog.stdlib.BoundLogger,
        tracer: Tracer,
        client: httpx.AsyncClient,
    ) -> None:
        self._settings = settings
        self._log = log
        faults = Faults(settings.seed, settings.spec.name, log, self._set_listening)
        metrics = Metrics()
        self._runtime = Runtime(
            settings=settings,
            log=log,
            tracer=tracer,
            metrics=metrics,
            faults=faults,
            dependencies=_dependencies(settings, log, tracer, metrics, client),
        )
        self._component = _build(self._runtime)
        app = serving.application(self._component, self._runtime)
        self._listener = Listener(app, settings.host, settings.port)
        self._control = Listener(
            serving.control_application(self._runtime), "127.0.0.1", settings.control_port
        )

    async def _set_listening(self, listening: bool) -> None:
        await self._listener.set_listening(listening)

    async def run(self) -> None:
        """Serve until a signal, or until one of the service's loops fails: then so does the process."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await self._control.set_listening(True)
        await self._listener.set_listening(True)
        gc.freeze()  # what was imported stays; the collector need not walk it again
        self._log.info("service_started", version=self._settings.version, port=self._settings.port)
        await _first(stop.wait(), *(loop() for loop in self._component.loops))
        await self._listener.set_listening(False)
        await self._control.set_listening(False)
        self._log.info("service_stopped")


async def _first(*works: Any) -> None:
    """Run *works* until one ends, cancel the others; raise what the first one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


def _build(runtime: Runtime) -> Component:
    module = importlib.import_module(f"demo.services.{runtime.settings.spec.name}")
    component: Component = module.build(runtime)
    return component


def _dependencies(
    settings: ServiceSettings,
    log: structlog.stdlib.BoundLogger,
    tracer: Tracer,
    metrics: Metrics,
    client: httpx.AsyncClient,
) -> dict[str, Dependency]:
    dependencies = {}
    for call in settings.spec.calls:
        bulkhead = Bulkhead(call.target, call.limit)
        metrics.watch_bulkhead(bulkhead)
        dependencies[call.target] = Dependency(
            call.target,
            settings.neighbours[call.target],
            client=client,
            timeout_s=call.timeout_s,
            bulkhead=bulkhead,
            breaker=breaker_for(call.target, settings, log) if call.breaker else None,
            tracer=tracer,
            metrics=metrics,
            log=log,
        )
    return dependencies
