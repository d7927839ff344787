"""Kill agent, collector and engine while everything writes; compare the sets, every rollup, and the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Served, eventually
from tests.system.faults.caller import Caller, Target
from tests.system.faults.judge import Stored, settled_ledger, unexplained
from tests.system.faults.pace import DRAIN_S, KILLS, TIMEOUT_S
from tests.system.faults.producer import Producer
from tests.system.faults.victims import Agent, Killer

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ROTATIONS = 3
ROLLUPS = {
    "log_minutes", "batch_rows", "breaker_transitions", "service_minutes", "edge_minutes",
    "endpoint_usage", "trace_index", "deploys",
}  # fmt: skip


def _kill_for(cycles: int, pause_s: tuple[float, float], seed: int, served: Served, agent: Agent) -> Killer:
    rng = random.Random(seed)
    killer = Killer(rng, served, agent)
    while killer.total() < cycles:
        time.sleep(rng.uniform(*pause_s))
        killer.strike()
    return killer


def _everything_once(
    cycles: int,
    pause_s: tuple[float, float],
    per_s: float,
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    drain: Callable[..., None],
    shut: Callable[..., None],
    folder: Path,
) -> dict[str, Any]:
    """Write, call and scrape under *cycles* kills; judge; the figures."""
    served = serve()
    target = Target()
    renamed, truncated = folder / "renamed.log", folder / "truncated.log"
    agent = make_agent(
        [served.url],
        [f"{renamed}*", str(truncated)],
        tables=f'[[scrape]]\nurl = "{target.url}"\ninterval_s = 0.5\n',
    )
    producers = [
        Producer(renamed, seed=1, per_s=per_s, rotation="rename", every=int(per_s * 4)),
        Producer(
            truncated, seed=2, per_s=per_s, rotation="copytruncate", every=int(per_s * 4), counted=lambda: agent.counted(truncated)
        ),
    ]  # fmt: skip
    caller = Caller(agent.relay)
    agent.start(wait=True)
    for each in (*producers, caller):
        each.start()
    began = time.monotonic()
    killer = _kill_for(cycles, pause_s, 7, served, agent)
    eventually(lambda: min(producer.rotations for producer in producers) >= ROTATIONS, DRAIN_S)
    written = [producer.stop() for producer in producers]
    called = caller.stop()
    drain(agent)
    target.close()
    certain = sum(each.bytes()[0] for each in written)
    ledger = eventually(lambda: settled_ledger(served, "orders", certain), 60)
    shut(served)
    stored = Stored([served])
    lines, doubtful = stored.lines(written)
    stored.calls(called, target.served)
    rollups = stored.rollups()

    assert set(rollups) >= ROLLUPS
    _assert_ledger(ledger, written)
    return {
        "kills": dict(killer.kills),
        "seconds": round(time.monotonic() - began),
        "lines": lines,
        "doubtful": sum(len(each.doubtful) for each in written),
        "doubtful_stored": doubtful,
        "rotations": [producer.rotations for producer in producers],
        "races": producers[1].races,
        "spans": len(called.spans),
        "repeated_calls": caller.repeated,
        "rollups": rollups,
    }


def _assert_ledger(ledger: list[dict[str, Any]], written: list[Any]) -> None:
    certain = sum(each.bytes()[0] for each in written)
    doubtful = sum(each.bytes()[1] for each in written)
    for row in ledger:
        assert (unexplained(row), row["overlaps"]) == ([], []), row
        assert set(row["dropped"]) <= {"repeated"}, row  # asked again because the answer died with the agent
        assert row["emitted"] == row["stored"] + row["dropped"].get("repeated", 0), row
        assert row["emitted_bytes"] == row["stored_bytes"] + row["dropped_bytes"].get("repeated", 0), row
    logs = next(row for row in ledger if row["signal"] == "logs")
    assert certain <= logs["stored_bytes"] <= certain + doubtful


@pytest.mark.timeout(TIMEOUT_S)
def test_whoever_is_killed_everything_is_stored_once(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    drain: Callable[..., None],
    shut: Callable[..., None],
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    """SIGKILL of agent, collector and engine under load and rotation: lines, spans, samples and transitions once, rollups and ledger exact."""
    figures = _everything_once(KILLS, (0.5, 3.0), 300.0, serve, make_agent, drain, shut, tmp_path)
    record_property("figures", figures)

    assert sum(figures["kills"].values()) >= KILLS * 0.8
    assert {"agent", "collector", "engine"} <= set(figures["kills"])
    assert min(figures["rotations"]) >= ROTATIONS


def test_a_request_that_was_kept_twice_is_stored_once_and_accounted_for(
    serve: Callable[..., Served], make_agent: Callable[..., Agent]
) -> None:
    """The agent is killed before a service hears its 200, so the service asks again: one row, and the second block is counted as repeated."""
    served = serve()
    agent = make_agent([served.url])
    body = b'{"service":"caller","breaker":"once","to":"open"}'
    for _ in range(2):
        agent.start(wait=True)
        answer = httpx.post(f"{agent.relay}/v1/breakers", content=body, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 200
        agent.kill()
    agent.start(wait=True)

    def row() -> dict[str, Any]:
        found = served.data("/ledger", service="orders")[0]
        assert (found["emitted"], found["in_flight"]) == (2, 0), found
        return found

    ledger = eventually(row)
    assert (ledger["stored"], ledger["dropped"]) == (1, {"repeated": 1})
    assert len(served.data("/breakers/transitions", service="caller")) == 1


def test_lines_are_accepted_while_the_engine_is_dead(serve: Callable[..., Served]) -> None:
    """With the engine gone a line still gets its 2xx, the pipeline says so, and the line is there once it is back."""
    served = serve()
    served.kill_engine()

    answer = served.client.post("/v1/lines", content=b"written while the engine was away")

    assert answer.status_code == 200
    eventually(lambda: served.engine()["restarts"] >= 1)
    assert served.engine()["last_error"]
    found = eventually(lambda: served.data("/logs", query='"engine was away"'))
    assert len(found) == 1
