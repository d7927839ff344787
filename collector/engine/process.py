"""
The engine child and its supervisor.

``Engine.start`` opens nothing by itself: a thread starts ``engine/server.py``, waits for its port, and when the child
dies, for whatever reason, starts it again after a back-off of 0.2 s doubling up to 10 s (reset once it has lived for a minute).
The child ends with our standard-input pipe, so a killed collector leaves no engine behind that holds the database.

Settings given to every session (design.md §5): no asynchronous inserts, fsync on insert; the part limits are those of the schema.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.errors import StoreUnavailable
from collector.store.target import Target

DEFAULT_SETTINGS = {
    "async_insert": "0",
    "allow_experimental_time_series_aggregate_functions": "1",
}
# Of chDB's allocator: pages that were freed go back to the system after a second instead of five, no heap profile. The engine's peak is
# a fifth lower, its rest a third (docs/adr/0032).
_ALLOCATOR = "prof:false,dirty_decay_ms:1000"
_BACKOFF_FIRST_S = 0.2
_BACKOFF_MOST_S = 10.0
_LIVED_LONG_S = 60.0
# Opening a large database after a hard kill replays its parts; longer than this and something else is wrong.
_START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the board shows of the engine: ``starting``, ``up`` or ``down``."""

    state: str
    since: datetime
    restarts: int
    pid: int | None
    last_error: str | None


class Engine:
    """
    The supervised child process that owns the embedded database.

    Args:
        path: Directory of the database.
        on_up: Called with the engine's address from the supervisor's thread after each start, before anybody else gets it (the schema
            is applied here: a segment loaded between two of its files would be missing in the rollups of the second);
            an exception ends the child and counts as a failed start.
    """

    def __init__(self, path: Path, on_up: Callable[[Target], None] | None = None) -> None:
        self._path = path
        self.on_up = on_up
        self._secret = secrets.token_urlsafe(24)
        self._target: Target | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._state = EngineState("starting", datetime.now(UTC), 0, None, None)
        self._thread = threading.Thread(target=self._supervise, name="engine-supervisor", daemon=True)

    def start(self) -> None:
        """Begin supervising; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the child: closing its input is the whole signal, and it fsyncs nothing it has not promised."""
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is not None and child.stdin is not None:
            child.stdin.close()
        self._thread.join(timeout=15)

    def target(self) -> Target:
        """Return where the engine listens now, or raise `StoreUnavailable`."""
        target = self._target
        if target is None:
            state = self._state
            raise StoreUnavailable(
                f"the ClickHouse engine is {state.state} since {state.since.isoformat(timespec='seconds')}"
                + (f": {state.last_error}" if state.last_error else "")
            )
        return target

    @property
    def state(self) -> EngineState:
        """What it is doing, since when, and why it last died."""
        return self._state

    def _supervise(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while not self._stopping.is_set():
            began = time.monotonic()
            error = self._live_once()
            if self._stopping.is_set():
                return
            self._enter("down", error=error, restarts=self._state.restarts + 1)
            if time.monotonic() - began > _LIVED_LONG_S:
                backoff_s = _BACKOFF_FIRST_S
            self._stopping.wait(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MOST_S)

    def _live_once(self) -> str:
        """Start the child, serve until it ends; return the reason it ended."""
        try:
            child = self._spawn()
        except OSError as error:
            return f"the engine process could not be started: {error}"
        try:
            return self._until_end(child)
        finally:
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def _until_end(self, child: subprocess.Popen[bytes]) -> str:
        watchdog = threading.Timer(_START_TIMEOUT_S, child.kill)
        watchdog.start()
        try:
            assert child.stdout is not None
            port = child.stdout.readline().strip()
            if port:
                self._announce(child, int(port))
        except Exception as error:  # noqa: BLE001 - any failure of the first steps is a failed start
            child.kill()
            child.wait()
            return f"the engine started but is not usable: {error}"
        finally:
            watchdog.cancel()
        code = child.wait()
        self._target = None
        return f"the engine process {child.pid} ended with {_exit_words(code)}"

    def _announce(self, child: subprocess.Popen[bytes], port: int) -> None:
        target = Target(f"http://default:{self._secret}@127.0.0.1:{port}/default", shared_disk=True)
        if self.on_up is not None:
            self.on_up(target)
        self._target = target
        self._enter("up", pid=child.pid, error=self._state.last_error)

    def _spawn(self) -> subprocess.Popen[bytes]:
        env = {
            **os.environ,
            "FUSEBOARD_ENGINE_SECRET": self._secret,
            "FUSEBOARD_ENGINE_SETTINGS": json.dumps(DEFAULT_SETTINGS),
            "TZ": "UTC",
            "JE_MALLOC_CONF": os.environ.get("JE_MALLOC_CONF", _ALLOCATOR),
        }
        command = [
            sys.executable,
            "-m",
            "collector.engine.server",
            "--path",
            str(self._path),
            "--watch-stdin",
        ]
        self._enter("starting", error=self._state.last_error)
        root = str(Path(__file__).parents[2])
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH", "")]))
        self._path.mkdir(parents=True, exist_ok=True)
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            cwd=self._path,  # the engine keeps a cache of Protobuf schemas in its working directory
            start_new_session=True,
        )
        with self._lock:
            self._child = child
        if self._stopping.is_set() and child.stdin is not None:
            child.stdin.close()
        return child

    def _enter(
        self, state: str, *, pid: int | None = None, error: str | None = None, restarts: int | None = None
    ) -> None:
        count = self._state.restarts if restarts is None else restarts
        self._state = EngineState(state, datetime.now(UTC), count, pid, error)


def _exit_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
