"""Sampling: which severity a line has, that errors always stay, and that the share is the one asked for."""

import pytest

from agents.processors import Tally
from agents.processors.sample import Sampler
from agents.settings_values import SampleSettings

NOTHING = SampleSettings(trace=0.0, debug=0.0, info=0.0, warn=0.0)
BELOW_ERROR = [
    b'{"level":"debug","m":1}',
    b'{"time":1,"level": "INFO"}',
    b'{"level":30,"msg":"pino"}',
    b'{"severity":"WARNING"}',
    b'{"log.level":"trace"}',
    b'{"levelname":"Info"}',
    b'{"Level":"Information","m":"serilog"}',
    b'{"@l":"Debug"}',
    b'{"lvl":"dbg"}',
    b"time=1 level=info msg=x",
    b'level="warn" msg=x',
    b"2026-11-22 10:00:00,123 DEBUG worker: x",
    b"2026-11-22 10:00:00 [info] nginx",
    b"INFO:root:started",
    b"I1122 10:00:00.000000 1 main.go:3] klog",
    b'2026-11-22T10:00:00.1Z stdout F {"level":"debug"}',
    b"2026-11-22T10:00:00.1Z stdout F 10:00 DEBUG x",
    b'{"log":"{\\"level\\":\\"debug\\"}\\n","stream":"stdout","time":"t"}',
    b'{"log":"10:00 INFO x\\n","stream":"stdout","time":"t"}',
]
ALWAYS_KEPT = [
    b'{"level":"error","m":"level=debug"}',
    b'{"m":"level=debug","severity":"ERROR"}',
    b'{"m":"{\\"level\\":\\"debug\\"}","level":"fatal"}',
    b'{"level":50}',
    b'{"level":6,"short_message":"GELF counts otherwise"}',
    b"2026 ERROR level=debug",
    b"time=1 lvl=eror msg=unknown",
    b"E1122 10:00:00.000000 1 main.go:3] klog",
    b"just some text about debug",
    b"[error] 12#12: *1 connect() failed",
    b'{"m":"no level at all"}',
    b"",
    b"\xff\xfe",
]


@pytest.mark.parametrize("line", BELOW_ERROR)
def test_a_line_below_error_is_sampled(line):
    """Every usual way to say trace, debug, info and warn is understood."""
    tally = Tally()

    assert Sampler(NOTHING)(line + b"\n", tally) == b""
    assert tally.shed == {"sampled": (1, len(line) + 1)}


@pytest.mark.parametrize("line", ALWAYS_KEPT)
def test_errors_and_unclear_lines_always_stay(line):
    """A line that names an error anywhere, or a level nobody knows, or none, is kept."""
    tally = Tally()

    assert Sampler(NOTHING)(line + b"\n", tally) == line + b"\n"
    assert not tally.shed


def test_the_share_is_kept_and_counted():
    """Of each severity its own share, of errors all; lines and bytes add up; the second time is as the first."""
    levels = (b"debug", b"info", b"error")
    body = b"".join(b'{"level":"%b","n":%d}\n' % (levels[n % 3], n) for n in range(30_000))
    sampler = Sampler(SampleSettings(trace=0.0, debug=0.1, info=0.5, warn=1.0))
    tally = Tally()

    left = sampler(body, tally)

    assert 850 < left.count(b"debug") < 1150
    assert 4800 < left.count(b"info") < 5200
    assert left.count(b"error") == 10_000
    assert tally.shed["sampled"] == (30_000 - left.count(b"\n"), len(body) - len(left))
    assert sampler(left, Tally()) == left
    assert sampler(body, Tally()) == left


def test_made_up_levels_do_not_fill_the_memory():
    """What distinct levels mean is forgotten when there are too many of them."""
    sampler = Sampler(NOTHING)
    body = b"".join(b'{"level":"x%b"}\n' % bytes(97 + int(d) for d in str(n)) for n in range(20_000))

    assert sampler(body, Tally()) == body
    assert len(sampler._limits) <= 4096
