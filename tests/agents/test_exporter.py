"""The exporter: what each answer of a collector leads to."""

import time

from agents.frame import decode
from agents.health import backoff_s


def once(answer):
    """A script that gives *answer* to the first request for lines and takes the others."""
    given = []

    def script(path, _number):
        if path == "/v1/lines" and not given:
            given.append(path)
            return answer
        return None

    return script


def test_refused_blocks_come_again_after_retry_after(tmp_path, collector, agent, wait_for, follow_toml):
    """429 with Retry-After is waited for, and the block comes again under the same key."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = once((429, {"Retry-After": "1"}))
    began = time.monotonic()
    agent.start(follow_toml(collector.url, tmp_path / "app.log"))

    wait_for(lambda: bool(collector.lines()), "the line")

    keys = {key for path, key in collector.attempts if path == "/v1/lines"}
    assert collector.lines() == [b"x"]
    assert len(keys) == 1
    assert time.monotonic() - began >= 1


def test_rejected_blocks_are_quarantined_and_counted(tmp_path, collector, agent, wait_for, follow_toml):
    """400 is not tried again: the block is kept with what the collector said, and the next one is shipped."""
    log = tmp_path / "app.log"
    log.write_bytes(b"bad\n")
    collector.script = once((400, {}))
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: bool(agent.happened("block_rejected")), "the rejection")
    with log.open("ab") as file:
        file.write(b"good\n")
    wait_for(lambda: collector.lines() == [b"good"], "the next line")
    assert agent.terminate() == 0

    (kept,) = (agent.data / "quarantine").iterdir()
    found = decode(kept.read_bytes())
    counters = max(collector.reports, key=lambda report: report["sequence"])["counters"][0]
    assert found.head.headers["Fuseboard-Rejected"].startswith("400 ")
    assert (counters["rejected_blocks"], counters["rejected_bytes"], counters["shipped_blocks"]) == (1, 4, 1)
    assert sum(path == "/v1/lines" for path, _ in collector.attempts) == 2


def test_another_collector_takes_over(tmp_path, collector, second_collector, agent, wait_for, follow_toml):
    """A block that the first collector has not taken goes to the second."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda _path, _number: (503, {"Retry-After": "0"})
    settings = follow_toml("FIRST", tmp_path / "app.log").replace(
        '"FIRST"', f'["{collector.url}", "{second_collector.url}"]'
    )
    agent.start(settings)

    wait_for(lambda: second_collector.lines() == [b"x"], "the line at the second")

    assert collector.lines() == []


def test_a_block_of_unknown_fate_stays_with_its_collector(
    tmp_path, collector, second_collector, agent, wait_for, follow_toml
):
    """Sent and not answered, then refused, even after kill -9: it is never given to another collector."""
    log = tmp_path / "app.log"
    log.write_bytes(b"pinned\n")
    seen = []

    def script(path, _number):
        if path == "/v1/lines":
            seen.append(path)
        return "cut" if len(seen) == 1 and path == "/v1/lines" else (503, {"Retry-After": "0"})

    collector.script = script
    settings = follow_toml("FIRST", log).replace('"FIRST"', f'["{collector.url}", "{second_collector.url}"]')
    agent.start(settings)
    wait_for(lambda: len(seen) > 1, "a retry")
    with log.open("ab") as file:
        file.write(b"free\n")
    wait_for(lambda: second_collector.lines() == [b"free"], "the free line at the second")
    agent.kill()
    before = len(seen)
    agent.start()
    wait_for(lambda: len(seen) > before, "another refusal after the restart")
    collector.script = lambda _path, _number: None

    wait_for(lambda: spooled(collector, second_collector) == 0, "the pinned line to be settled")
    assert agent.terminate() == 0

    assert second_collector.lines() == [b"free"]
    assert collector.lines() == [b"pinned"]


def spooled(*collectors):
    """How many blocks wait, as the newest report says."""
    reports = [report for collector in collectors for report in collector.reports]
    newest = max(reports, key=lambda report: report["sequence"], default=None)
    return None if newest is None else newest["spool"]["blocks"]


def test_the_key_is_sent(tmp_path, collector, agent, wait_for, follow_toml):
    """Blocks and reports carry the key as a bearer token."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start('key = "k-1"\n' + follow_toml(collector.url, tmp_path / "app.log"))

    wait_for(lambda: bool(collector.lines()) and bool(collector.reports), "a line and a report")

    assert collector.authorizations == {"Bearer k-1"}


def test_back_off_grows_to_a_bound():
    """Full jitter: between nothing and a bound that doubles up to 15 s."""
    assert all(0 <= backoff_s(0) <= 0.2 for _ in range(100))
    assert max(backoff_s(50) for _ in range(200)) <= 15


def test_an_idle_connection_that_was_closed_is_made_anew(tmp_path, collector, agent, wait_for, follow_toml):
    """A collector that closes idle connections costs no doubtful request and no warning."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    collector.idle_s = 0.1
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: collector.lines() == [b"one"], "the first line")
    wait_for(lambda: collector.closed >= 1, "the connection to be closed")
    with log.open("ab") as file:
        file.write(b"two\n")
    wait_for(lambda: len(collector.lines()) == 2, "the second line")
    assert agent.terminate() == 0

    assert agent.happened("block_refused") == []
    assert sum(path == "/v1/lines" for path, _ in collector.attempts) == 2
