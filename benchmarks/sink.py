"""A collector that keeps nothing, in a process of its own: the same for the agent and for its peers."""

from __future__ import annotations

import http.server
import multiprocessing
import time
from multiprocessing.sharedctypes import Synchronized
from typing import Any, Self

from backports import zstd


class Sink:
    """
    Reads every body of ``/v1/lines`` and answers 200; stores and fsyncs nothing.

    Attributes:
        received: Bytes of lines so far; for zstd bodies the content sizes that their frames declare.
        last_at: ``time.monotonic()`` when the last body had come.
        first: Set by the first body.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.received: Synchronized[int] = context.Value("q", 0)
        self.last_at: Synchronized[float] = context.Value("d", 0.0)
        self.first = context.Event()
        port = context.Value("i", 0)
        ready = context.Event()
        arguments = (port, ready, self.first, self.received, self.last_at)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        assert ready.wait(30), "the sink did not start"
        self.port = int(port.value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def wait_for(self, size: int, timeout_s: float) -> None:
        """Return when *size* bytes have come; more or fewer is an error."""
        deadline = time.monotonic() + timeout_s
        while self.received.value < size:
            assert time.monotonic() < deadline, f"{self.received.value} of {size} bytes after {timeout_s} s"
            time.sleep(0.005)
        assert self.received.value == size, f"{self.received.value} bytes came, {size} were written"

    def wait_until_quiet(self, quiet_s: float = 2.0) -> None:
        """Return when nothing has come for *quiet_s*: where processors change how many bytes there will be."""
        while not self.first.is_set() or time.monotonic() - self.last_at.value < quiet_s:
            time.sleep(0.05)


def _serve(port: Any, ready: Any, first: Any, received: Any, last_at: Any) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/lines":
                with received.get_lock():
                    received.value += _line_bytes(body, self.headers.get("Content-Encoding"))
                    last_at.value = time.monotonic()
                first.set()
            answer = b'{"accepted":0,"lines":0,"batch":"","duplicate":false}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_address[1]
    ready.set()
    server.serve_forever()


def _line_bytes(body: bytes, encoding: str | None) -> int:
    """Count what the lines were in their file: senders that join lines leave the last newline out."""
    if encoding == "zstd":
        return int(zstd.get_frame_info(body).decompressed_size or 0)
    return len(body) + (not body.endswith(b"\n"))
