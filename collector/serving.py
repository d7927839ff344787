"""The server process: collector and dashboards on one port until SIGTERM."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import uvicorn

from collector.app import Collector, build
from collector.logging import configure
from collector.settings import Settings

# malloc.h's names for mallopt's parameters.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_TICK_S = 1.0
# Objects made and not freed before a collection looks at the youngest; Python's 700 means one for every other request.
_YOUNG_OBJECTS = 10_000


def serve(settings: Settings, tour: str = "") -> bool:
    """
    Run until SIGTERM.

    *tour* is the command that breaks something in the sample shop; the Overview then leads through it.

    Returns:
        Whether it ever served; if not, the log says why.

    Raises:
        FuseboardError: A setting cannot be used as it is.
    """
    configure(settings.log_level)
    _keep_freed_memory()
    collector = build(settings, tour)
    server = _Server(_config(collector, settings))
    server.on_listening = collector.listening
    server.on_hangup = collector.alerting.reread_rules
    server.on_ending = collector.tail.close
    asyncio_runner = asyncio.Runner(loop_factory=_loop_factory())
    with asyncio_runner as runner:
        runner.run(server.serve())
    return server.started


def _config(collector: Collector, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        collector.asgi,
        host=settings.host,
        port=settings.port,
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _keep_freed_memory() -> None:
    """
    Let glibc reuse the memory of request bodies instead of returning each to the kernel and faulting it in again.

    Measured with benchmarks/ingest.py: 2.1 -> 1.6 CPU-s per million lines in this process, the same peak. Other C libraries do without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 << 20)
        mallopt(_M_TRIM_THRESHOLD, 256 << 20)


def _leave_alone_what_stays() -> None:
    """
    Let the garbage collector look at what is made from now on, not at modules, models and routes again and again.

    It holds the interpreter while it looks, and no acknowledgement leaves: measured 55 ms of CPU for all of it, 2 to 4 for a part, at each
    of which it found nothing to free (docs/adr/0008).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)


def _loop_factory() -> Any:
    import uvloop

    return uvloop.new_event_loop


class _Server(uvicorn.Server):
    """uvicorn, but a SIGTERM that was honoured is not raised again: the program ends with 0; tells where it listens."""

    on_listening: Callable[[str, int], None] | None = None
    on_ending: Callable[[], None] | None = None
    on_hangup: Callable[[], None] | None = None

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Move the answers' date on once a second until somebody ends it: what uvicorn does ten times a second, an idle collector's dearest loop."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_S)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell the address: port 0 means that nobody knew it before."""
        await super().startup(sockets=sockets)
        _leave_alone_what_stays()
        if self.started and self.on_listening is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.on_listening(host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End what would not end by itself: streams that are watched."""
        if self.on_ending is not None:
            self.on_ending()
        super().handle_exit(sig, frame)
        self._ending.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask for a graceful end on the first SIGTERM or SIGINT, for a quick one on the second; read files again on SIGHUP."""
        loop = asyncio.get_running_loop()
        if self.on_hangup is not None:
            loop.add_signal_handler(signal.SIGHUP, self.on_hangup)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
