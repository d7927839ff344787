"""``run -- CMD``: output shipped and passed through, signals and exit code handed on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agents import child as children
from agents.intake import Intake
from agents.keeper import Keeper
from agents.ledger import Ledger
from agents.processors import Redactions
from agents.processors.shaper import shapers
from agents.settings import load
from agents.sources import Origin, command
from agents.spool import Spool

ROOT = Path(__file__).resolve().parents[3]
PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def run(collector, tmp_path):
    """Start ``run -- CMD`` with pipes of the test's own, under what *first* has done to the process before; ends what is left."""
    started = []

    def start(*words, more="", first="", **options):
        config = tmp_path / "agent.toml"
        config.write_text(
            f'collector = "{collector.url}"\ndata_dir = "{tmp_path}/data"\nreport_interval_s = 0.2\n{more}'
        )
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("FUSEBOARD_", "OTEL_"))}
        command = [sys.executable, "-m", "agents", "run", "--config", str(config), "--", *words]
        process = subprocess.Popen(
            [sys.executable, "-c", f"{first}\nos.execv(sys.argv[1], sys.argv[1:])", *command]
            if first
            else command,
            cwd=ROOT,
            env=kept,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def python(code):
    """A child that runs this code."""
    return sys.executable, "-c", code


def sent(collector, stream="stdout"):
    """The lines of one stream, in order."""
    blocks = [r for r in collector.of("/v1/lines") if f":{stream}" in r.headers["fuseboard-source"]]
    blocks.sort(key=lambda r: int(r.headers["fuseboard-source"].partition("offset=")[2].partition(",")[0]))
    return b"".join(r.body for r in blocks).splitlines()


def test_output_is_shipped_and_passed_through(collector, run):
    """Both streams reach the collector and our own output; the exit code is the child's."""
    code = (
        "import sys; print('out 1'); print('err 1', file=sys.stderr); sys.stdout.write('out 2'); sys.exit(7)"
    )
    process = run(*python(code))

    output, errors = process.communicate(timeout=60)

    assert process.returncode == 7
    assert output == b"out 1\nout 2"
    assert b"err 1\n" in errors
    assert sorted(collector.lines()) == [b"err 1", b"out 1", b"out 2"]


def test_megabytes_pass_unchanged_and_in_order(collector, run):
    """Bytes that are no text included; each stream's lines are shipped in their order, once."""
    code = (
        "import sys\n"
        "for n in range(40000):\n"
        "    sys.stdout.buffer.write(b'%08d \\xff\\x00 %s\\n' % (n, b'x' * (n % 97)))\n"
        "    if n % 2: sys.stderr.buffer.write(b'e%08d\\n' % n)\n"
    )
    process = run(*python(code))

    output, _ = process.communicate(timeout=60)

    expected = b"".join(b"%08d \xff\x00 %s\n" % (n, b"x" * (n % 97)) for n in range(40000))
    assert hashlib.sha256(output).digest() == hashlib.sha256(expected).digest()
    assert b"\n".join(sent(collector)) + b"\n" == expected
    assert sent(collector, "stderr") == [b"e%08d" % n for n in range(1, 40000, 2)]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGWINCH"])
def test_signals_go_to_the_child(collector, run, wait_for, name):
    """Each is the child's to handle; we end when it does, with its code."""
    code = (
        f"import signal, sys; signal.signal(signal.{name}, lambda *_: (print('got', flush=True), sys.exit(3)))\n"
        "print('ready', flush=True)\nwhile True: signal.pause()"
    )
    process = run(*python(code))
    wait_for(lambda: collector.lines() == [b"ready"], "the child")

    process.send_signal(getattr(signal, name))

    assert process.communicate(timeout=60)[0] == b"ready\ngot\n"
    assert process.returncode == 3
    assert sorted(collector.lines()) == [b"got", b"ready"]


def test_a_child_that_a_signal_ends_is_128_and_that(run):
    """As a shell has it."""
    process = run(*python("import os; os.kill(os.getpid(), 9)"))
    process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGKILL


def test_a_signal_before_the_child_is_there_starts_none(run, tmp_path):
    """A SIGTERM that waits for us when we begin ends us, and no child is left behind."""
    # in a process of one thread: between fork and exec of this one, with an engine's threads in it, it was seen to be lost once
    pending = """import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)"""

    process = run("touch", str(tmp_path / "started"), first=pending)
    process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "started").exists()


def test_the_child_has_the_signal_mask_that_we_were_given(run):
    """And SIGPIPE ends it, as a program expects."""
    code = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    words = ("sh", "-c", f'grep -E "Sig(Blk|Ign)" /proc/self/status; {sys.executable} -c "{code}"')
    without_us = subprocess.run(words, capture_output=True, check=True).stdout

    def standard(text):
        """Signals 1 to 31; posix_spawn ignores the C library's own two, as threads do."""
        return [int(mask, 16) & 0x7FFFFFFF for mask in text.split()[1:4:2]]

    output, _ = run(*words).communicate(timeout=60)

    assert standard(output) == standard(without_us)
    assert output.endswith(b"[]\n")


