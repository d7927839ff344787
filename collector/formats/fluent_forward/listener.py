"""
Listens for the forward protocol, has each chunk journalled, and acknowledges it then.

While the journal refuses, a sender that waits for acknowledgements is cut off, and sends its chunk again; another one is not read meanwhile.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import msgpack  # type: ignore[import-untyped]
import structlog

from collector.errors import FuseboardError, Malformed, Refused, TooLarge
from collector.formats.fluent_forward.handshake import Handshake, refusal
from collector.formats.fluent_forward.messages import Forwarded, read, unpacker
from collector.formats.fluent_forward.receive import PROTOCOL
from collector.metrics import FluentMetrics
from collector.receive.app import Receiver
from collector.receive.decompress import Limits

log = structlog.get_logger()

_READ_BYTES = 256 << 10
_RETRY_S = 1.0
_HANDSHAKE_S = 30.0


class FluentServer:
    """
    The listener.

    Args:
        receiver: Takes the batches.
        address: Host and port to listen on; the port is not 0.
        key: Under which batches are written; empty where no key is required.
        shared_key: What senders have to know; empty = no handshake.
        limits: Of a message and of a gzipped chunk.
        metrics: Counters.
    """

    def __init__(
        self,
        receiver: Receiver,
        address: tuple[str, int],
        key: str,
        shared_key: str,
        limits: Limits,
        metrics: FluentMetrics,
    ) -> None:
        self._receiver = receiver
        self._address = address
        self._headers = {b"authorization": f"Bearer {key}".encode()} if key else {}
        self._shared_key = shared_key
        self._limits = limits
        self._metrics = metrics
        self._connections: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """
        Listen.

        Raises:
            OSError: The address is taken.
        """
        self._server = await asyncio.start_server(self._serve, *self._address)
        log.info("fluent_listens", host=self._address[0], port=self._address[1])

    async def stop(self) -> None:
        """Read no more; what was read is journalled, or was not acknowledged."""
        self._server.close()
        self._stopping.set()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # whoever was cut off sends again what was not acknowledged
        except FuseboardError as error:
            self._metrics.refused.labels(error.code).inc()
            log.warning("fluent_refused", code=error.code, reason=error.message)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = unpacker(self._limits.body_bytes)
        waiting = Handshake(self._shared_key) if self._shared_key else None
        if waiting is not None:
            writer.write(waiting.helo())
        ended = 0
        while data := await self._next(reader, _HANDSHAKE_S if waiting else None):
            found, ended = _whole(messages, data, ended, self._limits.body_bytes)
            if waiting is not None and found:
                writer.write(_pong(waiting, found.pop(0), writer))
                waiting = None
            for events in await asyncio.to_thread(_read, found, self._limits.decoded_bytes):
                await self._take(events, writer)

    async def _next(self, reader: asyncio.StreamReader, within_s: float | None) -> bytes:
        """Return what comes next; nothing at the end, of the connection or of the program."""
        if self._stopping.is_set():
            return b""
        reading = asyncio.ensure_future(reader.read(_READ_BYTES))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({reading, stopping}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()
            stopping.cancel()

    async def _take(self, events: Forwarded, writer: asyncio.StreamWriter) -> None:
        headers = {
            **self._headers,
            b"fuseboard-resource": f"fluent.tag={quote(events.tag, errors='replace')}".encode(),
        }
        if events.chunk:
            headers[b"idempotency-key"] = events.chunk.encode("latin-1", "replace")
        while events.lines:
            try:
                await self._receiver.take(PROTOCOL, "fluent_forward", headers, events.lines)
            except Refused as error:
                if events.chunk or self._stopping.is_set():
                    raise
                log.warning("fluent_waits", code=error.code)
                await asyncio.sleep(_RETRY_S)
            else:
                break
        if events.chunk:
            writer.write(msgpack.packb({"ack": events.chunk}))
            await writer.drain()


def _whole(messages: msgpack.Unpacker, data: bytes, ended: int, limit: int) -> tuple[list[object], int]:
    """Feed *data*; return the messages that are whole now, and where the last one ended."""
    found: list[object] = []
    try:
        messages.feed(data)
        for message in messages:
            found.append(message)
            ended = messages.tell()
    except msgpack.BufferFull as error:
        raise TooLarge("body_too_large", f"a message has more than body_bytes = {limit}") from error
    except (ValueError, msgpack.UnpackException) as error:
        raise Malformed("bad_forward", f"not MessagePack: {error!r}"[:200]) from error
    if messages.tell() - ended > limit:
        raise TooLarge("body_too_large", f"a message has more than body_bytes = {limit}")
    return found, ended


def _read(found: list[object], limit: int) -> list[Forwarded]:
    """Read messages; those of one tag that come together and ask for no acknowledgement are one batch."""
    events: list[Forwarded] = []
    for message in found:
        last, one = events[-1] if events else None, read(message, limit)
        if last is not None and last.tag == one.tag and not last.chunk and not one.chunk:
            events[-1] = Forwarded(one.tag, last.lines + one.lines)
        else:
            events.append(one)
    return events


def _pong(waiting: Handshake, message: object, writer: asyncio.StreamWriter) -> bytes:
    try:
        return waiting.pong(message)
    except FuseboardError as error:
        writer.write(refusal(error.message))
        raise
