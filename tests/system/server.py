"""A ClickHouse server as a stranger would run it: the engine child on a port of its own, and TLS in front of it."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from collector.store.client import Store
from collector.store.target import Target
from tests.conftest import ROOT, free_port

SECRET = "a stranger's: p@ss/word"
_QUOTED = "a%20stranger%27s%3A%20p%40ss%2Fword"
_CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=clickhouse.test"


def url_of(port: int, scheme: str = "http") -> str:
    """The URL a person would write, with that password."""
    return f"{scheme}://default:{_QUOTED}@127.0.0.1:{port}/default"


class ClickHouse:
    """
    One server, on the same port and database each time it is started.

    Args:
        folder: Its database.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.store = Store(lambda: Target(url_of(self.port), shared_disk=False))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ClickHouse:
        """Start it; returns when it listens."""
        command = [
            sys.executable,
            "-m",
            "collector.engine.server",
            "--path",
            str(self._folder),
            "--port",
            str(self.port),
        ]
        self._process = subprocess.Popen(
            [*command, "--watch-stdin"],
            cwd=ROOT,
            env=os.environ | {"FUSEBOARD_ENGINE_SECRET": SECRET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == b"%d" % self.port
        return self

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def one(self, sql: str) -> Any:
        """The only value of the only row."""
        (row,) = self.store.query(sql).rows
        (value,) = row.values()
        return value


class Terminator:
    """
    TLS on a port of its own in front of *port*, with a certificate for 127.0.0.1 made now.

    Attributes:
        certificate: PEM file; whoever trusts it trusts the server.
        accepted: Connections so far.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run([*_CERTIFICATE.split(), *names], check=True, capture_output=True)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(self.certificate, key)
        self._target = port
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._converse, args=(plain,), daemon=True).start()

    def _converse(self, plain: socket.socket) -> None:
        try:
            with (
                self._context.wrap_socket(plain, server_side=True) as client,
                socket.create_connection(("127.0.0.1", self._target)) as server,
            ):
                answers = threading.Thread(target=_pipe, args=(server, client), daemon=True)
                answers.start()
                _pipe(client, server)
                answers.join()
        except OSError:
            return  # a refused handshake is what one test is about


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
