"""The ASGI application: which question, may it be asked, a thread to ask it in, and the answer or the error in Prometheus' shape."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import structlog
from anyio import to_thread

from collector.api.prometheus import alerts, names, questions, status
from collector.api.prometheus.answers import Said
from collector.api.prometheus.form import Form, read_form
from collector.api.prometheus.parts import PrometheusParts
from collector.api.watch import QUESTION, watched
from collector.errors import (
    FuseboardError,
    Gone,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Refused,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    Unsupported,
)
from collector.read.sql import Reader
from collector.receive.asgi import Receive, Scope, Send
from collector.store.question import Question as Asked

log = structlog.get_logger(__name__)

PREFIX = "/prometheus"
# Where our own pages ask the same.
METRICS = "/api/v1/metrics"
_BODY_BYTES = 1 << 20
# The supervisor restarts the engine within seconds.
_ENGINE_RETRY_S = 2
# Smaller answers are not worth the CPU.
_GZIP_BYTES = 1400
_GZIP = zlib.MAX_WBITS | 16

Question = Callable[[PrometheusParts, Reader, Form], Said]

# By path: the question, and whether it may come as a form.
_QUESTIONS: Mapping[str, tuple[Question, bool]] = {
    "query": (questions.instant, True),
    "query_range": (questions.ranged, True),
    "query_exemplars": (questions.exemplars, True),
    "format_query": (questions.formatted, True),
    "series": (names.all_series, True),
    "labels": (names.labels, True),
    "metadata": (names.metadata, False),
    "rules": (alerts.rules, False),
    "alerts": (alerts.alerts, False),
    "status/buildinfo": (status.buildinfo, False),
    "status/runtimeinfo": (status.runtimeinfo, False),
    "status/flags": (status.flags, False),
    "status/config": (status.config, False),
    "status/tsdb": (status.tsdb, False),
}
_VALUES = re.compile(r"label/([^/]*)/values")
_PROBES = frozenset({"-/healthy", "-/ready"})
# Prometheus' words, by what went wrong: (class, errorType); the first that fits.
_TYPES: tuple[tuple[type[FuseboardError], str], ...] = (
    (Gone, "canceled"),
    (Refused, "unavailable"),
    (StoreUnavailable, "unavailable"),
    (NotFound, "not_found"),
)
_BY_STATUS = {401: "unauthorized", 403: "forbidden", 422: "execution"}


class Prometheus:
    """
    The application.

    Args:
        parts: What it asks.
    """

    def __init__(self, parts: PrometheusParts) -> None:
        self._parts = parts

    def serves(self, path: str) -> bool:
        """Say whether *path* is one of ours."""
        return path.startswith((f"{PREFIX}/", f"{METRICS}/")) or path == PREFIX

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what runs for it ends when its client goes away."""
        headers = dict(scope["headers"])
        try:
            name = headers.get(b"x-query-id", b"").decode("latin-1")
            with self._parts.questions.ask(name, self._parts.limits) as asked:
                await watched(self._serve, scope, receive, send, asked, self._parts.questions)
        except Malformed as error:
            await _send(send, error.status, _error(error), {}, gzip=False)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            status_code, body, extra = await self._answer(scope, headers, receive)
        except FuseboardError as error:
            status_code, body, extra = error.status, _error(error), _headers(error)
        except Exception:
            log.exception("prometheus_api_failed", path=scope["path"][:200])
            body = _failure("internal", "the collector failed to answer; see its log")
            status_code, extra = 500, {}
        await _send(send, status_code, body, extra, gzip=b"gzip" in headers.get(b"accept-encoding", b""))

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> tuple[int, bytes, Mapping[str, str]]:
        path = scope["path"]
        below = path.removeprefix(PREFIX).lstrip("/")
        if below in _PROBES:
            return self._probe(below)
        self._parts.authenticate(headers)
        question, posts = _question(path)
        if scope["method"] not in ({"GET", "POST"} if posts else {"GET"}):
            allowed = "GET and POST" if posts else "GET"
            raise MethodNotAllowed("method_not_allowed", f"{path[:200]} takes {allowed}")
        body = await _body(headers, receive) if scope["method"] == "POST" else b""
        form = read_form(scope["query_string"], body)
        asked: Asked = scope[QUESTION]
        # the framework's threads, not the loop's: those are ingest's and the probes', and none of them waits for ClickHouse
        answer = await to_thread.run_sync(question, self._parts, self._reader(asked, form), form)
        return 200, answer.body(), {"x-query-id": asked.name}

    def _reader(self, asked: Asked, form: Form) -> Reader:
        timeout_ms = form.duration_ms("timeout")
        if timeout_ms is not None and 0 < timeout_ms / 1000 < asked.limits.time_s:
            asked.limits = replace(asked.limits, time_s=timeout_ms / 1000)
        return Reader(self._parts.store, question=asked, bulkhead=self._parts.bulkhead)

    def _probe(self, which: str) -> tuple[int, bytes, Mapping[str, str]]:
        plain = {"content-type": "text/plain; charset=utf-8"}
        if which == "-/healthy":
            return 200, b"Fuseboard is Healthy.\n", plain
        if self._parts.ready():
            return 200, b"Fuseboard is Ready.\n", plain
        return 503, b"Service Unavailable\n", plain


def _question(path: str) -> tuple[Question, bool]:
    home = f"{PREFIX}/api/v1/" if path.startswith(PREFIX) else f"{METRICS}/"
    below = path.removeprefix(home).rstrip("/")
    if path.startswith(home) and below in _QUESTIONS:
        return _QUESTIONS[below]
    found = _VALUES.fullmatch(below)
    if path.startswith(home) and found is not None:
        name = found[1]
        return (lambda parts, reader, form: names.values(parts, reader, form, name)), False
    raise NotFound("not_found", f"nothing is served at {path[:200]!r}; Prometheus' API begins at {PREFIX}/api/v1/")  # fmt: skip


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind not in {b"", b"application/x-www-form-urlencoded"}:
        raise Unsupported("unsupported_content_type", f"a form is application/x-www-form-urlencoded, not {kind.decode('latin-1')[:80]!r}", "Content-Type")  # fmt: skip
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Unsupported("unsupported_encoding", "a form comes as it is, not compressed", "Content-Encoding")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("body_cut_off", "the client went away before its body was complete")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _BODY_BYTES:
            raise TooLarge("body_too_large", f"a form here may have {_BODY_BYTES} bytes")
        if not message.get("more_body"):
            return b"".join(parts)


def _error(error: FuseboardError) -> bytes:
    kind = next((name for cls, name in _TYPES if isinstance(error, cls)), None)
    if kind is None:
        kind = _BY_STATUS.get(error.status, "bad_data" if error.status < 500 else "internal")
    return _failure(kind, error.message)


def _failure(kind: str, message: str) -> bytes:
    return msgspec.json.encode({"status": "error", "errorType": kind, "error": message})


def _headers(error: FuseboardError) -> Mapping[str, str]:
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": 'Basic realm="fuseboard"'}
    if isinstance(error, Refused):
        return {"retry-after": str(max(1, round(error.retry_after_s)))}
    if isinstance(error, StoreUnavailable):
        return {"retry-after": str(_ENGINE_RETRY_S)}
    return {}


async def _send(send: Send, status_code: int, body: bytes, extra: Mapping[str, str], *, gzip: bool) -> None:
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **extra,
    }
    if gzip and len(body) > _GZIP_BYTES:
        compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        body = compressor.compress(body) + compressor.flush()
        headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status_code, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
