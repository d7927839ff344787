"""Every line once, whatever is killed and whatever the collector answers."""

import random
import resource
import threading
import time
from collections import Counter
from pathlib import Path

import pytest


class Writer(threading.Thread):
    """A service that writes numbered lines, rotating its log by rename now and then."""

    def __init__(self, log: Path, count: int, rotate_every: int = 0) -> None:
        super().__init__(daemon=True)
        self.log, self.count, self.rotate_every = log, count, rotate_every
        self.rotations = 0

    def run(self) -> None:
        """Write at about 20 k lines/s."""
        file = self.log.open("ab", buffering=0)
        for first in range(0, self.count, 100):
            file.write(
                b"".join(b"line %d %s\n" % (number, b"x" * 100) for number in range(first, first + 100))
            )
            if self.rotate_every and (first + 100) % self.rotate_every == 0:
                file.close()
                self.rotations += 1
                self.log.rename(self.log.with_name(f"{self.log.name}.{self.rotations}"))
                file = self.log.open("ab", buffering=0)
            time.sleep(0.005)
        file.close()


def expected(count: int) -> set[bytes]:
    """The lines that ``Writer`` writes."""
    return {b"line %d %s" % (number, b"x" * 100) for number in range(count)}


@pytest.mark.system
@pytest.mark.parametrize("rotate_every", [0, 5000])
def test_killed_agents_ship_every_line_once(rotate_every, tmp_path, collector, agent, wait_for, follow_toml):
    """SIGKILL at random times under load, with and without rotation by rename: the set of lines is what was written."""
    log = tmp_path / "app.log"
    log.touch()
    count = 40_000
    answers = random.Random(7)
    collector.script = lambda path, _: "cut" if path == "/v1/lines" and answers.random() < 0.3 else None
    writer = Writer(log, count, rotate_every)
    agent.start(follow_toml(collector.url, f"{log}*" if rotate_every else log))
    writer.start()

    for _ in range(6):
        time.sleep(answers.uniform(0.2, 0.6))
        agent.kill()
        starts = len(agent.happened("agent_started"))
        agent.start()
    writer.join()
    wait_for(lambda: len(agent.happened("agent_started")) > starts, "the last start")
    wait_for(lambda: len(collector.lines()) >= count, "all lines")
    collector.script = lambda _path, _number: None
    told = len(collector.reports) + 1  # one may be on its way that knows less
    wait_for(
        lambda: len(collector.reports) > told and spooled_blocks(collector.reports[-1]) == 0,
        "every block to be settled",
    )
    assert agent.terminate() == 0

    got = Counter(collector.lines())
    assert set(got) == expected(count)
    assert max(got.values()) == 1
    assert collector.conflicts == []
    assert_ledger_balances(collector, sum(len(request.body) for request in collector.of("/v1/lines")))


def assert_ledger_balances(collector, body_bytes):
    """The last report says exactly what the collector has."""
    last = max(collector.reports, key=lambda report: report["sequence"])
    logs = [counters for counters in last["counters"] if counters["signal"] == "logs"]
    assert sum(counters["read_bytes"] for counters in logs) == body_bytes
    assert sum(counters["shipped_bytes"] for counters in logs) == body_bytes
    assert sum(counters["shipped_blocks"] for counters in logs) == len(collector.of("/v1/lines"))
    assert sum(counters["spooled_blocks"] for counters in logs) == 0


@pytest.mark.system
def test_a_killed_agent_keeps_blocks_that_no_collector_had(tmp_path, collector, agent, wait_for, follow_toml):
    """Blocks read during an outage survive kill -9 and are shipped once under the identity they were read with."""
    log = tmp_path / "app.log"
    log.write_bytes(b"".join(b"early %d\n" % number for number in range(1000)))
    collector.script = lambda _path, _number: (503, {"Retry-After": "0"})
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: any(path == "/v1/lines" for path, _ in collector.attempts), "an attempt")
    agent.kill()
    with log.open("ab") as file:
        file.write(b"late\n")
    refused = {key for path, key in collector.attempts if path == "/v1/lines"}
    collector.script = lambda _path, _number: None

    agent.start()
    wait_for(lambda: len(collector.lines()) >= 1001, "all lines")

    assert sorted(collector.lines()) == sorted([b"early %d" % number for number in range(1000)] + [b"late"])
    assert refused <= collector.taken.keys()


