"""Half an hour of everything at once: the agent's memory is as it was after the first minutes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Served
from tests.system.faults.caller import Caller, Target
from tests.system.faults.judge import Stored
from tests.system.faults.pace import MEMORY_S
from tests.system.faults.producer import Producer
from tests.system.faults.victims import Agent, rss_bytes

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(MEMORY_S + 600)]

SAMPLES = 120
GROWTH_BYTES = 3 << 20
"""Allowed between the second quarter and the last: less than a leak of one object per line, more than a heap's breathing."""


def test_memory_is_flat(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    drain: Callable[..., None],
    shut: Callable[..., None],
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    """Files that rotate, calls and scrapes for half an hour: resident memory does not grow, and everything is stored once."""
    served = serve()
    target = Target()
    path = tmp_path / "app.log"
    agent = make_agent(
        [served.url],
        [f"{path}*"],
        tables=f'[[scrape]]\nurl = "{target.url}"\ninterval_s = 0.5\n[redact]\npresets = ["tokens"]\n',
    )
    producer = Producer(path, per_s=1000.0, rotation="rename", every=10_000, keep=3)
    caller = Caller(agent.relay, per_s=20)
    agent.start(wait=True)
    assert agent.process is not None
    producer.start()
    caller.start()
    sampled = []
    for _ in range(SAMPLES):
        time.sleep(MEMORY_S / SAMPLES)
        sampled.append(rss_bytes(agent.process.pid))
    written, called = producer.stop(), caller.stop()
    drain(agent)
    target.close()
    shut(served)
    stored = Stored([served])
    lines, _ = stored.lines([written])
    stored.calls(called, target.served)
    early = statistics.median(sampled[SAMPLES // 4 : SAMPLES // 2])
    late = statistics.median(sampled[-SAMPLES // 4 :])
    record_property(
        "figures",
        {"lines": lines, "early_mb": early / 2**20, "late_mb": late / 2**20, "most_mb": max(sampled) / 2**20},
    )

    assert late - early < GROWTH_BYTES