def test_standard_input_is_the_childs(collector, run):
    """What we are given, it reads."""
    process = run("cat", stdin=subprocess.PIPE)

    assert process.communicate(b"given\n", timeout=60)[0] == b"given\n"
    assert collector.lines() == [b"given"]


@pytest.mark.parametrize(("name", "code"), [("none", 127), ("text", 126)])
def test_a_program_that_cannot_be_run(run, tmp_path, name, code):
    """127 when there is none, 126 when it may not be executed, with a sentence."""
    (tmp_path / "text").write_text("no program")
    process = run(str(tmp_path / name))
    _, errors = process.communicate(timeout=60)

    assert process.returncode == code
    assert b"cannot be run" in errors


def test_a_closed_standard_output_does_not_stop_the_shipping(collector, run):
    """Nobody reads what we pass through; every line is shipped, and the child's exit code is ours."""
    code = "import sys\nfor n in range(5000): print('line', n)\nprint('err', file=sys.stderr); sys.exit(5)"
    process = run(*python(code))
    process.stdout.close()
    process.stderr.close()

    assert process.wait(60) == 5
    assert sent(collector) == [b"line %d" % n for n in range(5000)]


def test_a_standard_output_that_nobody_reads_does_not_lose_lines(collector, run, wait_for):
    """What the child could write is shipped, though it cannot be passed through."""
    process = run(*python("for n in range(3000): print('line', '%06d' % n, 'x' * 35)"))

    wait_for(lambda: process.poll() is not None, "the end")

    assert len(sent(collector)) == 3000


def test_a_process_left_behind_does_not_hold_us(collector, run):
    """It keeps our pipe open; we listen for a second and go."""
    began = time.monotonic()
    process = run("sh", "-c", "sleep 120 & echo done; exit 4")

    process.stderr.close()
    assert process.wait(100) == 4
    assert time.monotonic() - began < 90
    assert collector.lines() == [b"done"]


