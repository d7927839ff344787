"""Where one message of a TCP stream ends."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.formats.syslog.framing import MAX_MESSAGE_BYTES, Framer

TEXT = st.binary(min_size=1, max_size=30).map(
    lambda raw: b"<13>" + raw.translate(None, b"\n\r\0").replace(b"\t", b" ") + b"."
)


def fed(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Feed *stream* in pieces cut at *cuts*, then end it."""
    framer, found, last = Framer(), [], 0
    for cut in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
        found += framer.feed(stream[last:cut])
        last = cut
    return found + framer.end()


@given(
    st.lists(st.tuples(TEXT, st.sampled_from([b"counted", b"\n", b"\r\n", b"\0"])), max_size=10),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_whatever_the_framing_and_the_packets_every_message_comes_out(messages, cuts):
    """Counted and ended messages mixed on one connection, cut anywhere."""
    stream = b"".join(
        b"%d %s" % (len(text), text) if how == b"counted" else text + how for text, how in messages
    )

    assert fed(stream, cuts) == [text for text, _ in messages]


def test_a_counted_message_may_hold_newlines():
    """They are the message's; a NUL is not, it stands between messages from here on."""
    assert fed(b"9 <13>a\nb\0c\n<13>next\n", [3, 7]) == [b"<13>a\nbc", b"<13>next"]


@pytest.mark.parametrize("counted", [True, False])
def test_a_message_that_is_too_long_is_cut_and_counted(counted):
    """Its neighbours are whole; of a counted one the rest is passed over, also over many packets."""
    long = b"<13>" + b"x" * (2 * MAX_MESSAGE_BYTES)
    stream = (b"%d %s" % (len(long), long) if counted else long + b"\n") + b"<13>next\n"

    framer, found = Framer(), []
    for start in range(0, len(stream), 65536):
        found += framer.feed(stream[start : start + 65536])

    assert found[0] == long[:MAX_MESSAGE_BYTES]
    assert found[-1] == b"<13>next"
    assert framer.cut == (1 if counted else 2)


def test_an_end_without_an_end_is_a_message_and_half_a_counted_one_is_not():
    """What a sender that was cut off began to count is not there to be kept."""
    assert fed(b"<13>whole\n<13>rest", []) == [b"<13>whole", b"<13>rest"]
    assert fed(b"100 <13>half", []) == []
    assert fed(b"\n\r\n \n", []) == []


def test_hostile_streams_take_memory_for_one_message_only():
    """A count of seven digits, digits without end, and nothing but newlines are bounded."""
    source = random.Random(1)
    for stream in (
        b"9999999 " + b"x" * 3_000_000,
        b"1" * 3_000_000,
        b"\n" * 1_000_000,
        source.randbytes(2_000_000),
    ):
        framer = Framer()
        for start in range(0, len(stream), 65536):
            framer.feed(stream[start : start + 65536])
            assert len(framer._rest) <= MAX_MESSAGE_BYTES + 65536
