"""
The ingest application: plain ASGI, because nothing here needs more.

For each request, in this order, so that the cheap refusals come first: path and method, key, room in the journal,
declared length, content type, headers; then the body is read, undone and judged off the event loop, journalled, answered.

A 2xx leaves only after the fsync. Every error is the common error body or the protocol's own; its ``code`` is also
the label of ``fuseboard_receive_errors_total``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from collector.errors import (
    FuseboardError,
    Malformed,
    MethodNotAllowed,
    TooLarge,
    Unsupported,
)
from collector.journal import envelope
from collector.journal.batch import Batch
from collector.journal.writer import Journal
from collector.metrics import ReceiveMetrics
from collector.receive.asgi import Receive, Scope, Send, error_response, send_response
from collector.receive.authenticate import Keys
from collector.receive.decompress import Limits
from collector.receive.prepare import answer, declared, head_of, prepare
from collector.receive.protocol import Protocol, Response

log = structlog.get_logger()

# Below this a thread costs more than the work it takes off the event loop.
_INLINE_BYTES = 16 << 10


class Receiver:
    """
    The ASGI application of all ingest paths.

    Args:
        protocols: The folders under ``formats/``.
        journal: Where accepted bytes go.
        keys: Who may write.
        limits: What a body may be.
        metrics: Counters.
        now_ns: The clock.
    """

    def __init__(
        self,
        protocols: Sequence[Protocol],
        journal: Journal,
        keys: Keys,
        limits: Limits,
        metrics: ReceiveMetrics,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._by_path: dict[str, list[Protocol]] = {}
        for protocol in protocols:
            for path in protocol.paths:
                self._by_path.setdefault(path, []).append(protocol)
        self._by_suffix = {protocol.suffix: [protocol] for protocol in protocols if protocol.suffix}
        self._probes = [protocol.probe for protocol in protocols if protocol.probe]
        self._journal = journal
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._now_ns = now_ns

    def serves(self, scope: Scope) -> bool:
        """Whether a request is for an ingest path, or a question that its clients ask before they send."""
        return bool(self._spoken_at(scope["path"])) or self._probed(scope) is not None

    def _spoken_at(self, path: str) -> Sequence[Protocol]:
        """Return the protocols of a path; more than one are told apart by content type."""
        found = self._by_path.get(path)
        if found is None:
            found = next((spoken for suffix, spoken in self._by_suffix.items() if path.endswith(suffix)), [])
        return found

    def _probed(self, scope: Scope) -> Response | None:
        headers = dict(scope["headers"])
        answers = (probe(scope["method"], scope["path"], headers) for probe in self._probes)
        return next((answer for answer in answers if answer is not None), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        spoken = self._spoken_at(scope["path"])
        probed = None if spoken else self._probed(scope)
        if probed is not None:
            await send_response(send, probed)
            return
        protocol = _spoken(spoken, scope)
        began = time.perf_counter()
        try:
            response = await self._take(protocol, scope, receive)
        except FuseboardError as error:
            response = self._refusal(protocol, error)
        except Exception:
            log.exception("receive_failed", path=scope["path"])
            response = self._refusal(
                protocol, FuseboardError("internal", "the collector failed; nothing was stored")
            )
        self._metrics.answered(protocol.name, response.status, time.perf_counter() - began)
        await send_response(send, response)

    async def _take(self, protocol: Protocol, scope: Scope, receive: Receive) -> Response:
        headers = dict(scope["headers"])
        if scope["method"] not in protocol.methods:
            taken = " and ".join(protocol.methods)
            raise MethodNotAllowed(
                "method_not_allowed", f"{scope['path']} takes {taken}, not {scope['method']}"
            )
        key = self._keys.authenticate(headers, "write")
        self._journal.room()
        _check_type(self._spoken_at(scope["path"]), headers)
        head = head_of(headers, key, self._now_ns(), declared(protocol, scope))
        raw = await self._read(headers, receive)
        encoding = headers.get(b"content-encoding", b"").decode("latin-1") or protocol.encoding
        return await self._accept(protocol, scope["path"], headers, head, raw, encoding)

    async def take(
        self, protocol: Protocol, path: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> Response:
        """
        Take one body that came another way than HTTP, as *path* would take it: the same key, room, limits, identity and journal.

        Args:
            protocol: What the body is.
            path: Part of its identity.
            headers: Lower-case names.
            body: Not encoded.

        Raises:
            FuseboardError: Nothing of it was stored; counted.
        """
        began = time.perf_counter()
        status = 200
        try:
            key = self._keys.authenticate(headers, "write")
            self._journal.room()
            head = head_of(headers, key, self._now_ns(), {})
            return await self._accept(protocol, path, headers, head, body, "identity")
        except FuseboardError as error:
            status = error.status
            self._metrics.refused(protocol.name, error.code)
            raise
        except Exception as error:
            status = 500
            log.exception("receive_failed", path=path)
            self._metrics.refused(protocol.name, "internal")
            raise FuseboardError("internal", "the collector failed; nothing was stored") from error
        finally:
            self._metrics.answered(protocol.name, status, time.perf_counter() - began)

    async def _accept(
        self,
        protocol: Protocol,
        path: str,
        headers: Mapping[bytes, bytes],
        head: envelope.Head,
        raw: bytes,
        encoding: str,
    ) -> Response:
        if len(raw) < _INLINE_BYTES:
            prepared = prepare(protocol, path, headers, head, raw, encoding, self._limits)
        else:
            prepared = await asyncio.to_thread(
                prepare, protocol, path, headers, head, raw, encoding, self._limits
            )
        if not isinstance(prepared, Batch):
            return protocol.respond(prepared, False)  # noqa: FBT003 - nothing was stored: nothing to repeat
        accepted = await asyncio.wrap_future(self._journal.submit(prepared))
        if not accepted.duplicate:
            left_out = int(prepared.info.answer.get("rejected", 0))
            self._metrics.accepted(protocol.name, prepared.info.bytes, prepared.info.records, left_out)
        else:
            self._metrics.deduplicated(protocol.name)
        return answer(protocol, accepted)

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        limit = self._limits.body_bytes
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge(
                "body_too_large", f"the body is {int(declared)} bytes, the limit is body_bytes = {limit}"
            )
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Malformed("body_cut_off", "the client went away before its body was complete")
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge("body_too_large", f"the body is over the limit, body_bytes = {limit}")
            parts.append(part)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refusal(self, protocol: Protocol, error: FuseboardError) -> Response:
        self._metrics.refused(protocol.name, error.code)
        own = protocol.refuse(error) if protocol.refuse and error.status not in {405, 415} else None
        return own or error_response(error)


def _spoken(protocols: Sequence[Protocol], scope: Scope) -> Protocol:
    """Return the one of a path's protocols whose content type was sent; the first one words the refusal of others."""
    given = _content_type(dict(scope["headers"]))
    return next((protocol for protocol in protocols if given in protocol.content_types), protocols[0])


def _check_type(protocols: Sequence[Protocol], headers: Mapping[bytes, bytes]) -> None:
    given = _content_type(headers)
    known = [name for protocol in protocols for name in protocol.content_types]
    if known and given not in known:
        raise Unsupported(
            "unsupported_content_type",
            f"Content-Type {given[:60]!r} is not read at this path; send {' or '.join(known)}",
            "Content-Type",
        )


def _content_type(headers: Mapping[bytes, bytes]) -> str:
    """Return the type in lower case; of its parameters only ``proto`` says what the body is: ``type;proto=Message``."""
    name, *parameters = headers.get(b"content-type", b"").decode("latin-1").split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    proto = next((value.strip(' \t"') for key, _, value in pairs if key.strip().lower() == "proto"), "")
    return name.strip().lower() + (f";proto={proto}" if proto else "")
