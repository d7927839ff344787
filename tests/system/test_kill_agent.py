"""Kill agent, collector and engine while a service writes; compare the sets of lines, and the rollups with the base table."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
_LINES = 6000
_PER_S = 300


class Agent:
    """A sidecar that follows one file, started again after each kill."""

    def __init__(self, folder: Path, log: Path, collector: str) -> None:
        self._config = folder / "agent.toml"
        self._config.write_text(
            f'collector = "{collector}"\ndata_dir = "{folder / "agent"}"\nreport_interval_s = 1\n'
            f'[resource]\n"service.name" = "orders"\n"deployment.environment.name" = "test"\n'
            f'[[files]]\npaths = ["{log}"]\nstart_at = "beginning"\n'
        )
        self._out = folder / "agent.log"
        self.start()

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "agents", "--config", str(self._config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self._out.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        self.process.kill()
        self.process.wait()


def _write(log: Path, ended: threading.Event) -> None:
    """Write unique lines at a steady pace, as a service would."""
    began = time.monotonic()
    with log.open("a", buffering=1) as out:
        for number in range(_LINES):
            out.write(
                json.dumps({"level": "info", "msg": f"order {number} stored", "unique": f"u-{number}"}) + "\n"
            )
            ahead = number / _PER_S - (time.monotonic() - began)
            if ahead > 0.01:
                time.sleep(ahead)
    ended.set()


def _kill_one(rng: random.Random, served: Any, agent: Agent, poll: Callable[..., Any]) -> str | None:
    victim = rng.choice(["agent", "agent", "collector", "engine"])
    if victim == "agent":
        agent.kill()
        agent.start()
    elif victim == "collector":
        served.kill()
        served.start(wait=False)
        poll(lambda: served.client.get("/healthz").status_code == 200)
    else:
        try:
            served.kill_engine()
        except (httpx.HTTPError, ProcessLookupError, TypeError, KeyError):
            return None  # it is just starting: nothing to kill
    return victim


def test_a_written_line_is_stored_once_whoever_is_killed(
    serve: Callable[..., Any], poll: Callable[..., Any], tmp_path: Path
) -> None:
    """SIGKILL of agent, collector and engine at random moments under load: every line once, rollups equal, the ledger without gaps."""
    served = serve()
    log = tmp_path / "orders.log"
    log.touch()
    agent = Agent(tmp_path, log, served.url)
    ended = threading.Event()
    writer = threading.Thread(target=_write, args=(log, ended))
    writer.start()
    rng = random.Random(5)
    kills: list[str] = []
    try:
        while not ended.wait(rng.uniform(0.3, 1.5)):
            if victim := _kill_one(rng, served, agent, poll):
                kills.append(victim)
        writer.join()
        served.wait_ready()
        poll(lambda: served.engine()["state"] == "up", within_s=60)
        total = poll(lambda: _found(served) if _found(served) >= _LINES else None, within_s=90)
        ledger = poll(lambda: _settled(served, log.stat().st_size), within_s=60)
    finally:
        agent.kill()
    assert served.stop() == 0
    rows = served.tables("SELECT attributes['unique'] AS u, count() AS n FROM logs GROUP BY u")

    assert {"agent", "collector", "engine"} <= set(kills)
    assert total == _LINES
    assert {row["u"] for row in rows} == {f"u-{number}" for number in range(_LINES)}
    assert {int(row["n"]) for row in rows} == {1}
    assert int(served.tables("SELECT sum(records) AS n FROM log_minutes")[0]["n"]) == _LINES
    assert int(served.tables("SELECT sum(rows) AS n FROM batch_rows WHERE target = 'logs'")[0]["n"]) == _LINES
    assert ledger["gaps"] == []
    assert ledger["emitted"] == ledger["stored"]
    assert ledger["stored_bytes"] == log.stat().st_size


def _found(served: Any) -> int:
    return sum(row["total"] for row in served.data("/logs/histogram", query="service:orders", buckets=1))


def _settled(served: Any, written: int) -> dict[str, Any] | None:
    """The ledger's row of the logs, once the agent has reported everything that was written and nothing is in flight."""
    rows = [row for row in served.data("/ledger", service="orders") if row["signal"] == "logs"]
    return rows[0] if rows and rows[0]["emitted_bytes"] == written and rows[0]["in_flight"] == 0 else None
