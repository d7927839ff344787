"""
Listens for syslog on one port over TCP and UDP, gathers messages into batches, and has each journalled like any other.

A batch goes when it is 256 KiB large or a quarter of a second old. While the journal refuses, it is tried again for as long as it takes: meanwhile TCP senders
are not read, and datagrams that find the buffer full are counted as dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from collector.errors import FuseboardError, Refused
from collector.formats.syslog.framing import Framer
from collector.formats.syslog.receive import PROTOCOL, SEPARATOR
from collector.metrics import SyslogMetrics
from collector.receive.app import Receiver

log = structlog.get_logger()

BATCH_BYTES = 256 << 10
BATCH_S = 0.25
BUFFER_BYTES = (
    4 << 20
)  # of messages that are not durable yet; a burst of datagrams longer than this loses some
_READ_BYTES = 64 << 10
_RETRY_S = 1.0


class SyslogServer:
    """
    The listener.

    Args:
        receiver: Takes the batches.
        host: Address to listen on.
        port: Not 0.
        key: Under which batches are written; empty where no key is required.
        metrics: Counters.
    """

    def __init__(self, receiver: Receiver, host: str, port: int, key: str, metrics: SyslogMetrics) -> None:
        self._receiver = receiver
        self._host = host
        self._port = port
        self._headers: Mapping[bytes, bytes] = {b"authorization": f"Bearer {key}".encode()} if key else {}
        self._metrics = metrics
        self._gathered: list[bytes] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stopping = False
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """
        Listen.

        Raises:
            OSError: The address is taken.
        """
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve, self._host, self._port)
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(self._host, self._port)
        )
        self._flusher = asyncio.create_task(self._flush())
        log.info("syslog_listens", host=self._host, port=self._port)

    async def stop(self) -> None:
        """Read no more, and journal what was read."""
        self._tcp.close()
        self._udp.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._stopping = True
        self._some.set()
        await self._flusher

    def offer(self, datagram: bytes) -> None:
        """Take one datagram, or count it as dropped."""
        if self._bytes >= BUFFER_BYTES:
            self._metrics.dropped.labels("buffer_full").inc()
            return
        self._gather([datagram.rstrip(b"\r\n\0").replace(b"\0", b"")])

    def _gather(self, messages: list[bytes]) -> None:
        self._gathered += messages
        self._bytes += sum(map(len, messages))
        if self._bytes >= BUFFER_BYTES:
            self._room.clear()
        self._some.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        framer = Framer()
        try:
            while data := await reader.read(_READ_BYTES):
                self._gather(framer.feed(data))
                await self._room.wait()
        except (ConnectionError, asyncio.CancelledError):
            pass  # what came whole is gathered; a sender that was cut off sends the rest again, or nobody can
        finally:
            self._gather(framer.end())
            self._metrics.cut.inc(framer.cut)
            self._connections.discard(task)
            writer.close()

    async def _flush(self) -> None:
        while not (self._stopping and not self._gathered):
            await self._some.wait()
            self._some.clear()
            if self._bytes < BATCH_BYTES and not self._stopping:
                await asyncio.sleep(BATCH_S)
            messages, self._gathered, self._bytes = self._gathered, [], 0
            self._room.set()
            if messages:
                await self._journal(SEPARATOR.join(messages), len(messages))

    async def _journal(self, body: bytes, count: int) -> None:
        """Have a batch journalled, however long that takes; only what is refused for good, or at the end, is given up."""
        while True:
            try:
                await self._receiver.take(PROTOCOL, "syslog", self._headers, body)
            except Refused as error:
                if self._stopping:
                    self._give_up(count, error)
                    return
                log.warning("syslog_waits", code=error.code, messages=count)
                await asyncio.sleep(_RETRY_S)
            except FuseboardError as error:
                self._give_up(count, error)
                return
            else:
                return

    def _give_up(self, count: int, error: FuseboardError) -> None:
        self._metrics.dropped.labels(error.code).inc(count)
        log.error("syslog_dropped", code=error.code, messages=count, reason=error.message)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: SyslogServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand one message over."""
        del addr
        self._server.offer(data)
