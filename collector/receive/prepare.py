"""
From one request to what the journal keeps: the head of its envelope, its identity, its frames, and the answer its client will get.

A body is undone and judged once; its bytes are journalled as they came where the protocol does not make others of them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import crc32c

from collector.errors import Malformed
from collector.journal import envelope
from collector.journal.batch import Accepted, Batch
from collector.journal.sidecar import BatchInfo
from collector.receive import headers as header_syntax
from collector.receive.asgi import Scope
from collector.receive.authenticate import Key, check_scope
from collector.receive.decompress import Decoded, Limits, compress, decode
from collector.receive.protocol import Judged, Protocol, Response

# A declared identity outlives the longest outage an agent is built for; an implicit one is a client's quick retry.
_EXPLICIT_TTL_NS = 7 * 86_400 * 1_000_000_000
_IMPLICIT_TTL_NS = 300 * 1_000_000_000
_KEY_LENGTH = 256
# Looked through for transitions, which alerts wait for, and for samples that transitions are derived from: a few hundred microseconds at most.
_WAITING_BYTES = 64 << 10
_BREAKER = (b"circuit_breaker",)
# What collector/read/breaker_metrics.py reads, as Prometheus and OpenTelemetry spell it. In log lines such words are names of loggers.
_MEASURED = (b"breaker", b"polly", b"outlier_detection", b"circuit{")
# A client declares a handful; a thousand are an attack or a bug.
_MOST_PARAMETERS = 64
# Services that an answer names, and how much of each: it is kept with the batch's identity.
_MOST_NAMED = 5
_NAMED_LENGTH = 80
# Beside a protocol's own answer, never shown in it.
_SEQUENCE = "source_sequence"


def declared(protocol: Protocol, scope: Scope) -> Mapping[str, str]:
    """
    Return what a request's path and query say of its resource, as its protocol reads them.

    Raises:
        Malformed: ``bad_query``.
    """
    if protocol.declare is None:
        return {}
    text = scope.get("query_string", b"").decode("latin-1")
    try:
        query = dict(parse_qsl(text, max_num_fields=_MOST_PARAMETERS))
    except ValueError as error:
        raise Malformed("bad_query", f"the query {text[:80]!r} cannot be read: {error}") from error
    return protocol.declare(scope["path"], query)


def head_of(
    headers: Mapping[bytes, bytes], key: Key, now_ns: int, declared: Mapping[str, str]
) -> envelope.Head:
    """
    Return the head of a body's envelope: its resource and source from the headers, what the key permits, when it came.

    Raises:
        Malformed: ``bad_header``.
        Forbidden: The key may not write as that service or environment.
    """
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


def prepare(
    protocol: Protocol,
    path: str,
    headers: Mapping[bytes, bytes],
    head: envelope.Head,
    raw: bytes,
    encoding: str,
    limits: Limits,
) -> Batch | Mapping[str, Any]:
    """
    Undo, judge and frame one body. Runs off the event loop when the body is large.

    Returns:
        What is to be journalled; the answer alone when there is nothing.

    Raises:
        FuseboardError: The body cannot be undone or read, or a header of it says what cannot be.
    """
    decoded = decode(raw, encoding, limits)
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
    return Batch(protocol.group, frame + body_frame, info, not judged.hurries and _waits(protocol, kept))


def _waits(protocol: Protocol, body: bytes) -> bool:
    """Say whether nothing acts upon what *body* says; a large one waits for nobody, so it is not looked through."""
    telling = _MEASURED if protocol.signal == "metrics" else _BREAKER
    return len(body) < _WAITING_BYTES and not any(word in body for word in telling)


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


def answer(protocol: Protocol, accepted: Accepted) -> Response:
    """Return the answer; a repeat's names the frame that came first: a second frame of one request is not stored under its own number."""
    given = {name: value for name, value in accepted.answer.items() if name != _SEQUENCE}
    response = protocol.respond(given, accepted.duplicate)
    if not accepted.duplicate or _SEQUENCE not in accepted.answer:
        return response
    return replace(response, headers={**response.headers, "fuseboard-sequence": accepted.answer[_SEQUENCE]})
