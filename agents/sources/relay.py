"""
OTLP/HTTP and breaker transitions on loopback, for the service beside us.

200 is answered after the spool's fsync, so the service may forget what it sent, and the collector may be away. Identity:
the client's own ``Idempotency-Key``; else, for OTLP that carries times, a hash of the body (its retry after a lost answer is
then the same block); else every request is a block of its own.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agents.block import Block, Position
from agents.errors import AgentError, BadRequest, NoRoom, SpoolUnavailable, WrongSetting
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.settings_values import RelaySettings
from agents.sources import Origin, counted_generation
from agents.sources.relay_request import (
    JSON,
    PROTOBUF,
    SIGNALS,
    carries_time,
    check_json,
    check_origin,
    check_type,
    decoded,
    too_large,
)

RETRY_AFTER_S = 1
IDLE_S = 120.0  # a kept-alive connection that says nothing gives its thread back


class RelaySource:
    """The listener; ``address`` is known once it is made."""

    def __init__(self, settings: RelaySettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        """
        Bind the address.

        Raises:
            WrongSetting: It is taken.
        """
        assert settings.listen is not None
        self.max_body_bytes = settings.max_body_bytes
        self._origin = origin
        self._intake = intake
        self._lock = threading.Lock()
        self._streams = {path: origin.stream(signal, f"relay:{path}") for path, signal in SIGNALS.items()}
        self._numbers = {path: ledger.sequence_of(stream.source) for path, stream in self._streams.items()}
        self._server = _bound(settings.listen, self)
        self.address = f"http://{settings.listen[0]}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="relay", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log("info", "relay_ready", address=self.address)

    def stop(self) -> None:
        """Take no more connections; what was answered 200 is in the spool."""
        self._server.shutdown()
        self._server.server_close()

    def lag_bytes(self) -> int:
        """Give 0: what was not answered is still the service's."""
        return 0

    def take(self, path: str, content_type: str, body: bytes, client_key: str | None) -> None:
        """
        Make one request's body durable.

        Raises:
            NoRoom: The spool is full.
            SpoolUnavailable: The disk refuses.
        """
        with self._lock:
            number = self._numbers[path]
            self._intake.write(self._block(path, content_type, body, client_key, number))
            self._numbers[path] = number + 1
        self._intake.sync()

    def _block(self, path: str, content_type: str, body: bytes, client_key: str | None, number: int) -> Block:
        stream = self._streams[path]
        position = Position(counted_generation(stream.source), number, number + 1)
        return Block(
            stream=stream,
            path=path,
            key=self._key(path, body, client_key) or self._origin.key(position),
            position=position,
            body=body,
            headers=self._origin.headers("relay", path, position) | {"Content-Type": content_type},
        )

    def _key(self, path: str, body: bytes, client_key: str | None) -> str | None:
        if client_key:
            return f"{self._origin.agent}-client-{hashlib.sha256(client_key.encode()).hexdigest()[:32]}"
        if path != "/v1/breakers" and carries_time(body):
            return f"{self._origin.agent}-body-{hashlib.sha256(body).hexdigest()[:32]}"
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], relay: RelaySource) -> None:
        self.relay = relay
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no happening; ours are caught in the handler."""


def _bound(listen: tuple[str, int], relay: RelaySource) -> _Server:
    try:
        return _Server(listen, relay)
    except OSError as error:
        raise WrongSetting("relay.listen", f"'{listen[0]}:{listen[1]}' cannot be bound: {error}") from error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fuseboard-agent"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: _Server

    def do_POST(self) -> None:
        """Take one request: 200 once it is durable, else the contract's status."""
        try:
            content_type, body = self._read()
            self.server.relay.take(self.path, content_type, body, self.headers.get("Idempotency-Key"))
        except BadRequest as error:
            self._answer_error(error.status, error)
        except NoRoom as error:
            self._answer_error(429, error)
        except SpoolUnavailable as error:
            self._answer_error(503, error)
        else:
            self._answer_accepted(content_type, body)

    def do_GET(self) -> None:
        """Refuse other methods."""
        error = BadRequest(
            405, "method_not_allowed", f"{self.command} {self.path}: only POST is answered here"
        )
        if self.path.partition("?")[0] not in SIGNALS:
            error = _unknown_path(self.path)
        self.close_connection = True
        self._answer_error(error.status, error)

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing per request."""

    def _read(self) -> tuple[str, bytes]:
        relay = self.server.relay
        self.close_connection = (
            True  # until the body is read, what follows on this connection is not a request
        )
        check_origin(self.headers)  # type: ignore[arg-type]
        if self.path not in SIGNALS:
            raise _unknown_path(self.path)
        content_type = check_type(self.path, self.headers.get("Content-Type", ""))
        body = self._body(relay.max_body_bytes)
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        plain = decoded(body, self.headers.get("Content-Encoding", ""), relay.max_body_bytes)
        check_json(self.path, content_type, plain)
        return content_type, plain

    def _body(self, max_bytes: int) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks(max_bytes)
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit():
            raise BadRequest(400, "bad_length", f"Content-Length {length!r} is not a number")
        if int(length) > max_bytes:
            raise too_large(int(length), max_bytes)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise BadRequest(400, "body_cut", f"{len(body)} of {length} bytes came")
        return body

    def _chunks(self, max_bytes: int) -> bytes:
        """Read a chunked body (RFC 9112 §7.1); extensions and trailers are passed over."""
        body = bytearray()
        while size := self._chunk_size():
            if len(body) + size > max_bytes:
                raise too_large(len(body) + size, max_bytes)
            body += self.rfile.read(size)
            self.rfile.readline(8)
        while self.rfile.readline(65537).strip():
            continue
        return bytes(body)

    def _chunk_size(self) -> int:
        line = self.rfile.readline(256)
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            size = -1
        if size < 0:
            raise BadRequest(400, "bad_chunk", f"chunk size {line!r} is not a hexadecimal number")
        return size

    def _answer_accepted(self, content_type: str, body: bytes) -> None:
        """Answer an empty Export…ServiceResponse, in the request's type; for breakers the number taken."""
        if self.path == "/v1/breakers":
            self._answer(200, JSON, json.dumps({"accepted": _count(body)}).encode(), {})
        elif content_type.startswith(PROTOBUF):
            self._answer(200, PROTOBUF, b"", {})
        else:
            self._answer(200, JSON, b"{}", {})

    def _answer_error(self, status: int, error: AgentError) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status in {429, 503} else {}
        headers |= {"Allow": "POST"} if status == 405 else {}
        if self.headers.get("Content-Type", "").startswith(PROTOBUF) and self.path in SIGNALS:
            self._answer(status, PROTOBUF, as_status(error.message), headers)
            return
        kind = "invalid_request" if status < 429 else "unavailable"
        said = {"type": kind, "code": error.code, "message": error.message, "param": None, "request_id": None}
        self._answer(status, JSON, json.dumps({"error": said}).encode(), headers)

    def _answer(self, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def as_status(message: str) -> bytes:
    """Write google.rpc.Status with only its message (field 2): what OTLP/HTTP wants as an error body."""
    text = message.encode()[:16000]
    length = len(text)
    varint = bytearray()
    while length > 127:
        varint.append(length & 127 | 128)
        length >>= 7
    varint.append(length)
    return b"\x12" + bytes(varint) + text


def _count(body: bytes) -> int:
    try:
        found = json.loads(body)
    except ValueError:
        return sum(1 for line in body.splitlines() if line.strip())
    return len(found) if isinstance(found, list) else 1


def _unknown_path(path: str) -> BadRequest:
    return BadRequest(404, "unknown_path", f"{path!r} is not answered here; known: {', '.join(SIGNALS)}")