def test_orphans_are_reaped(run, wait_for, tmp_path):
    """As process 1 of a container would, we wait for what is left to us (made so here by Linux's subreaper flag)."""
    reaper = f"import ctypes, os, sys; ctypes.CDLL(None).prctl({PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0)"
    gate = tmp_path / "gate"
    gate.touch()
    orphan = f"while [ -e {gate} ]; do sleep 0.05; done"
    process = run(
        "sh", "-c", f"( ({orphan}) & ({orphan}) & ); echo ready; read _", first=reaper, stdin=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"

    def children_of():
        paths = Path(f"/proc/{process.pid}/task").glob("*/children")
        return [pid for path in paths for pid in path.read_text().split()]

    wait_for(lambda: len(children_of()) == 3, "the orphans")
    gate.unlink()
    wait_for(lambda: len(children_of()) == 1, "their being reaped")
    process.communicate(b"\n", timeout=60)


def test_ctrl_z_stops_both_and_both_go_on(collector, run, wait_for):
    """A SIGTSTP stops the child and us; a SIGCONT lets both go on."""
    process = run(*python("print('ready', flush=True)\ninput()\nprint('on')"), stdin=subprocess.PIPE)
    wait_for(lambda: collector.lines() == [b"ready"], "the child")

    def state():
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    process.send_signal(signal.SIGTSTP)
    wait_for(lambda: state() == "T", "our stopping")
    process.send_signal(signal.SIGCONT)

    assert process.communicate(b"\n", timeout=60)[0] == b"ready\non\n"
    assert process.returncode == 0


def test_a_line_that_is_too_long_is_cut_marked_and_counted(collector, run):
    """Its first megabyte is shipped; the lines around it are whole; it is passed through unchanged."""
    code = "import sys; w = sys.stdout.write; w('before\\n'); w('x' * 3_000_000 + '\\n'); w('after\\n')"
    process = run(*python(code))

    output, _ = process.communicate(timeout=60)

    assert len(output) == 3_000_000 + 14
    before, long, after = sent(collector)
    assert (before, after) == (b"before", b"after")
    assert long == b"x" * (1 << 20) + b" [cut: line_too_long]"
    counters = next(c for c in collector.reports[-1]["counters"] if c["source"].endswith(":stdout"))
    assert counters["dropped"]["line_too_long"] == {
        "blocks": 0,
        "bytes": 3_000_001 - (1 << 20),
        "lines": 1,
    }


def test_a_traceback_is_one_record(collector, run):
    """As in files."""
    process = run(*python("1 / 0"))
    process.communicate(timeout=60)

    (line,) = [line for line in collector.lines() if b"Traceback" in line]
    assert json.loads(line)["message"].endswith("ZeroDivisionError: division by zero")


class Held:
    """A stream in this process, before a spool that is as full as the test wants."""

    def __init__(self, tmp_path, max_bytes, *, may_wait):
        self.ledger = Ledger(tmp_path / "checkpoint.json")
        settings = load(None, {"FUSEBOARD_AGENT_COLLECTOR": "http://127.0.0.1:1"})
        self.spool = Spool(tmp_path / "spool", self.ledger, max_bytes, "block")
        self.keeper = Keeper(self.ledger, self.spool)
        self.stopping = threading.Event()
        read, self.out = os.pipe()
        silent, error = os.pipe()
        os.close(error)
        self.source = command.CommandSource(
            children.Child(0, read, silent),
            "prog",
            Origin("a", {"service.name": "s"}),
            Intake(self.spool, self.stopping),
            shapers(settings, Redactions()),
            may_wait=may_wait,
        )
        self.taken = bytearray()
        self.source.start()

    def drain(self):
        """Take what is in the spool and settle it, as an exporter would."""
        from backports import zstd

        while (claimed := self.spool.claim(0)) is not None:
            self.taken += zstd.decompress(claimed[1])
            self.ledger.shipped(claimed[0], duplicate=False)
            self.spool.settled(claimed[0])
        self.keeper.keep()

    def end(self):
        """End the stream, once: a second close could be somebody else's descriptor's."""
        if self.out >= 0:
            os.close(self.out)
        self.out = -1

    def close(self):
        """End as the pipeline does."""
        self.end()
        self.stopping.set()
        self.source.stop()
        self.spool.close()


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Make such a stream; what it passes through goes nowhere."""
    made = []
    nowhere = os.open(os.devnull, os.O_WRONLY)
    monkeypatch.setattr(command, "_passing_through", lambda *_: lambda data: os.write(nowhere, data))

    def make(max_bytes=1 << 30, *, may_wait=True):
        made.append(Held(tmp_path, max_bytes, may_wait=may_wait))
        return made[-1]

    yield make
    for one in made:
        one.close()
    os.close(nowhere)


def noise(number):
    """A line that does not compress."""
    return b"%07d %s\n" % (number, hashlib.shake_256(b"%d" % number).hexdigest(500).encode())


def test_a_process_that_must_not_wait_does_not(held, wait_for):
    """The spool is full: it writes on, what does not fit is left out at lines' ends, and every line is accounted for."""
    stream = held(4 << 20, may_wait=False)
    count = 30_000
    began = time.monotonic()
    for number in range(count):
        os.write(stream.out, noise(number))
    assert time.monotonic() - began < 60
    stream.end()

    def done():
        stream.drain()
        return stream.source.lag_bytes() == 0 and not stream.source._streams[0]._cutter.is_alive()

    wait_for(done, "everything to be taken")
    stream.drain()

    lines = bytes(stream.taken).splitlines(keepends=True)
    assert lines == [noise(int(line[:7])) for line in lines]
    (counters,) = stream.ledger.counters().counters.values()
    _, size, shed = counters.dropped["buffer_full"]
    assert (len(lines) + shed, len(stream.taken) + size) == (count, count * len(noise(0)))
    assert shed > 0


def test_a_process_that_may_wait_loses_nothing(held, wait_for):
    """The spool is full: it waits in its writes, and goes on when there is room."""
    stream = held(4 << 20)
    count = 20_000

    def write():
        for number in range(count):
            os.write(stream.out, noise(number))
        stream.end()

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: stream.source.lag_bytes() >= command.HELD_BYTES, "the memory to be full")
    assert writer.is_alive()

    def done():
        stream.drain()
        return not stream.source._streams[0]._cutter.is_alive()

    wait_for(done, "everything to be taken")
    stream.drain()
    writer.join()

    assert bytes(stream.taken) == b"".join(noise(number) for number in range(count))


def test_a_last_line_without_its_end_is_shipped_when_it_is_old(held, wait_for, monkeypatch):
    """A prompt, say; before that it waits for its end."""
    monkeypatch.setattr(command, "PARTIAL_S", 3600.0)
    stream = held()
    os.write(stream.out, b"line\npar")

    def taken():
        stream.drain()
        return bytes(stream.taken)

    wait_for(lambda: taken() == b"line\n", "the line")
    os.write(stream.out, b"tial")
    wait_for(lambda: stream.source.lag_bytes() == len("partial"), "the partial line to be read")
    early = taken()
    monkeypatch.setattr(command, "PARTIAL_S", 0.0)

    wait_for(lambda: taken() == b"line\npartial", "the partial line")
    assert early == b"line\n"
