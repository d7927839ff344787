"""The rate limit, by a clock of our own."""

from hypothesis import given
from hypothesis import strategies as st

from agents.processors import Tally
from agents.processors.limit import Limit
from agents.settings_values import LimitSettings


class Source:
    """One source under a limit: ``send`` says how many lines passed."""

    def __init__(self, **settings):
        self.now = 100.0
        self.tally = Tally()
        defaults = {"lines_per_s": 0, "bytes_per_s": 0, "burst_s": 2.0, "resume_ratio": 0.5}
        self.limit = Limit(LimitSettings(**(defaults | settings)), lambda: self.now)

    def send(self, lines, line=b"0123456\n"):
        """So many lines in one block; how many passed."""
        return self.limit(line * lines, self.tally).count(b"\n")

    def seconds(self, count, lines):
        """So many lines per second for so long, in quarters; how many passed."""
        passed = 0
        for _ in range(count * 4):
            self.now += 0.25
            passed += self.send(lines // 4)
        return passed


def test_up_to_the_rate_everything_passes():
    """A source at its rate loses nothing, however long."""
    source = Source(lines_per_s=100)

    assert source.seconds(60, 100) == 6000
    assert not source.tally.shed


def test_a_burst_passes_and_what_is_beyond_is_dropped_and_counted():
    """Two seconds' worth at once, cut at a line's end."""
    source = Source(lines_per_s=100)

    assert source.send(250) == 200
    assert source.tally.shed == {"rate_limited": (50, 50 * 8)}
    assert source.limit.limited


def test_a_limited_source_gets_a_share_until_it_is_quiet():
    """While it storms it gets the resume share, also at rates that would have been fine before; then all again."""
    source = Source(lines_per_s=100)
    source.send(1000)

    assert 480 <= source.seconds(10, 1000) <= 500
    assert 480 <= source.seconds(10, 80) <= 510
    assert source.limit.limited
    source.seconds(3, 40)
    assert not source.limit.limited
    assert source.seconds(10, 100) == 1000


def test_a_long_silence_ends_the_limit():
    """What came before a silence is not held against what comes after it."""
    source = Source(lines_per_s=100)
    source.send(1000)
    source.now += 60

    assert source.send(200) == 200


def test_bytes_are_limited_too_and_a_line_may_overdraw():
    """A line larger than all that may come at once passes, and the next ones pay for it."""
    source = Source(bytes_per_s=100)

    assert source.send(2, b"x" * 999 + b"\n") == 1
    source.now += 1
    assert source.send(1) == 0
    source.now += 60
    assert source.send(25) == 25


def test_a_last_line_without_its_end_is_a_line():
    """It counts, and goes, as one."""
    source = Source(lines_per_s=1, burst_s=1.0)

    assert source.limit(b"a\nb", source.tally) == b"a\n"
    assert source.tally.shed == {"rate_limited": (1, 1)}


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 60)), max_size=30),
    st.sampled_from([(20, 0), (0, 200), (20, 200)]),
)
def test_what_passes_is_bounded_and_the_rest_is_counted(arrivals, rates):
    """Never more than burst + rate x time (+ one line); every line either passes or is counted."""
    source = Source(lines_per_s=rates[0], bytes_per_s=rates[1], burst_s=2.0)
    sent = passed = 0
    for wait, lines in arrivals:
        source.now += wait
        sent += lines
        passed += source.send(lines) if lines else 0

    elapsed = source.now - 100.0
    assert not rates[0] or passed <= rates[0] * (2 + elapsed) + 1
    assert not rates[1] or passed * 8 <= rates[1] * (2 + elapsed) + 8
    assert source.tally.shed.get("rate_limited", (0, 0)) == (sent - passed, (sent - passed) * 8)
