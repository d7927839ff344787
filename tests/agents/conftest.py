"""A real HTTP collector that records, and a real agent process."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Request:
    """One request that was taken."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Collector:
    """
    Records what it has taken, once per Idempotency-Key.

    ``script`` is asked for each request (path, number of it, from 0) and may answer a status with headers, "cut": take it and
    cut the connection before the answer, or "502": take it, and something in between answers 502. ``closed`` counts the connections
    over which lines came that are closed.
    """

    taken: dict[str, Request] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    script: Callable[[str, int], Any] = lambda _path, _number: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    idle_s: float = 60.0
    closed: int = 0
    server: Any = None

    def lines(self) -> list[bytes]:
        """Every line of /v1/lines, in no promised order."""
        return [line for request in self.of("/v1/lines") for line in request.body.splitlines()]

    def of(self, path: str) -> list[Request]:
        """The requests of one path, once per key."""
        with self.lock:
            return [request for request in self.taken.values() if request.path == path]

    def numbered(self, path: str) -> list[Request]:
        """The requests of one path by the numbers of their blocks: with two senders a later one may arrive first."""
        return sorted(self.of(path), key=number_of)

    def receive(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bool] | str:
        """Decide and record."""
        key = headers.get("idempotency-key", "")
        with self.lock:
            number = len(self.attempts)
            self.attempts.append((path, key))
            self.authorizations.add(headers.get("authorization"))
        verdict = self.script(path, number)
        if isinstance(verdict, tuple):
            return (*verdict, False)
        plain = zstd.decompress(body) if headers.get("content-encoding") == "zstd" else body
        with self.lock:
            duplicate = key in self.taken
            if path == "/v1/reports":
                self.reports.append(json.loads(plain))
            elif duplicate and self.taken[key].body != plain:
                self.conflicts.append(key)
            else:
                self.taken.setdefault(key, Request(path, headers, plain))
        if verdict == "502":
            return 502, {}, duplicate
        return "cut" if verdict == "cut" else (200, {}, duplicate)


def number_of(request: Request) -> int:
    """Where a block begins in its source: what its source has numbered it with, or the file's offset."""
    found = re.search(r"(?:^|,)offset=(\d+)", request.headers["fuseboard-source"])
    assert found is not None
    return int(found[1])


def serve(collector: Collector) -> ThreadingHTTPServer:
    """Start an HTTP server around *collector*."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            self.timeout = collector.idle_s
            super().setup()

        def finish(self) -> None:
            super().finish()
            if getattr(self, "path", "") == "/v1/lines":
                collector.closed += 1

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            outcome = collector.receive(self.path, headers, body)
            if isinstance(outcome, str):
                self.close_connection = True
                return
            status, extra, duplicate = outcome
            answer = json.dumps({"accepted": len(body), "duplicate": duplicate}).encode()
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A killed agent is expected here."""

    server = Server(("127.0.0.1", 0), Handler)
    collector.server = server
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A running collector."""
    recorded = Collector()
    server = serve(recorded)
    yield recorded
    server.shutdown()
    server.server_close()


@pytest.fixture
def second_collector() -> Iterator[Collector]:
    """Another running collector."""
    recorded = Collector()
    server = serve(recorded)
    yield recorded
    server.shutdown()
    server.server_close()


class AgentProcess:
    """``python -m agents`` with one data directory, startable again after a kill."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.log = home / "agent.err"
        self.process: subprocess.Popen[bytes] | None = None
        self.config = ""

    def start(self, config: str | None = None, *arguments: str) -> "AgentProcess":
        """Start with this TOML (``data_dir`` is added), or with the one before."""
        if config is not None:
            self.config = config
        path = self.home / "agent.toml"
        path.write_text(f'data_dir = "{self.data}"\nreport_interval_s = 0.2\n{self.config}')
        command = [sys.executable, "-m", "agents", *arguments[:1], "--config", str(path), *arguments[1:]]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stderr=log, stdout=subprocess.PIPE, env=clean_environment()
            )
        return self

    def running(self) -> subprocess.Popen[bytes]:
        """Give the process."""
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.running().kill()
        self.running().communicate(timeout=60)

    def terminate(self) -> int:
        """SIGTERM; the answer is the exit code."""
        self.running().send_signal(signal.SIGTERM)
        self.running().communicate(timeout=60)
        return self.running().returncode

    def happened(self, event: str) -> list[dict[str, Any]]:
        """The agent's own log lines of one event."""
        lines = self.log.read_text().splitlines(keepends=True)
        ended = [line for line in lines if line.endswith("\n")]  # the last one may be half written
        return [record for line in ended if (record := json.loads(line))["event"] == event]

    def relay(self) -> str:
        """The relay's address, once it is there."""
        wait_until(lambda: bool(self.happened("relay_ready")), "the relay to be ready")
        return str(self.happened("relay_ready")[-1]["address"])


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without settings of an agent or of OpenTelemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FUSEBOARD_", "OTEL_"))}
    return kept | more


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    """An agent that is killed at the end, if it still runs."""
    process = AgentProcess(tmp_path)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.kill()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """``wait_until`` for tests."""
    return wait_until


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Poll *condition* until it holds or fail saying *what* did not happen."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s} s for {what}")
        time.sleep(0.02)


def toml(collector: str, log: Path, more: str = "") -> str:
    """Settings of an agent that follows *log* from its beginning."""
    return (
        f'collector = "{collector}"\n[resource]\n"service.name" = "checkout"\n"deployment.environment.name" = "test"\n'
        f'[[files]]\npaths = ["{log}"]\nstart_at = "beginning"\n{more}'
    )


@pytest.fixture
def follow_toml() -> Callable[..., str]:
    """``toml`` for tests."""
    return toml