def test_a_lost_answer_is_one_block_counted_as_shipped(tmp_path, collector, agent, wait_for, follow_toml):
    """When the connection is cut after the collector has committed, the retry counts as shipped and as a duplicate."""
    log = tmp_path / "app.log"
    log.write_bytes(b"only\n")
    lines_seen: list[int] = []

    def cut_first(path, number):
        if path == "/v1/lines":
            lines_seen.append(number)
            return "cut" if len(lines_seen) == 1 else None
        return None

    collector.script = cut_first
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: any(shipped(report) for report in collector.reports), "a report of the shipped block")

    counters = next(report for report in collector.reports if shipped(report))["counters"][0]
    assert collector.lines() == [b"only"]
    assert (counters["shipped_blocks"], counters["duplicate_blocks"]) == (1, 1)
    assert counters["shipped_bytes"] == 5


def shipped(report):
    """Whether a report counts a shipped block."""
    return any(counters["shipped_blocks"] for counters in report["counters"])


def test_sigterm_drains_and_exits_0(tmp_path, collector, agent, wait_for, follow_toml):
    """What was written before SIGTERM has been shipped when the process is gone."""
    log = tmp_path / "app.log"
    log.touch()
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    log.write_bytes(b"".join(b"%d\n" % number for number in range(5000)))

    code = agent.terminate()

    assert code == 0
    assert len(collector.lines()) == 5000
    assert agent.happened("agent_stopped")[0]["drained"] is True


def test_sigterm_does_not_wait_longer_than_told(tmp_path, agent, wait_for, follow_toml):
    """With a collector that is away, the agent leaves its blocks on disk after drain_s and still exits 0."""
    log = tmp_path / "app.log"
    log.write_bytes(b"kept\n")
    agent.start("drain_s = 0.3\n" + follow_toml("http://127.0.0.1:9", log))
    wait_for(lambda: bool(agent.happened("block_refused")), "a refusal")
    began = time.monotonic()

    code = agent.terminate()

    assert code == 0
    assert time.monotonic() - began < 8
    assert agent.happened("agent_stopped")[0]["drained"] is False
    assert list((agent.data / "spool").iterdir())


@pytest.mark.system
def test_a_disk_that_refuses_is_waited_for(tmp_path, collector, agent, wait_for, follow_toml):
    """When the spool cannot be written the source waits, nothing is lost, and it goes on by itself when there is room."""
    log = tmp_path / "app.log"
    log.touch()
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    _, hard = resource.prlimit(agent.running().pid, resource.RLIMIT_FSIZE)
    resource.prlimit(agent.running().pid, resource.RLIMIT_FSIZE, (4096, hard))
    lines = [random.Random(number).randbytes(50).hex().encode() for number in range(500)]
    log.write_bytes(b"\n".join(lines) + b"\n")
    wait_for(lambda: bool(agent.happened("source_waits")), "the refusal")
    held = collector.lines()
    resource.prlimit(agent.running().pid, resource.RLIMIT_FSIZE, (hard, hard))

    wait_for(lambda: len(collector.lines()) >= 500, "all lines")

    assert held == []
    assert sorted(collector.lines()) == sorted(lines)


@pytest.mark.system
def test_an_overloaded_agent_sheds_what_it_counts(tmp_path, collector, agent, wait_for, follow_toml):
    """With drop_newest, an outage and a small spool: what arrives plus what is counted as dropped is what was written."""
    log = tmp_path / "app.log"
    body = b"".join(random.Random(number).randbytes(100).hex().encode() + b"\n" for number in range(30_000))
    log.write_bytes(body)
    collector.script = lambda path, _: None if path == "/v1/reports" else (503, {})
    settings = '[spool]\nmax_bytes = 1500000\nwhen_full = "drop_newest"\n'
    agent.start(follow_toml(collector.url, log, settings))
    wait_for(
        lambda: any(read_bytes(report) == len(body) for report in collector.reports), "everything to be read"
    )
    agent.kill()
    collector.script = lambda _path, _number: None
    agent.start()
    wait_for(
        lambda: spooled_blocks(collector.reports[-1]) == 0 and bool(collector.lines()),
        "the rest to be shipped",
    )

    counters = collector.reports[-1]["counters"][0]
    dropped = counters["dropped"]["spool_full"]
    assert dropped["blocks"] > 0
    assert counters["read_bytes"] == len(body)
    assert counters["shipped_bytes"] + dropped["bytes"] == len(body)
    assert sum(len(request.body) for request in collector.of("/v1/lines")) == counters["shipped_bytes"]


def read_bytes(report):
    """What a report counts as read."""
    return sum(counters["read_bytes"] for counters in report["counters"])


def spooled_blocks(report):
    """What a report counts as in flight."""
    return sum(counters["spooled_blocks"] for counters in report["counters"])
