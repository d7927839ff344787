"""``run -- CMD``: output shipped and passed through, signals and exit code handed on."""

import signal
import sys


def test_output_is_shipped_and_passed_through(collector, agent):
    """Both streams reach the collector and our own output; the exit code is the child's."""
    code = (
        "import sys; print('out 1'); print('err 1', file=sys.stderr); sys.stdout.write('out 2'); sys.exit(7)"
    )
    agent.start(f'collector = "{collector.url}"\n', "run", "--", sys.executable, "-c", code)

    output, _ = agent.running().communicate(timeout=30)

    assert agent.running().returncode == 7
    assert output == b"out 1\nout 2"
    assert "err 1" in agent.log.read_text()
    assert sorted(collector.lines()) == [b"err 1", b"out 1", b"out 2"]
    assert any(":stdout" in request.headers["fuseboard-source"] for request in collector.of("/v1/lines"))


def test_signals_go_to_the_child(collector, agent, wait_for):
    """SIGTERM is the child's to handle; we end when it does, with 128 + signal when it did not handle it."""
    code = "import time; print('ready', flush=True); time.sleep(60)"
    agent.start(f'collector = "{collector.url}"\n', "run", "--", sys.executable, "-c", code)
    wait_for(lambda: collector.lines() == [b"ready"], "the child")

    assert agent.terminate() == 128 + signal.SIGTERM


def test_a_program_that_does_not_exist_is_127(collector, agent):
    """As a shell has it, with a sentence."""
    agent.start(f'collector = "{collector.url}"\n', "run", "--", "/no/such/program")
    agent.running().communicate(timeout=30)

    assert agent.running().returncode == 127
    assert "'/no/such/program' cannot be run" in agent.log.read_text()
