"""Ten times what the pipeline may take: memory and disk stay within their caps, the service is not held up, what is shed is counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Served, eventually
from tests.system.faults.judge import Stored
from tests.system.faults.producer import Written
from tests.system.faults.proxy import PASS, Fault, Proxy
from tests.system.faults.victims import Agent, Peaks, clean_environment, folder_bytes

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

MB = 1 << 20
LINES = 15_000
PER_S = 3 * MB
FILLING = 2
"""The hanging engine's journal and spool are filled by this times as much."""
ALLOWED_PER_S = PER_S // 10
SPOOL_BYTES = 3 * MB
JOURNAL_BYTES = 16 * MB
COMMIT_BYTES = 8 * MB
"""One group commit of the journal may go over its bound by this."""
AGENT_RSS_BYTES = 96 * MB
COLLECTOR_RSS_BYTES = 400 * MB
OWN_TIME_S = LINES * 960 / PER_S


def _flood(times: int = 1) -> list[str]:
    return [sys.executable, "-m", "tests.system.faults.flood", str(LINES * times), str(PER_S * times)]


@pytest.fixture
def peaks() -> Iterator[Peaks]:
    """What is sampled while the flood lasts."""
    found = Peaks()
    yield found
    found.close()


def _everything(times: int = 1) -> set[str]:
    return {f"flood-{number}" for number in range(LINES * times)}


def _dropped_lines(stored: Stored) -> int:
    """Lines shed, of all reasons, in the agent's last report."""
    rows = stored.rows(last="SELECT argMax(counters, sequence) AS counters FROM agent_reports")["last"]
    counters = json.loads(rows[0]["counters"])
    return sum(amount["lines"] for counter in counters for amount in counter["dropped"].values())


@pytest.mark.parametrize("policy", ["drop_newest", "drop_oldest"])
def test_a_service_is_not_held_up_and_what_is_shed_is_counted(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    make_proxy: Callable[..., Proxy],
    shut: Callable[..., None],
    peaks: Peaks,
    tmp_path: Path,
    policy: str,
) -> None:
    """A child that writes 10 × what the network takes ends in its own time; written lines = stored + dropped, to the line."""
    served = serve()
    proxy = make_proxy(served.port, lambda _: Fault("slow", per_s=ALLOWED_PER_S))
    result = tmp_path / "result.json"
    agent = make_agent(
        [proxy.url],
        top="drain_s = 90",
        tables=f'[spool]\nmax_bytes = {SPOOL_BYTES}\nwhen_full = "{policy}"\n',
        command=[*_flood(), str(result)],
    )
    agent.start()
    assert agent.process is not None
    peaks.watch_memory("agent", agent.process.pid)
    peaks.watch("spool", agent.spool_bytes)
    eventually(result.exists, 90)
    proxy.plan = lambda _: PASS
    assert agent.process.wait(120) == 0
    peaks.close()
    shut(served)
    stored = Stored([served])
    lines, _ = stored.lines([Written(doubtful=_everything())], transitions=False)
    stored.rollups()
    child = json.loads(result.read_text())

    # Held up by the network it would need ten times its own time, and most of that in its writes.
    assert child["slowest_write_s"] < OWN_TIME_S * 2
    assert child["seconds"] < OWN_TIME_S * 3
    assert agent.output.read_bytes().count(b"\n") == LINES
    assert lines + _dropped_lines(stored) == LINES
    assert 0 < lines < LINES * 0.9
    assert peaks.most["spool"] <= SPOOL_BYTES
    assert peaks.most["agent"] < AGENT_RSS_BYTES


def test_caps_hold_while_the_engine_stands_still(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    drain: Callable[..., None],
    shut: Callable[..., None],
    peaks: Peaks,
    tmp_path: Path,
) -> None:
    """A flood while ClickHouse hangs: journal, spool and memory stay within their caps, the rest waits in the file, nothing is lost."""
    served = serve(f"journal_max_bytes = {JOURNAL_BYTES}\n")
    log = tmp_path / "flood.log"
    agent = make_agent([served.url], [str(log)], tables=f"[spool]\nmax_bytes = {SPOOL_BYTES}\n")
    agent.start(wait=True)
    assert agent.process is not None
    assert served._process is not None
    engine = int(served.engine()["pid"])
    peaks.watch_memory("agent", agent.process.pid)
    peaks.watch_memory("collector", served._process.pid)
    peaks.watch("spool", agent.spool_bytes)
    peaks.watch("journal", lambda: folder_bytes(served.data_dir / "journal", "*/*"))
    os.kill(engine, signal.SIGSTOP)
    try:
        with log.open("ab") as out:
            command = [*_flood(FILLING), str(tmp_path / "result.json")]
            subprocess.run(command, stdout=out, cwd=ROOT, env=clean_environment(), check=True, timeout=60)
        eventually(lambda: peaks.most["journal"] > JOURNAL_BYTES * 0.9 or served.engine()["pid"] != engine)
        eventually(lambda: peaks.most["spool"] > SPOOL_BYTES * 0.7 or served.engine()["pid"] != engine)
    finally:
        _continue(engine)
    drain(agent)
    shut(served)
    peaks.close()
    stored = Stored([served])
    stored.lines([Written(certain=_everything(FILLING))], transitions=False)
    stored.rollups()

    assert peaks.most["spool"] <= SPOOL_BYTES
    assert JOURNAL_BYTES * 0.9 < peaks.most["journal"] <= JOURNAL_BYTES + COMMIT_BYTES
    assert peaks.most["agent"] < AGENT_RSS_BYTES
    assert peaks.most["collector"] < COLLECTOR_RSS_BYTES


def _continue(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # its supervisor has lost patience and started another
