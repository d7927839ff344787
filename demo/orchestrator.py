"""
``up``: the whole shop as processes of this machine.

::

    ports -> services (all at once) -> wait until each answers -> sidecars -> load -> "shop ready: …"
    every half second: a dead child is started again after two seconds, and the state file says so
    SIGTERM: load, then services (they flush their spans), then agents (they drain), exit 0
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import state
from demo.children import Child, stop_all
from demo.errors import DemoError
from demo.ports import Ports
from demo.sidecars import SidecarPlan
from demo.topology import SERVICES, ServiceSpec

ENV = "demo"
_START_DEADLINE_S = 60
_SUPERVISE_S = 0.5
_GRACE_S = 6
_AGENT_GRACE_S = 12  # an agent ships what it holds before it goes: 10 s, then it leaves the rest on disk


@dataclass(frozen=True)
class ShopPlan:
    """What ``up`` was asked for; *sidecars* None runs the services alone."""

    data_dir: Path
    ports: Ports
    seed: int
    rate: float
    sidecars: SidecarPlan | None


class Shop:
    """The processes of one shop."""

    def __init__(self, plan: ShopPlan) -> None:
        self._plan = plan
        self._services = {name: self._service(spec) for name, spec in SERVICES.items()}
        self._agents = {name: self._agent(spec) for name, spec in SERVICES.items() if plan.sidecars}
        self._load = self._load_child()
        self._stop = threading.Event()

    @property
    def gateway(self) -> str:
        """Return the gateway's base URL."""
        return self._url("gateway")

    def run(self) -> None:
        """
        Start everything, keep it running, stop it in order on SIGTERM or SIGINT.

        Raises:
            DemoError: A service did not answer in time; everything that ran is stopped.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            self._start()
            while not self._stop.wait(_SUPERVISE_S):
                self._supervise()
        finally:
            self._end()

    def _start(self) -> None:
        """Start in an order in which nobody misses anybody: a sidecar's first scrape, a service's first span."""
        ports = self._plan.ports
        for name, child in self._services.items():
            self._start_service(name, child)
        for name, child in self._services.items():
            self._wait(child, ports.service(name), _answers)
        for child in self._agents.values():
            child.start()
        for name, child in self._agents.items():
            self._wait(child, ports.relay(name), _listens)
        if self._stop.is_set():
            return
        self._load.start()
        self._write_state()
        print(f"shop ready: {self.gateway}", flush=True)  # noqa: T201 - what a caller waits for

    def _start_service(self, name: str, child: Child) -> None:
        child.start()
        self._pid_file(name).write_text(f"{child.pid}\n")

    def _wait(self, child: Child, port: int, is_ready: Callable[[int], bool]) -> None:
        deadline = time.monotonic() + _START_DEADLINE_S
        while not is_ready(port) and not self._stop.is_set():
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise DemoError(
                    f"{child.name} did not start (exit code {child.exit_code()}): {child.last_words()}"
                )
            self._stop.wait(0.1)

    def _supervise(self) -> None:
        changed = False
        for name, child in self._services.items():
            if child.restart_if_dead():
                self._pid_file(name).write_text(f"{child.pid}\n")
                changed = True
        for child in (*self._agents.values(), self._load):
            changed |= child.restart_if_dead()
        if changed:
            self._write_state()

    def _end(self) -> None:
        stop_all([self._load], _GRACE_S)
        stop_all(list(self._services.values()), _GRACE_S)
        stop_all(list(self._agents.values()), _AGENT_GRACE_S)
        state.remove(self._plan.data_dir)

    def _write_state(self) -> None:
        state.write(
            self._plan.data_dir,
            {
                "pid": os.getpid(),
                "gateway": self.gateway,
                "services": {name: self._service_state(name) for name in self._services},
                "load": {
                    "pid": self._load.pid,
                    "restarts": self._load.restarts,
                    "log": str(self._load.output),
                },
            },
        )

    def _service_state(self, name: str) -> dict[str, Any]:
        child, ports = self._services[name], self._plan.ports
        about: dict[str, Any] = {
            "pid": child.pid,
            "restarts": child.restarts,
            "port": ports.service(name),
            "url": self._url(name),
            "control_port": ports.control(name),
            "log": str(self._log(name)),
        }
        if agent := self._agents.get(name):
            about |= {
                "agent_pid": agent.pid,
                "agent_restarts": agent.restarts,
                "relay_port": ports.relay(name),
            }
        return about

    def _service(self, spec: ServiceSpec) -> Child:
        return Child(
            name=spec.name,
            command=[sys.executable, "-m", "demo", "service", spec.name],
            env={**_inherited(), **dict(self._service_env(spec))},
            output=self._plan.data_dir / "logs" / f"{spec.name}.out",
        )

    def _service_env(self, spec: ServiceSpec) -> Iterator[tuple[str, str]]:
        plan = self._plan
        yield "DEMO_PORT", str(plan.ports.service(spec.name))
        yield "DEMO_CONTROL_PORT", str(plan.ports.control(spec.name))
        yield "DEMO_DATA_DIR", str(plan.data_dir)
        yield "DEMO_LOG_FILE", str(self._log(spec.name))
        yield "DEMO_SEED", str(plan.seed)
        yield "DEMO_ENV", ENV
        for call in spec.calls:
            yield f"DEMO_{call.target.upper()}_URL", self._url(call.target)
        if plan.sidecars:
            yield "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{plan.ports.relay(spec.name)}"

    def _agent(self, spec: ServiceSpec) -> Child:
        assert self._plan.sidecars is not None
        return self._plan.sidecars.child(
            spec, self._plan.ports, self._log(spec.name), self._pid_file(spec.name)
        )

    def _load_child(self) -> Child:
        plan = self._plan
        options = ["--gateway", self.gateway, "--seed", str(plan.seed), "--rate", str(plan.rate)]
        return Child(
            name="load",
            command=[sys.executable, "-m", "demo", "load", *options],
            env=_inherited(),
            output=plan.data_dir / "logs" / "load.out",
        )

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._plan.ports.service(name)}"

    def _log(self, name: str) -> Path:
        return self._plan.data_dir / "logs" / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self._plan.data_dir / f"{name}.pid"


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("DEMO_", "OTEL_"))}


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
