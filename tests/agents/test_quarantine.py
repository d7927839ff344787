"""The quarantine: what is kept, what a person sees of it, and another try."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.block import Position, Stream
from agents.client import Answer
from agents.frame import FrameHead
from agents.quarantine import Quarantine
from agents.zstd import ZstdCompressor

ROOT = Path(__file__).resolve().parents[2]
STREAM = Stream("checkout", "test", "logs", "file:/a.log")


def head(sequence, size=4):
    """Describe a block."""
    headers = {"Fuseboard-Source": "agent=a"}
    return FrameHead(
        sequence, STREAM, "/v1/lines", f"k{sequence}", Position("g", 0, size), size, 1.0, headers
    )


def command(agent, *arguments):
    """Run ``fuseboard-agent quarantine`` beside an agent."""
    words = [
        sys.executable,
        "-m",
        "agents",
        "quarantine",
        *map(str, arguments),
        "--config",
        str(agent.home / "agent.toml"),
    ]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, cwd=ROOT, env={}, check=False)


@pytest.fixture
def rejecting(tmp_path, collector, agent, wait_for, follow_toml):
    """An agent whose first block was rejected, and its log file."""
    log = tmp_path / "app.log"
    log.write_bytes(b"bad \xff\n")
    collector.script = lambda path, _number: (400, {}) if path == "/v1/lines" else None
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: bool(agent.happened("block_rejected")), "the rejection")
    return agent, log


def test_a_person_sees_what_was_rejected_and_why(rejecting):
    """``list`` has a line per block, ``show`` the block; both also for programs."""
    agent, log = rejecting
    (listed,) = json.loads(command(agent, "list", "--json").stdout)
    sequence = listed["sequence"]
    shown = json.loads(command(agent, "show", sequence, "--json").stdout)

    assert (listed["status"], listed["service"], listed["signal"]) == (400, "checkout", "logs")
    assert (listed["source"], listed["range"], listed["asked"]) == (f"file:{log}", [0, 6], False)
    assert shown["body_base64"] == "YmFkIP8K"
    line = command(agent, "list").stdout
    assert str(sequence) in line
    assert "400" in line
    assert r"bad \xff" in command(agent, "show", sequence).stdout


def test_no_such_block(rejecting):
    """Exit 1 and the number that was asked for."""
    agent, _ = rejecting
    done = command(agent, "show", 999)

    assert done.returncode == 1
    assert "999" in done.stderr
    assert command(agent, "retry", 999).returncode == 1
    assert command(agent, "retry", "some").returncode == 2


@pytest.mark.parametrize("running", [True, False])
def test_a_block_is_sent_again_as_it_was(rejecting, collector, wait_for, running):
    """Under its own key and sequence, by the running agent or by the next one; in the books it stays rejected."""
    agent, _ = rejecting
    if not running:
        assert agent.terminate() == 0
    key = next(key for path, key in collector.attempts if path == "/v1/lines")
    collector.script = lambda _path, _number: None
    done = command(agent, "retry", "all")
    assert ("now" if running else "when it starts") in done.stdout
    if not running:
        agent.start()
    wait_for(lambda: collector.lines() == [b"bad \xff"], "the block")
    assert agent.terminate() == 0

    (request,) = collector.of("/v1/lines")
    counters = max(collector.reports, key=lambda report: report["sequence"])["counters"][0]
    assert request.headers["idempotency-key"] == key
    assert "Fuseboard-Rejected".lower() not in request.headers
    assert "sequence=1" in request.headers["fuseboard-source"].split(",")
    assert list((agent.data / "quarantine").iterdir()) == []
    assert (counters["read_blocks"], counters["rejected_blocks"], counters["shipped_blocks"]) == (1, 1, 0)
    assert command(agent, "list").stdout == "nothing is quarantined\n"


def test_a_block_that_is_rejected_again_is_kept(rejecting, collector, wait_for):
    """With what was said this time, and it is counted once."""
    agent, _ = rejecting
    collector.script = lambda path, _number: (422, {}) if path == "/v1/lines" else None
    assert command(agent, "retry", "all").returncode == 0
    wait_for(lambda: len(agent.happened("block_rejected")) == 2, "the second rejection")
    wait_for(lambda: not list((agent.data / "quarantine").glob("*.retry")), "the request to be done with")
    assert agent.terminate() == 0

    (listed,) = json.loads(command(agent, "list", "--json").stdout)
    counters = max(collector.reports, key=lambda report: report["sequence"])["counters"][0]
    assert (listed["status"], listed["asked"], counters["rejected_blocks"]) == (422, False, 1)


def test_a_lost_answer_to_a_retry_repeats_the_block(rejecting, collector, wait_for):
    """The collector has taken it and the answer is lost, the agent is killed: the repeat has the same key."""
    agent, _ = rejecting
    collector.script = lambda path, _number: "cut" if path == "/v1/lines" else None
    command(agent, "retry", "all")
    wait_for(lambda: collector.lines() == [b"bad \xff"], "the block")
    agent.kill()
    collector.script = lambda _path, _number: None
    agent.start()
    wait_for(lambda: not list((agent.data / "quarantine").iterdir()), "the quarantine to be empty")

    assert collector.lines() == [b"bad \xff"]
    assert collector.conflicts == []


def test_the_oldest_make_room_and_are_counted(tmp_path, monkeypatch):
    """Bounded in bytes; what is to be sent again stays."""
    monkeypatch.setattr("agents.quarantine.MAX_BYTES", 3000)
    quarantine = Quarantine(tmp_path)
    body = ZstdCompressor().compress(b"bad\n", mode=ZstdCompressor.FLUSH_FRAME) + b"x" * 500
    quarantine.put(head(1), body, Answer(400, {}, b"no"))
    assert quarantine.retry(1)
    for sequence in range(2, 10):
        quarantine.put(head(sequence), body, Answer(400, {}, b"no"))

    kept = [block.head.sequence for block in quarantine.kept()]
    assert kept[0] == 1
    assert kept[-1] == 9
    assert quarantine.evicted == 9 - len(kept) > 0
    assert quarantine.amounts()[0] == len(kept)
