"""The supervisor: what it says of the engine, and that a dead one comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.engine.process import Engine
from collector.errors import StoreUnavailable
from collector.store.client import Store
from tests.collector.real_engine import engine_at, wait_up

_PARENT = """
import sys, time
from pathlib import Path
from collector.engine.process import Engine

engine = Engine(Path(sys.argv[1]))
engine.start()
while engine.state.state != "up":
    time.sleep(0.02)
print(engine.state.pid, flush=True)
time.sleep(600)
"""


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_killed_engine_comes_back_with_its_data(tmp_path: Path, poll) -> None:
    """SIGKILL: down with the reason, then up again on the same database, counted, at another process id."""
    with engine_at(tmp_path / "db") as engine:
        store = Store(engine.target)
        store.command(
            "CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id SETTINGS fsync_after_insert = 1"
        )
        store.insert("t", [{"id": 7}], "token")
        first = engine.state
        os.kill(first.pid, signal.SIGKILL)
        poll(lambda: engine.state.restarts == 1)
        wait_up(engine, restarts=1)

        second = engine.state
        rows = store.query("SELECT id FROM t LIMIT 10").rows

    assert rows == [{"id": 7}]
    assert second.pid != first.pid
    assert second.last_error == f"the engine process {first.pid} ended with signal 9"


def test_a_database_that_cannot_be_opened_is_tried_again_with_back_off(tmp_path: Path, poll) -> None:
    """Never up, never gone: each attempt is counted, the pause doubles, and asking says so."""
    (tmp_path / "db").write_text("a file where the directory should be")
    engine = Engine(tmp_path / "db")
    began = time.monotonic()
    engine.start()
    poll(lambda: engine.state.restarts >= 3, within_s=60)
    took_s = time.monotonic() - began

    with pytest.raises(StoreUnavailable, match=r"engine is (down|starting)"):
        engine.target()
    engine.stop()
    assert took_s > 0.2 + 0.4
    assert "could not be started" in str(engine.state.last_error)


def test_a_failing_schema_keeps_the_engine_down(tmp_path: Path, poll) -> None:
    """What must happen before anybody asks (the migrations) failed: nobody is served, and the reason is shown."""
    engine = Engine(tmp_path / "db")

    def fail(_: object) -> None:
        raise ValueError("schema file 001 was changed")

    engine.on_up = fail
    engine.start()
    poll(lambda: engine.state.restarts >= 1, within_s=60)
    reason = str(engine.state.last_error)
    with pytest.raises(StoreUnavailable):
        engine.target()
    engine.stop()

    assert "schema file 001 was changed" in reason


def test_stopping_ends_the_child(tmp_path: Path) -> None:
    """No process is left, and none is started again."""
    with engine_at(tmp_path / "db") as engine:
        pid = engine.state.pid

    assert not _alive(pid)
    assert engine.state.restarts == 0


def test_the_engine_dies_with_its_collector(tmp_path: Path, poll) -> None:
    """SIGKILL of the parent, which can clean up nothing: the child ends by itself and lets go of the database."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "db")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    child = int(parent.stdout.readline())
    assert _alive(child)

    parent.kill()
    parent.communicate()

    poll(lambda: not _alive(child), within_s=60)
    with engine_at(tmp_path / "db") as engine:
        Store(engine.target).ping()


@pytest.mark.parametrize("moment_s", [0.1, 1.0])
def test_an_engine_whose_collector_dies_while_it_opens_ends(tmp_path: Path, moment_s: float) -> None:
    """Input closed and nobody to print the port to, before the database is open: it ends by itself instead of waiting in chDB."""
    command = [
        sys.executable,
        "-m",
        "collector.engine.server",
        "--path",
        str(tmp_path / "db"),
        "--watch-stdin",
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as child:
        time.sleep(moment_s)  # the moment is what is tested
        child.stdin.close()
        child.stdout.close()
        try:
            child.wait(60)
        finally:
            child.kill()
