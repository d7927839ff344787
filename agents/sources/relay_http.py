"""
The relay's HTTP side: connections, deadlines, and how much of them there may be at a time.

A service that goes wrong must not take the agent's memory with it: at most ``MAX_CONNECTIONS`` connections have a thread, the
next one hears 503; bodies that are being read hold bytes of ``BODIES_BYTES`` (or four of the largest), and ``DECODERS`` requests
are decoded at a time; who finds no room within ``PATIENCE_S`` hears 503 with ``Retry-After``. A request has ``REQUEST_S`` from its
first byte to its last, however slowly they come.
"""

import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from agents.deadline import Deadline, TimedReader
from agents.errors import AgentError, BadRequest, Busy, NoRoom, SpoolUnavailable
from agents.sources.relay_request import (
    JSON,
    PROTOBUF,
    SIGNALS,
    as_status,
    check_json,
    check_origin,
    check_type,
    count_transitions,
    decoded,
    too_large,
    unknown_path,
)

RETRY_AFTER_S = 1
IDLE_S = 120.0  # a kept-alive connection that says nothing gives its thread back
REQUEST_S = 30.0  # loopback needs milliseconds; a service that is being stopped and continued may need more
ANSWER_S = 10.0
LINGER_S = 2.0  # a client that is still sending hears a refusal only if we go on reading for a while
MAX_CONNECTIONS = (
    100  # a thread is some 60 KB; a service with more connections than this is in trouble itself
)
BODIES_BYTES = 64 << 20
DECODERS = 4
PATIENCE_S = 5.0
TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class Taker(Protocol):
    """What answers for a request's bytes."""

    max_body_bytes: int

    def take(self, path: str, content_type: str, body: bytes, client_key: str | None) -> bool:
        """Make a body durable; True when it was there already."""


class Gate:
    """Lets a bounded number of bytes in at a time."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """
        Hold *size* while the block runs.

        Raises:
            Busy: There was no room in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._free >= size, PATIENCE_S):
                raise Busy(f"{size} bytes more are too many at a time; send again in a moment")
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class RelayServer(ThreadingHTTPServer):
    """
    Listens at *address*.

    Attributes:
        turned_away: Connections beyond ``MAX_CONNECTIONS``.
        closing: Each connection ends with its present request.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], relay: Taker) -> None:
        """Bind; OSError when the address is taken."""
        self.relay = relay
        self.bodies = Gate(max(BODIES_BYTES, 4 * relay.max_body_bytes))
        self.decoders = Gate(DECODERS)
        self.turned_away = 0
        self.closing = False
        self._slots = threading.Semaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread, or turn it away."""
        if not self._slots.acquire(blocking=False):
            self._turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was made
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def server_close(self) -> None:
        """Listen no more."""
        self.closing = True
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no happening; ours are caught in the handler."""

    def _turn_away(self, request: Any) -> None:
        self.turned_away += 1
        request.settimeout(0)
        with contextlib.suppress(OSError):
            request.recv(1 << 16)  # what has come already; closing on top of it would take our answer back
        with contextlib.suppress(OSError):
            request.send(TURNED_AWAY)
        self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fuseboard-agent"
    sys_version = ""
    disable_nagle_algorithm = True
    server: RelayServer

    def setup(self) -> None:
        """Read under a deadline."""
        super().setup()
        self._deadline = Deadline()
        self.rfile.close()
        self.rfile = self._reader = io.BufferedReader(TimedReader(self.connection, self._deadline.left_s))

    def handle_one_request(self) -> None:
        """Wait for a request's first byte, then for its end."""
        self._deadline.set(IDLE_S)
        try:
            self.close_connection = not self._reader.peek(1)
        except TimeoutError:
            self.close_connection = True
        if not self.close_connection:
            self._deadline.set(REQUEST_S)
            super().handle_one_request()

    def do_POST(self) -> None:
        """Take one request: 200 once it is durable, else the contract's status."""
        try:
            with self._room():
                content_type, body, repeated = self._take()
        except BadRequest as error:
            self._answer_error(error.status, error)
        except NoRoom as error:
            self._answer_error(429, error)
        except (SpoolUnavailable, Busy) as error:
            self._answer_error(503, error)
        else:
            self._answer_accepted(content_type, body, {"Fuseboard-Duplicate": "true"} if repeated else {})

    def do_GET(self) -> None:
        """Refuse other methods."""
        error = BadRequest(
            405, "method_not_allowed", f"{self.command} {self.path}: only POST is answered here"
        )
        if self.path.partition("?")[0] not in SIGNALS:
            error = unknown_path(self.path)
        self.close_connection = True
        self._answer_error(error.status, error)

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing per request."""

    def _room(self) -> contextlib.AbstractContextManager[None]:
        """Hold what the body needs while it is read; a length that nobody told counts as the largest."""
        length = self.headers.get("Content-Length", "")
        most = self.server.relay.max_body_bytes
        return self.server.bodies.hold(min(int(length), most) if length.isdecimal() else most)

    def _take(self) -> tuple[str, bytes, bool]:
        """Read, decode, check and hand over one request; its type, its plain body, whether it was there already."""
        relay = self.server.relay
        self.close_connection = True  # until the body is read, what follows here is not a request
        check_origin(self.headers)  # type: ignore[arg-type]
        if self.path not in SIGNALS:
            raise unknown_path(self.path)
        content_type = check_type(self.path, self.headers.get("Content-Type", ""))
        body = self._body(relay.max_body_bytes)
        wanted = self.headers.get("Connection", "").lower()
        self.close_connection = wanted == "close" or self.server.closing
        with self.server.decoders.hold(1):
            plain = decoded(body, self.headers.get("Content-Encoding", ""), relay.max_body_bytes)
            check_json(self.path, content_type, plain)
            repeated = relay.take(self.path, content_type, plain, self.headers.get("Idempotency-Key"))
        return content_type, plain, repeated

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

    def _answer_accepted(self, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        """Answer an empty Export…ServiceResponse, in the request's type; for breakers the number taken."""
        if self.path == "/v1/breakers":
            self._answer(200, JSON, json.dumps({"accepted": count_transitions(body)}).encode(), headers)
        elif content_type.startswith(PROTOBUF):
            self._answer(200, PROTOBUF, b"", headers)
        else:
            self._answer(200, JSON, b"{}", headers)

    def _answer_error(self, status: int, error: AgentError) -> None:
        self._say_error(status, error)
        if self.close_connection:
            self._linger()

    def _say_error(self, status: int, error: AgentError) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status in {429, 503} else {}
        headers |= {"Allow": "POST"} if status == 405 else {}
        if self.headers.get("Content-Type", "").startswith(PROTOBUF) and self.path in SIGNALS:
            self._answer(status, PROTOBUF, as_status(error.message), headers)
            return
        kind = "invalid_request" if status < 429 else "unavailable"
        said = {"type": kind, "code": error.code, "message": error.message, "param": None, "request_id": None}
        self._answer(status, JSON, json.dumps({"error": said}).encode(), headers)

    def _linger(self) -> None:
        """Read on what a refused client still sends: closing on top of it would take our answer back."""
        self._deadline.set(LINGER_S)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self._reader.read1(1 << 16):
                continue

    def _answer(self, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.connection.settimeout(ANSWER_S)
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
