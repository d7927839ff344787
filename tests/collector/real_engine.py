"""A real engine child for tests: one per module, ended with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.engine.process import Engine

_DEADLINE_S = 60


@contextmanager
def engine_at(path: Path) -> Iterator[Engine]:
    """Run an engine on *path*; it is up when the block begins."""
    engine = Engine(path)
    engine.start()
    wait_up(engine)
    try:
        yield engine
    finally:
        engine.stop()


def wait_up(engine: Engine, restarts: int = 0) -> None:
    """Return when *engine* is up for at least the *restarts*-th time again."""
    deadline = time.monotonic() + _DEADLINE_S
    while engine.state.state != "up" or engine.state.restarts < restarts:
        assert time.monotonic() < deadline, engine.state
        time.sleep(0.02)
