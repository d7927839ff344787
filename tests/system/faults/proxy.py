"""
A bad network between agent and collector: an HTTP proxy on loopback that does to each request what its plan says.

| fault | what happens |
|---|---|
| ``PASS`` | forwarded, answered |
| ``cut_before`` | read, not forwarded, connection closed |
| ``cut_during`` | half of the body reaches the collector, then both connections are closed |
| ``cut_after`` | forwarded; the collector has committed; its answer is swallowed, connection closed |
| ``twice`` | forwarded twice at the same time, answered once |
| ``late`` | forwarded and answered; forwarded once more after ``seconds``, when the client has long forgotten it |
| ``delay`` | held back for ``seconds``: overtaken by those that come after it |
| ``answer`` | answered with ``status`` by the proxy |
| ``hole`` | accepted, its body never read, never answered, until ``release`` or ``close`` |
| ``slow`` | the body is read at ``per_s`` bytes per second, over all connections together |

``refuse`` closes the port (connection refused) until ``accept``.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from tests.conftest import free_port

CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to one request."""

    kind: str
    seconds: float = 0.0
    status: int = 503
    per_s: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, its body not yet read."""

    method: str
    path: str
    headers: dict[str, str]


PASS = Fault("pass")
Plan = Callable[[Request], Fault]


class Proxy:
    """
    Listens on a port of its own and forwards to *port*.

    Attributes:
        plan: Asked for each request; may be replaced at any time.
        done: How often each fault happened.
    """

    def __init__(self, port: int, plan: Plan = lambda _: PASS) -> None:
        self.plan = plan
        self.done: Counter[str] = Counter()
        self._target = port
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._free_at = 0.0
        self._late: list[threading.Thread] = []
        self._refusing = False
        self.port = free_port()  # not one of the system's: while this one is closed nobody else is given it
        self._listener = self._listen(self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """Close the port and every connection."""
        with self._lock:
            self._refusing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def accept(self) -> None:
        """Open the port again."""
        with self._lock:
            self._refusing = False
        self._listener = self._listen(self.port)

    def release(self) -> None:
        """Close the connections that hang in a hole; later holes are held again."""
        self._released.set()
        self._released = threading.Event()

    def cut(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def close(self) -> None:
        """Stop; late repeats are awaited."""
        for thread in self._late:
            thread.join()
        self.release()
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._serve, args=(listener,), name="proxy", daemon=True).start()
        return listener

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            if self._refusing:  # it was taken just before the port was closed
                _shut(connection)
        try:
            with connection, connection.makefile("rb") as read:
                while (request := _head(read)) is not None:
                    if not self._handle(request, read, connection):
                        return
        except (OSError, ValueError):
            return
        finally:
            with self._lock:
                self._open.discard(connection)

    def _handle(self, request: Request, read: BinaryIO, connection: socket.socket) -> bool:
        """Do what the plan says; False when the connection is to be closed."""
        fault = self.plan(request)
        with self._lock:
            self.done[fault.kind] += 1
        if fault.kind == "hole":
            self._released.wait()
            return False
        body = self._body(request, read, fault.per_s)
        if fault.kind == "cut_before":
            return False
        if fault.kind == "cut_during":
            self._forward_half(request, body)
            return False
        if fault.kind == "answer":
            connection.sendall(f"HTTP/1.1 {fault.status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return True
        if fault.kind == "delay":
            time.sleep(fault.seconds)
        answer = self._twice(request, body) if fault.kind == "twice" else self._forward(request, body)
        if fault.kind == "late":
            self._repeat_later(request, body, fault.seconds)
        if fault.kind == "cut_after" or answer is None:
            return False
        connection.sendall(answer)
        return True

    def _body(self, request: Request, read: BinaryIO, per_s: int) -> bytes:
        left = int(request.headers.get("content-length", "0"))
        if not per_s:
            return read.read(left)
        parts = []
        while left > 0:
            part = read.read(min(CHUNK, left))
            if not part:
                raise ValueError("the client went away")
            parts.append(part)
            left -= len(part)
            time.sleep(self._turn(len(part) / per_s))
        return b"".join(parts)

    def _turn(self, cost_s: float) -> float:
        """Seconds to wait so that all connections together keep to the rate."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + cost_s
            return self._free_at - now

    def _forward(self, request: Request, body: bytes) -> bytes | None:
        """Ask the collector; its answer as bytes, ``None`` when there is none."""
        upstream = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            upstream.request(request.method, request.path, body, request.headers)
            response = upstream.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            upstream.close()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
        head = "".join(f"{name}: {value}\r\n" for name, value in kept)
        return (
            f"HTTP/1.1 {response.status} {response.reason}\r\n{head}Content-Length: {len(text)}\r\n\r\n".encode()
            + text
        )

    def _twice(self, request: Request, body: bytes) -> bytes | None:
        answers: list[bytes | None] = []
        other = threading.Thread(target=lambda: answers.append(self._forward(request, body)))
        other.start()
        answer = self._forward(request, body)
        other.join()
        return answer

    def _repeat_later(self, request: Request, body: bytes, seconds: float) -> None:
        def repeat() -> None:
            time.sleep(seconds)
            self._forward(request, body)

        thread = threading.Thread(target=repeat, daemon=True)
        self._late.append(thread)
        thread.start()

    def _forward_half(self, request: Request, body: bytes) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        try:
            with socket.create_connection(("127.0.0.1", self._target), timeout=10) as upstream:
                upstream.sendall(
                    f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n".encode()
                    + body[: len(body) // 2]
                )
        except OSError:
            return


_HOP = {"content-length", "transfer-encoding", "connection"}


def _head(read: BinaryIO) -> Request | None:
    """Read a request's head; ``None`` at the end of the connection."""
    first = read.readline(65536).decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := read.readline(65536).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(first[0], first[1], headers)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
