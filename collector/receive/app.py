"""
The ingest application: plain ASGI, because nothing here needs more.

For each request, in this order, so that the cheap refusals come first: path and method, key, room in the journal,
declared length, content type, headers; then the body is read, undone and judged off the event loop, journalled, answered.

A 2xx leaves only after the fsync. Every error is the common error body or the protocol's own; its ``code`` is also
the label of ``fuseboard_receive_errors_total``.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import crc32c
import msgspec
import structlog

from collector.errors import (
    KINDS,
    FuseboardError,
    Malformed,
    MethodNotAllowed,
    Refused,
    TooLarge,
    Unsupported,
)
from collector.journal import envelope
from collector.journal.batch import Accepted, Batch
from collector.journal.sidecar import BatchInfo
from collector.journal.writer import Journal
from collector.metrics import ReceiveMetrics
from collector.receive import headers as header_syntax
from collector.receive.authenticate import Key, Keys, check_scope
from collector.receive.decompress import Decoded, Limits, compress, decode
from collector.receive.protocol import Judged, Protocol, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger()

# Below this a thread costs more than the work it takes off the event loop.
_INLINE_BYTES = 16 << 10
# A declared identity outlives the longest outage an agent is built for; an implicit one is a client's quick retry.
_EXPLICIT_TTL_NS = 7 * 86_400 * 1_000_000_000
_IMPLICIT_TTL_NS = 300 * 1_000_000_000
_KEY_LENGTH = 256
# Looked through for transitions, which alerts wait for: some microseconds at most.
_WAITING_BYTES = 64 << 10
_BREAKER = b"circuit_breaker"
# A client declares a handful; a thousand are an attack or a bug.
_MOST_PARAMETERS = 64
# Services that an answer names, and how much of each: it is kept with the batch's identity.
_MOST_NAMED = 5
_NAMED_LENGTH = 80
# Beside a protocol's own answer, never shown in it.
_SEQUENCE = "source_sequence"


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
        head = _head(headers, key, self._now_ns(), _declared(protocol, scope))
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
            head = _head(headers, key, self._now_ns(), {})
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
            prepared = self._prepare(protocol, path, headers, head, raw, encoding)
        else:
            prepared = await asyncio.to_thread(self._prepare, protocol, path, headers, head, raw, encoding)
        if not isinstance(prepared, Batch):
            return protocol.respond(prepared, False)  # noqa: FBT003 - nothing was stored: nothing to repeat
        accepted = await asyncio.wrap_future(self._journal.submit(prepared))
        if not accepted.duplicate:
            left_out = int(prepared.info.answer.get("rejected", 0))
            self._metrics.accepted(protocol.name, prepared.info.bytes, prepared.info.records, left_out)
        else:
            self._metrics.deduplicated(protocol.name)
        return _response(protocol, accepted)

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

    def _prepare(
        self,
        protocol: Protocol,
        path: str,
        headers: Mapping[bytes, bytes],
        head: envelope.Head,
        raw: bytes,
        encoding: str,
    ) -> Batch | Mapping[str, Any]:
        """Return what is to be journalled; the answer alone when there is nothing."""
        decoded = decode(raw, encoding, self._limits)
        try:
            judged = protocol.judge(decoded.body, {**headers, b":path": path.encode()})
        except RecursionError as error:
            raise Malformed(
                "too_deep", "the body nests deeper than it can be read; nothing was stored"
            ) from error
        if judged.records == 0:
            return {**protocol.answer(head.batch_id, 0, 0), **judged.told}
        identity, body_hash, expires_ns = _identity(path, headers, head, decoded, judged)
        kept, body_frame = decoded.body, decoded.frame
        if judged.kept is not None:
            kept, body_frame = judged.kept, compress(judged.kept)
        frame = compress(envelope.encode(head, len(kept)))
        info = BatchInfo(
            batch_id=head.batch_id,
            received_at_ns=head.received_at_ns,
            format=protocol.name,
            signal=protocol.signal,
            bytes=len(kept),
            records=judged.records,
            resource=head.resource,
            source=head.source,
            key_id=head.key_id,
            identity=identity,
            body_hash=body_hash,
            expires_ns=expires_ns,
            answer={
                **protocol.answer(head.batch_id, len(decoded.body), judged.records),
                **judged.told,
                **_overridden(head, judged, kept),
                **_sequence(head),
            },
            lacks=judged.lacks,
        )
        return Batch(protocol.group, frame + body_frame, info, _waits(protocol, kept))

    def _refusal(self, protocol: Protocol, error: FuseboardError) -> Response:
        self._metrics.refused(protocol.name, error.code)
        own = protocol.refuse(error) if protocol.refuse and error.status not in {405, 415} else None
        return own or error_response(error)


def _waits(protocol: Protocol, body: bytes) -> bool:
    """Say whether nothing acts upon what *body* says; a large one waits for nobody, so it is not looked through."""
    return protocol.waits and len(body) < _WAITING_BYTES and _BREAKER not in body


def _overridden(head: envelope.Head, judged: Judged, body: bytes) -> dict[str, Any]:
    """Return (as whom it is written, which claims that overrides) where the body claims to be of a service that its key may not write as."""
    if not head.services or judged.claims is None:
        return {}
    others = sorted({name for name in judged.claims(body) if name} - set(head.services))
    named = [name[:_NAMED_LENGTH] for name in others[:_MOST_NAMED]]
    return {"overridden": (head.services[0], named)} if others else {}


def _sequence(head: envelope.Head) -> dict[str, str]:
    """Return which of an agent's frames this is, to be kept with its identity."""
    number = head.source.get("sequence", "")
    return {_SEQUENCE: number} if number.isascii() and number.isdigit() else {}


