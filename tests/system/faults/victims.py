"""What is killed: an agent of our own here, collector and engine through ``tests.conftest.Served``; and who kills."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT, Served, eventually, free_port

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def clean_environment() -> dict[str, str]:
    """Ours without settings that the person who runs the tests has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FUSEBOARD_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Agent:
    """
    A sidecar with a relay and metrics on ports of its own, started again after each kill.

    Args:
        folder: Its data directory, settings and log.
        collectors: URLs.
        files: Glob patterns to follow from the beginning.
        service: ``service.name`` of all it ships.
        top: More TOML for the top level.
        tables: More TOML behind everything.
        command: ``run`` this instead of shipping alone.
    """

    def __init__(
        self,
        folder: Path,
        collectors: Sequence[str],
        files: Sequence[str] = (),
        *,
        service: str = "orders",
        top: str = "",
        tables: str = "",
        command: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.relay = f"http://127.0.0.1:{free_port()}"
        self.metrics_url = f"http://127.0.0.1:{free_port()}/metrics"
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._command = list(command)
        self._log = folder / "agent.log"
        self.output = folder / "child.out"
        self._config = folder / "agent.toml"
        followed = "".join(
            f'[[files]]\npaths = ["{pattern}"]\nexclude = ["*/copies/*"]\nstart_at = "beginning"\n'
            for pattern in files
        )
        self._config.write_text(
            f"collector = {list(collectors)!r}\ndata_dir = {str(self.data_dir)!r}\nreport_interval_s = 1\n"
            f"metrics_listen = {self.metrics_url[7:-8]!r}\n{top}\n"
            f'[resource]\n"service.name" = "{service}"\n"service.version" = "1.4"\n"deployment.environment.name" = "test"\n'
            f"[relay]\nlisten = {self.relay[7:]!r}\n{followed}{tables}\n".replace("'", '"')
        )

    def start(self, *, wait: bool = False) -> None:
        """Start the process; return at once, or when its relay and metrics answer."""
        command = [sys.executable, "-m", "agents"]
        command += (
            ["run", "--config", str(self._config), "--", *self._command]
            if self._command
            else ["--config", str(self._config)]
        )
        with self._log.open("ab") as log, self.output.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment(), stdout=out, stderr=log
            )
        self.starts += 1
        if wait:
            eventually(self.is_up)

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = 60) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def is_up(self) -> bool:
        """Whether its metrics answer."""
        try:
            return bool(self.samples())
        except OSError:
            return False

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text()

    def samples(self) -> list[tuple[str, str, float]]:
        """Its metrics as (name, labels, value).

        Raises:
            OSError: It is not there.
        """
        try:
            with urllib.request.urlopen(self.metrics_url, timeout=20) as answer:
                text = answer.read().decode()
        except http.client.HTTPException as error:  # killed while it answered
            raise ConnectionError(str(error)) from error
        return [(name, labels, float(value)) for name, labels, value in _SAMPLE.findall(text)]

    def total(self, name: str, label: str = "") -> float:
        """The sum of ``fuseboard_agent_<name>`` over the label sets that contain *label*."""
        return sum(
            value
            for found, labels, value in self.samples()
            if found == f"fuseboard_agent_{name}" and label in labels
        )

    def counted(self, path: Path) -> int:
        """Bytes of *path* and its renamed selves that are durable in the spool, over all starts."""
        return int(self.total("read_bytes_total", f'source="file:{path}'))

    def is_drained(self) -> bool:
        """Whether everything read was settled and everything written was read."""
        return self.total("spooled_blocks") == 0 and self.total("lag_bytes") == 0

    def spool_bytes(self) -> int:
        """Bytes of the spool's files."""
        return folder_bytes(self.data_dir / "spool")

    def quarantined(self) -> list[str]:
        """Names in its quarantine."""
        return sorted(path.name for path in (self.data_dir / "quarantine").glob("*"))


def folder_bytes(folder: Path, pattern: str = "**/*") -> int:
    """Bytes of the files that match; one that goes meanwhile counts nothing."""
    total = 0
    for path in folder.glob(pattern):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def rss_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


class Peaks:
    """Samples quantities from a thread and keeps the most of each in ``most``."""

    def __init__(self, every_s: float = 0.1) -> None:
        self.most: dict[str, int] = {}
        self._watched: dict[str, Callable[[], int]] = {}
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def watch(self, name: str, ask: Callable[[], int]) -> None:
        """Sample what *ask* answers."""
        self.most[name] = 0
        self._watched[name] = ask

    def watch_memory(self, name: str, pid: int) -> None:
        """Sample the resident memory of a process."""
        self.watch(name, lambda: rss_bytes(pid))

    def close(self) -> None:
        """Stop sampling."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            for name, ask in list(self._watched.items()):
                self.most[name] = max(self.most[name], ask())


class Killer:
    """
    SIGKILLs one of agent, collector and engine at a time, at random moments, and starts it again.

    Args:
        rng: Decides whom and when.
        served: The collector, whose engine restarts by itself.
        agent: The agent.
    """

    def __init__(self, rng: random.Random, served: Served, agent: Agent) -> None:
        self.kills: Counter[str] = Counter()
        self._rng = rng
        self._served = served
        self._agent = agent

    def strike(self) -> None:
        """Kill once, or find that there is nothing to kill."""
        victim = self._rng.choice(
            ["agent", "agent", "agent", "collector", "collector", "engine", "engine", "both"]
        )
        if victim == "engine" and not self._engine_killed():
            return
        if victim in {"agent", "both"}:
            self._agent.kill()
        if victim in {"collector", "both"}:
            self._served.kill()
            time.sleep(self._rng.uniform(0, 0.5))
            self._served.start(wait=False)
        if victim in {"agent", "both"}:
            time.sleep(self._rng.uniform(0, 0.5))
            self._agent.start()
        self.kills[victim] += 1

    def _engine_killed(self) -> bool:
        """Wait a little for an engine to be there (each of the collector's deaths is its own as well), for the first as long as a slow machine needs."""
        patience_s = self._rng.uniform(0, 4)
        give_up = time.monotonic() + (patience_s if self.kills["engine"] else 60)
        while time.monotonic() < give_up:
            try:
                self._served.kill_engine()
            except (httpx.HTTPError, ProcessLookupError, TypeError, KeyError, IndexError):
                time.sleep(0.1)  # it, or the collector, is just starting
            else:
                return True
        return False

    def total(self) -> int:
        """Processes killed."""
        return sum(self.kills.values()) + self.kills["both"]


def pipeline_is_empty(served: Served) -> bool:
    """Whether the engine is up and everything in the journal is loaded."""
    state: dict[str, Any] = served.data("/pipeline")[0]
    return bool(
        state["engine"]["state"] == "up"
        and state["journal"]["segments_waiting"] == 0
        and state["journal"]["bytes"] == 0
    )
