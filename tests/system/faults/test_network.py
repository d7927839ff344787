"""The network between agent and collector: answers lost, requests repeated and reordered, errors, outages, silence, slowness."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Served, eventually
from tests.system.faults.caller import Caller
from tests.system.faults.judge import Stored, settled_ledger
from tests.system.faults.pace import DRAIN_S, OUTAGE_S, STORM_S, TIMEOUT_S
from tests.system.faults.producer import Producer
from tests.system.faults.proxy import PASS, Fault, Proxy, Request
from tests.system.faults.victims import Agent

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT_S)]

RESUME_S = 30.0
QUICK = "[breaker]\nopen_s = 0.2\n"
"""The agent's own breaker waits little, so that a storm of a few seconds sees many requests."""


@dataclass
class Rig:
    """A service that writes and calls, its agent, a bad network, one collector or two."""

    collectors: list[Served]
    proxies: list[Proxy]
    agent: Agent
    producer: Producer
    caller: Caller

    def begin(self) -> None:
        """Start the agent, then what feeds it."""
        self.agent.start(wait=True)
        self.producer.start()
        self.caller.start()

    def restore(self) -> None:
        """End every fault."""
        for proxy in self.proxies:
            proxy.plan = lambda _: PASS
            proxy.release()


Rigs = Callable[..., Rig]
Verdict = Callable[[Rig], int]


@pytest.fixture
def rig(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    make_proxy: Callable[..., Proxy],
    tmp_path: Path,
) -> Rigs:
    """``rig(collectors=1, per_s=200)``: everything, not yet begun."""

    def make(collectors: int = 1, per_s: float = 200.0, tables: str = QUICK) -> Rig:
        served = [serve(wait=False) for _ in range(collectors)]
        for each in served:
            each.wait_ready()
        proxies = [make_proxy(each.port) for each in served]
        path = tmp_path / "app.log"
        agent = make_agent([proxy.url for proxy in proxies], [f"{path}*"], tables=tables)
        producer = Producer(path, per_s=per_s, rotation="rename", every=int(per_s * 5))
        return Rig(served, proxies, agent, producer, Caller(agent.relay, per_s=5))

    return make


@pytest.fixture
def verdict(drain: Callable[..., None], shut: Callable[..., None]) -> Verdict:
    """End the producer and the faults; everything written is stored once, in all collectors together. How many lines."""

    def judge(rig: Rig) -> int:
        written, called = rig.producer.stop(), None
        rig.restore()
        called = rig.caller.stop()
        eventually(rig.agent.is_drained, DRAIN_S)
        if len(rig.collectors) == 1:
            served, size = rig.collectors[0], written.bytes()[0]
            for row in eventually(lambda: settled_ledger(served, "orders", size), RESUME_S):
                assert (row["gaps"], row["emitted_bytes"]) == ([], row["stored_bytes"]), row
        drain(rig.agent)
        for proxy in rig.proxies:
            proxy.close()
        shut(*rig.collectors)
        stored = Stored(rig.collectors)
        lines, _ = stored.lines([written])
        stored.calls(called)
        stored.rollups()
        return lines

    return judge


def _in_turn(faults: Sequence[Fault], seed: int = 3) -> Callable[[Request], Fault]:
    """Every fault as often as it is listed, shuffled."""
    order = list(faults)
    random.Random(seed).shuffle(order)
    endless = itertools.cycle(order)
    return lambda _: next(endless)


STORM = [
    *[PASS] * 4,
    *[Fault("cut_after")] * 4,
    *[Fault("cut_before"), Fault("cut_during")] * 2,
    *[Fault("twice")] * 3,
    *[Fault("late", seconds=2.0)] * 3,
    *[Fault("delay", seconds=0.8)] * 2,
]
ERRORS = [
    *[PASS] * 6,
    *[Fault("answer", status=status) for status in (500, 502, 503, 504, 429, 408, 503) * 2],
]


@pytest.mark.parametrize("weather", [STORM, ERRORS], ids=["lost_and_repeated", "70_percent_errors"])
def test_a_storm_loses_nothing_and_repeats_nothing(rig: Rigs, verdict: Verdict, weather: list[Fault]) -> None:
    """Lost answers, requests doubled, late and reordered; or errors for 70 % of the requests: each line is stored once."""
    stage = rig()
    stage.begin()
    stage.proxies[0].plan = _in_turn(weather)
    time.sleep(STORM_S)
    eventually(lambda: all(stage.proxies[0].done[fault.kind] for fault in weather))

    assert verdict(stage) > 1000


def test_an_outage_is_made_up_for(rig: Rigs, verdict: Verdict) -> None:
    """Connections refused for minutes: the agent keeps what is written and ships it all within 30 s of the return."""
    stage = rig()
    stage.begin()
    eventually(lambda: stage.agent.total("shipped_blocks_total", 'signal="logs"') > 0)
    stage.proxies[0].refuse()
    time.sleep(OUTAGE_S)
    waiting = stage.agent.total("spooled_blocks")
    stage.proxies[0].accept()
    back = time.monotonic()
    eventually(lambda: stage.agent.total("spooled_blocks") < waiting / 2, RESUME_S)

    assert waiting > 10
    assert time.monotonic() - back < RESUME_S
    assert verdict(stage) > 1000


def test_a_half_open_connection_is_given_up(rig: Rigs, verdict: Verdict) -> None:
    """A network that takes connections and bytes and never answers, then a good one: the agent turns away by itself."""
    stage = rig(per_s=50.0)
    stage.proxies[0].plan = lambda _: Fault("hole")
    stage.begin()
    eventually(lambda: stage.proxies[0].done["hole"] >= 2, DRAIN_S)
    stage.proxies[0].plan = lambda _: PASS
    eventually(lambda: stage.agent.total("shipped_blocks_total", 'signal="logs"') > 0, DRAIN_S)

    assert verdict(stage) > 100


def test_a_slow_network_is_waited_for(rig: Rigs, verdict: Verdict) -> None:
    """At 1 kB/s, less than what is written: blocks wait on disk, none is given up or sent anew from the start for ever."""
    stage = rig()
    stage.proxies[0].plan = lambda _: Fault("slow", per_s=1000)
    stage.begin()
    time.sleep(STORM_S)
    eventually(lambda: stage.agent.total("shipped_blocks_total") > 0)

    assert verdict(stage) > 1000


def test_a_block_of_unknown_fate_stays_where_it_was_sent(rig: Rigs, verdict: Verdict) -> None:
    """Two collectors, failing in turn and swallowing answers, the agent killed between: no block is in both."""
    stage = rig(collectors=2)
    first, second = stage.proxies
    stage.begin()
    for failing, other in ((first, second), (second, first)) * 2:
        failing.plan = _in_turn([PASS, Fault("cut_after")])
        other.plan = _in_turn([PASS, PASS, Fault("cut_after"), Fault("twice")])
        time.sleep(STORM_S / 5)
        failing.refuse()
        time.sleep(STORM_S / 10)
        stage.agent.kill()
        stage.agent.start(wait=True)
        time.sleep(STORM_S / 10)
        failing.accept()

    assert verdict(stage) > 1000
    assert min(proxy.done["cut_after"] for proxy in stage.proxies) > 0
