"""Messages of the forward protocol, written to the letter of its specification."""

from __future__ import annotations

import gzip
import json
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import Malformed, TooLarge, Unsupported
from collector.formats.fluent_forward.messages import read, unpacker

LIMIT = 1 << 20
TIME = msgpack.ExtType(0, struct.pack(">II", 1441588984, 5))
EVENTS = [[1441588984, {"log": "a"}], [TIME, {"log": "b", "n": 1, "nested": {"k": [1, None, True]}}]]
LINES = '[1441588984,{"log":"a"}]\n[1441588984000000005,{"log":"b","n":1,"nested":{"k":[1,null,true]}}]\n'
PACKED = b"".join(map(msgpack.packb, EVENTS))


def received(*messages: object, raw: bytes = b"") -> list[object]:
    """What a connection's unpacker makes of them."""
    found = unpacker(LIMIT)
    found.feed(raw or b"".join(map(msgpack.packb, messages)))
    return list(found)


CARRIED = {
    "forward": ["app.web", EVENTS],
    "forward with option": ["app.web", EVENTS, {"size": 2}],
    "packed": ["app.web", PACKED, {"size": 2}],
    "packed, size unsaid": ["app.web", PACKED],
    "compressed": ["app.web", gzip.compress(PACKED), {"compressed": "gzip"}],
    "compressed in members": ["app.web", gzip.compress(msgpack.packb(EVENTS[0])) + gzip.compress(msgpack.packb(EVENTS[1])), {"compressed": "gzip"}],
    "compressed: text": ["app.web", PACKED, {"compressed": "text"}],
}  # fmt: skip


@pytest.mark.parametrize("mode", CARRIED)
def test_each_mode_carries_the_same_events(mode) -> None:
    """An event is a line of JSON, EventTime with its nanoseconds."""
    [message] = received(CARRIED[mode])

    events = read(message, LIMIT)

    assert (events.tag, events.lines.decode(), events.chunk) == ("app.web", LINES, "")


def test_message_mode_carries_one_event_and_an_old_sender_packs_text() -> None:
    """``str`` for packed events is what senders wrote before MessagePack had ``bin``; it need not be UTF-8."""
    [one] = received(["t", 1441588984, {"log": "a"}, {"chunk": "p8n9gmxTQVC8/nh2wlKKeQ=="}])
    [precise] = received(["t", TIME, {"log": "a"}])
    packed = msgpack.packb([1, {"b": b"\xff"}])
    [old] = received(raw=b"\x92\xa1t" + b"\xd9" + bytes([len(packed)]) + packed)

    assert read(one, LIMIT).lines == b'[1441588984,{"log":"a"}]\n'
    assert read(precise, LIMIT).lines == b'[1441588984000000005,{"log":"a"}]\n'
    assert read(one, LIMIT).chunk == "p8n9gmxTQVC8/nh2wlKKeQ=="
    assert read(old, LIMIT).lines == b'[1,{"b":"/w=="}]\n'


def test_what_is_no_text_is_kept_readable() -> None:
    """Bytes that are no UTF-8, keys that are numbers, extensions nobody knows, NaN."""
    [message] = received(["t", 1, {1: "one", "e": msgpack.ExtType(7, b"\x01"), "nan": float("nan")}])
    [broken] = received(raw=b"\x93\xa1t\x01\x81\xa1k\xa2\xff\xfe")

    assert json.loads(read(message, LIMIT).lines) == [1, {"1": "one", "e": "01", "nan": None}]
    assert json.loads(read(broken, LIMIT).lines) == [1, {"k": "\\xff\\xfe"}]


@pytest.mark.parametrize(
    "message",
    [
        None, 1, "x", [], ["t"], ["t", 1], ["t", 1, "no record"], [1, 1, {}], ["t", [1]], ["t", [[1]]], ["t", [[1, {}, 2]]], ["t", [[1, "x"]]],
        ["t", PACKED[:-1]], ["t", b"\xc1"], ["t", PACKED, {"compressed": "gzip"}], ["t", gzip.compress(PACKED)[:-4], {"compressed": "gzip"}],
        {"ack": "x"}, ["PING", "h", b"s", "d", "", ""],
    ],
)  # fmt: skip
def test_anything_else_is_refused(message) -> None:
    """With a sentence, whatever it is."""
    with pytest.raises(Malformed) as refused:
        read(message, LIMIT)

    assert refused.value.code == "bad_forward"


def test_a_bomb_and_other_signals_are_refused() -> None:
    """By their size undone; by what they say they are."""
    with pytest.raises(TooLarge):
        read(["t", gzip.compress(bytes(LIMIT + 2)), {"compressed": "gzip"}], LIMIT)
    with pytest.raises(Unsupported, match="OTLP"):
        read(["t", b"", {"fluent_signal": 1}], LIMIT)


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.none() | st.lists(st.text(), max_size=3), max_size=4), max_size=6),
    st.integers(1, 20),
)  # fmt: skip
def test_any_record_comes_through_however_it_is_cut(records, cut) -> None:
    """Whatever the packets are, and whatever is in a record."""
    data = msgpack.packb(["t", [[1, record] for record in records]])
    found = unpacker(LIMIT)
    messages = []
    for start in range(0, len(data), cut):
        found.feed(data[start : start + cut])
        messages += list(found)

    [message] = messages
    lines = read(message, LIMIT).lines.splitlines() if records else []
    assert [json.loads(line) for line in lines] == [[1, record] for record in records]