def _response(protocol: Protocol, accepted: Accepted) -> Response:
    """Return the answer; a repeat's names the frame that came first: a second frame of one request is not stored under its own number."""
    given = {name: value for name, value in accepted.answer.items() if name != _SEQUENCE}
    response = protocol.respond(given, accepted.duplicate)
    if not accepted.duplicate or _SEQUENCE not in accepted.answer:
        return response
    return replace(response, headers={**response.headers, "fuseboard-sequence": accepted.answer[_SEQUENCE]})


def error_response(error: FuseboardError) -> Response:
    """Return the common error body of the contract."""
    request_id = secrets.token_hex(8)
    body = {
        "type": KINDS[error.status],
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "request_id": request_id,
    }
    headers = {"x-request-id": request_id}
    if isinstance(error, Refused):
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status == 405:
        headers["allow"] = "POST"
    return Response(error.status, msgspec.json.encode({"error": body}), headers=headers)


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


def _declared(protocol: Protocol, scope: Scope) -> Mapping[str, str]:
    if protocol.declare is None:
        return {}
    text = scope.get("query_string", b"").decode("latin-1")
    try:
        query = dict(parse_qsl(text, max_num_fields=_MOST_PARAMETERS))
    except ValueError as error:
        raise Malformed("bad_query", f"the query {text[:80]!r} cannot be read: {error}") from error
    return protocol.declare(scope["path"], query)


def _head(
    headers: Mapping[bytes, bytes], key: Key, now_ns: int, declared: Mapping[str, str]
) -> envelope.Head:
    own = header_syntax.pairs(_text(headers, "Fuseboard-Resource"), "Fuseboard-Resource")
    resource = {**declared, **own}
    check_scope(key, resource)
    scraped_at = _text(headers, "Fuseboard-Scraped-At")
    return envelope.Head(
        batch_id=f"{now_ns // 1_000_000:011x}{secrets.token_hex(6)}",
        received_at_ns=now_ns,
        resource=resource,
        source=header_syntax.pairs(_text(headers, "Fuseboard-Source"), "Fuseboard-Source"),
        key_id=key.name,
        services=key.services,
        envs=key.envs,
        format=_text(headers, "Fuseboard-Format").lower(),
        at_ns=header_syntax.time_ns(scraped_at, "Fuseboard-Scraped-At") if scraped_at else 0,
    )


def _identity(
    path: str, headers: Mapping[bytes, bytes], head: envelope.Head, decoded: Decoded, judged: Judged
) -> tuple[str, str, int]:
    """Return what a repeat is recognised by, the hash that tells it from a mistake, and when it is forgotten."""
    declared = _text(headers, "Idempotency-Key")
    if len(declared) > _KEY_LENGTH:
        raise Malformed(
            "bad_header", f"Idempotency-Key: longer than {_KEY_LENGTH} characters", "Idempotency-Key"
        )
    if declared:
        body_hash = f"{crc32c.crc32c(decoded.body):08x}{len(decoded.body):x}"
        return f"{head.key_id}\n{path}\n{declared}", body_hash, head.received_at_ns + _EXPLICIT_TTL_NS
    if judged.timed:
        digest = hashlib.sha256(decoded.body).hexdigest()
        return f"{head.key_id}\n{path}\n#{digest}", digest[:16], head.received_at_ns + _IMPLICIT_TTL_NS
    return "", "", 0


def _text(headers: Mapping[bytes, bytes], name: str) -> str:
    return headers.get(name.lower().encode(), b"").decode("latin-1").strip()


async def send_response(send: Send, response: Response) -> None:
    """Send *response* over ASGI; a 204 has no body to say anything of."""
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    if response.status != 204:
        headers.append((b"content-type", response.content_type.encode()))
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
