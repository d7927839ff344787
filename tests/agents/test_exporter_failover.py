"""Several collectors: each line is with exactly one of them, whatever they answer and whenever the agent is killed."""

import random
import threading
import time

import pytest

ANSWERS = (
    None,
    None,
    (503, {"Retry-After": "0"}),
    (503, {}),
    (500, {}),
    (429, {"Retry-After": "0"}),
    (408, {}),
    "cut",
    "502",
)


def unreliable(seed):
    """A script that answers anything, 70 % of it wrong, until it is told to be good."""
    chance = random.Random(seed)
    good = threading.Event()

    def script(_path, _number):
        return None if good.is_set() else chance.choice(ANSWERS)

    return script, good


def waiting(*collectors):
    """How many blocks wait, as the newest report to any collector says."""
    reports = [report for collector in collectors for report in collector.reports]
    return max(reports, key=lambda report: report["sequence"])["spool"]["blocks"]


def both(follow_toml, log, first, second, more=""):
    """Settings with two collectors."""
    alone = follow_toml("FIRST", log, more)
    return alone.replace('"FIRST"', f'["{first.url}", "{second.url}"]')


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_line_is_with_one_collector(
    tmp_path, collector, second_collector, agent, wait_for, follow_toml, seed
):
    """Two collectors that answer anything, and kills in between: their lines together are what was written, each once."""
    log = tmp_path / "app.log"
    log.touch()
    (collector.script, first_good), (second_collector.script, second_good) = (
        unreliable(seed),
        unreliable(-seed),
    )
    agent.start(
        both(follow_toml, log, collector, second_collector, "[breaker]\nfailures = 3\nopen_s = 0.2\n")
    )
    chance = random.Random(seed)
    written = []
    for _ in range(4):
        until = time.monotonic() + chance.uniform(0.5, 1.5)
        while time.monotonic() < until:
            lines = [b"%d" % (len(written) + more) for more in range(10)]
            with log.open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")
            written += lines
            time.sleep(0.02)
        agent.kill()
        starts = len(agent.happened("agent_started"))
        agent.start()
        wait_for(lambda starts=starts: len(agent.happened("agent_started")) > starts, "the start")
    first_good.set()
    second_good.set()
    wait_for(lambda: len(collector.lines() + second_collector.lines()) >= len(written), "every line", 90)
    assert agent.terminate() == 0

    assert sorted(collector.lines() + second_collector.lines(), key=int) == written
    assert collector.conflicts == second_collector.conflicts == []
    assert agent.happened("block_rejected") == []


def test_the_first_is_used_again_when_it_is_well(
    tmp_path, collector, second_collector, agent, wait_for, follow_toml
):
    """A collector that is being restarted is passed over; blocks of unknown fate wait for it, the others do not."""
    log = tmp_path / "app.log"
    log.write_bytes(b"doubtful\n")
    collector.script = lambda path, _number: "502" if path == "/v1/lines" else None
    agent.start(both(follow_toml, log, collector, second_collector))
    wait_for(lambda: collector.lines() == [b"doubtful"], "the first try")
    for number in range(5):
        with log.open("ab") as file:
            file.write(b"%d\n" % number)
        wait_for(lambda number=number: len(second_collector.lines()) == number + 1, "the second to take it")
    collector.script = lambda _path, _number: None
    wait_for(lambda: waiting(collector, second_collector) == 0, "the doubtful block to be settled")

    assert collector.lines() == [b"doubtful"]
    assert second_collector.lines() == [b"0", b"1", b"2", b"3", b"4"]
