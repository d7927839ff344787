"""A running shop for the tests, and how they wait for things: by condition, with a deadline."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]


def _eventually(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """Return the first truthy answer of *condition*; fail naming *what* after *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s} s: {what}")


@dataclass(frozen=True)
class RunningShop:
    """An ``up`` process and where to find what it runs."""

    process: subprocess.Popen[str]
    data_dir: Path
    gateway: str

    def state(self) -> dict[str, Any]:
        """Return the state file."""
        return json.loads((self.data_dir / "shop.json").read_text())

    def service(self, name: str) -> dict[str, Any]:
        """Return what the state file says of a service."""
        return self.state()["services"][name]

    def pids(self) -> list[int]:
        """Return every process that ``up`` started."""
        state = self.state()
        about = [*state["services"].values(), state["load"]]
        return [each[name] for each in about for name in ("pid", "agent_pid") if name in each]

    def stop(self) -> int:
        """Ask ``up`` to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=120)
        return self.process.returncode

    def lines(self, service: str) -> list[dict[str, Any]]:
        """Return the whole lines of a service's log."""
        text = Path(self.service(service)["log"]).read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def transitions(self, service: str, breaker: str) -> list[str]:
        """Return the states that breaker went to, in order, without the one it began in."""
        return [
            line["to"]
            for line in self.lines(service)
            if line["event"] == "circuit_breaker.transition"
            and line["breaker"] == breaker
            and line["from"] != line["to"]
        ]

    def switch(self, service: str, fault: str, to: str, *more: str) -> None:
        """Switch a fault *on* or *off* as a person would, on the command line."""
        subprocess.run(
            [
                sys.executable,
                "-m",
                "demo",
                "fault",
                service,
                fault,
                f"--{to}",
                "--data-dir",
                self.data_dir,
                *more,
            ],
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )

    def order(self, user: str) -> httpx.Response:
        """Put one product into *user*'s cart and order it."""
        with httpx.Client(base_url=self.gateway, timeout=60) as customer:
            item = {"product": "p-01", "quantity": 1}
            customer.post(f"/v2/cart/{user}/items", json=item).raise_for_status()
            return customer.post("/v2/orders", json={"user": user, "card": "card-0001"})


def _start_shop(data_dir: Path, *options: str) -> RunningShop:
    """Run ``up`` and wait for its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "up", "--data-dir", str(data_dir), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("shop ready: "):
        process.kill()
        pytest.fail(f"the shop did not start: {line}{process.communicate()[0]}")
    return RunningShop(process, data_dir, line.removeprefix("shop ready: ").strip())


def _is_alive(pid: int) -> bool:
    """Return whether *pid* runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop without sidecars, under twice the default load."""
    running = _start_shop(tmp_path_factory.mktemp("shop"), "--no-sidecars", "--rate", "20", "--seed", "7")
    yield running
    running.stop()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Give tests the way to wait."""
    return _eventually


@pytest.fixture
def start_shop() -> Iterator[Callable[..., RunningShop]]:
    """Give tests a way to start shops of their own; what they left running is killed."""
    started: list[RunningShop] = []

    def start(data_dir: Path, *options: str) -> RunningShop:
        started.append(_start_shop(data_dir, *options))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.communicate()


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Give tests the way to ask for a pid."""
    return _is_alive


@pytest.fixture
def run_demo() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give tests the command line, run to its end."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "demo", *arguments],
            cwd=ROOT,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on; below 65,000 so that a block fits above it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def free_ports() -> list[int]:
    """Two ports that nobody listens on."""
    return [free_port(), free_port()]
