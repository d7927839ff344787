"""Real processes for the tests that need them, and the one engine inside of a test process; at import nothing here needs the program."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
_READY_S = 150.0  # four times what a start took here with thirty other processes at work on two cores

# A machine that stands still for a second in the middle of an example says nothing about the code; pytest's timeout ends what hangs.
# The examples are the same in every run, so that a change is judged by what it changes; `make soak` looks for others.
settings.register_profile(
    "stalls",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUSEBOARD_TEST_SOAK" not in os.environ,
)
settings.load_profile("stalls")
# A client that a test gives no patience of its own waits as long as a machine may stand still; httpx's own five seconds are no promise of ours.
for _each in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _each, 60.0)


def _ports() -> Iterator[int]:
    """
    This worker's own ports, in an order of chance, over and over.

    Below those that the system gives to whoever binds port 0 or connects: none of these is taken between its choice and its use, and none is given twice
    while a process that is to listen on it starts. Nor is it one of a demo shop, which takes a block of its own from 15,000 on. Not of ``random``, which is
    seeded alike in each worker.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = list(range(10_000 + worker % 4, 15_000, 4))
    SystemRandom().shuffle(mine)
    return itertools.cycle(mine)


_PORTS = _ports()


def free_port() -> int:
    """A loopback port nobody listens on now."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def eventually(check: Callable[[], Any], within_s: float = 60.0, every_s: float = 0.1) -> Any:
    """Ask *check* until it answers something true or *within_s* is over; its last answer, or its last error, is the failure."""
    deadline = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
        except (httpx.HTTPError, OSError, AssertionError, KeyError, IndexError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(every_s)
    pytest.fail(f"not within {within_s} s; last: {last!r}")


class Served:
    """
    One ``fuseboard serve`` process on a port and a data directory of its own.

    Args:
        folder: Data directory, log and settings.
        settings: Text of fuseboard.toml.
    """

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # A connection that was idle for long is not used again: its server may be about to close it.
        self.client = httpx.Client(base_url=self.url, timeout=60.0, limits=httpx.Limits(keepalive_expiry=1.0))
        self._config = folder / "fuseboard.toml"
        # A test that counts lines counts its own, and collectors run beside each other: the canary and gRPC's one port are for those who ask.
        left_out = [f"{name} = 0\n" for name in ("canary_interval_s", "grpc_port") if name not in settings]
        self._config.write_text("".join(left_out) + settings)
        self._log = folder / "collector.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start the process; return when it is ready."""
        command = [
            sys.executable, "-m", "collector", "serve", "--config", str(self._config),
            "--data-dir", str(self.data_dir), "--port", str(self.port),
        ]  # fmt: skip
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=_environment())
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Return when ``/readyz`` answers 200."""

        def ready() -> bool:
            if self._process is not None and self._process.poll() is not None:
                pytest.fail(f"the collector ended with {self._process.returncode}:\n{self.log()[-3000:]}")
            return self.client.get("/readyz").status_code == 200

        eventually(ready, _READY_S)

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=120)

    def engine(self) -> dict[str, Any]:
        """What the pipeline says of the engine."""
        answer: dict[str, Any] = self.client.get("/api/v1/pipeline").json()["data"][0]["engine"]
        return answer

    def kill_engine(self) -> None:
        """SIGKILL the engine's process."""
        os.kill(int(self.engine()["pid"]), signal.SIGKILL)

    def log(self) -> str:
        """What the process wrote."""
        return self._log.read_text()

    def data(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """``data`` of an API answer."""
        answer = self.client.get(f"/api/v1{path}", params=params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def tables(self, sql: str) -> list[dict[str, Any]]:
        """Rows of *sql* from the stopped collector's database, opened by a process of its own."""
        script = "import chdb, sys; sys.stdout.buffer.write(chdb.connect(sys.argv[1]).query(sys.argv[2], 'JSONEachRow').bytes())"
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.data_dir / "engine"), sql],
            capture_output=True,
            check=True,
            timeout=120,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self) -> None:
        """End whatever still runs."""
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FUSEBOARD_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


def _starter(folder: Path) -> Generator[Callable[..., Served]]:
    started: list[Served] = []

    def start(settings: str = "", *, wait: bool = True) -> Served:
        place = folder / f"collector-{len(started)}"
        place.mkdir()
        served = Served(place, settings)
        started.append(served)
        served.start(wait=wait)
        return served

    try:
        yield start
    finally:
        for served in started:
            served.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start collectors: ``serve(settings="…")``; all are ended afterwards."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """The same for a module that shares its collectors."""
    yield from _starter(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def poll() -> Callable[..., Any]:
    """``eventually``, for tests: conditions instead of sleeps."""
    return eventually


class Shop:
    """
    The demo shop shipping into a collector.

    Args:
        served: The collector.
        folder: The shop's data directory.
    """

    def __init__(self, served: Served, folder: Path) -> None:
        self.folder = folder
        self._log = folder.parent / f"{folder.name}.log"
        command = [
            sys.executable, "-m", "demo", "up", "--collector", served.url, "--data-dir", str(folder), "--rate", "6",
        ]  # fmt: skip
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=_environment())
        try:
            eventually(lambda: "shop ready" in self._log.read_text() or self._process.poll() is not None, 90)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        if self._process.poll() is not None:
            pytest.fail(f"the shop ended:\n{self._log.read_text()[-3000:]}")

    def fault(self, service: str, kind: str, switch: str) -> None:
        """Switch a fault ``on`` or ``off`` as a person would."""
        command = [
            sys.executable,
            "-m",
            "demo",
            "fault",
            service,
            kind,
            f"--{switch}",
            "--data-dir",
            str(self.folder),
        ]
        subprocess.run(command, cwd=ROOT, check=True, timeout=60, env=_environment(), capture_output=True)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=120)


class Pager:
    """A webhook receiver that keeps what it gets: (headers, body) of each delivery."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                pager.deliveries.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of_type(self, kind: str) -> list[tuple[dict[str, str], bytes]]:
        """Deliveries whose ``type`` is *kind*."""
        return [item for item in self.deliveries if json.loads(item[1])["type"] == kind]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Scene:
    """A collector with the shop shipping into it, and the pager it calls."""

    collector: Served
    shop: Shop
    pager: Pager
    secret: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The whole system of the README, once for a module's story."""
    folder = tmp_path_factory.mktemp("scene")
    pager = Pager()
    secret = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
    settings = (
        f'rule_files = ["{ROOT}/demo/rules.yaml"]\n'
        f'[[receivers]]\nname = "pager"\nurl = "{pager.url}"\nsecret = "{secret}"\nallow_private = true\n'
    )
    served = Served(folder, settings)
    shop = None
    try:
        served.start()
        shop = Shop(served, folder / "shop")
        yield Scene(served, shop, pager, secret)
    finally:
        if shop is not None:
            shop.stop()
        served.close()
        pager.close()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The schema in this process's one engine: chDB allows no second path in a process, so every test that needs one shares it."""
    from tests.collector.formats.segments import Warehouse

    warehouse = Warehouse(tmp_path_factory.mktemp("warehouse"))
    yield warehouse
    warehouse.close()
