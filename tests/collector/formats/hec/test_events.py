"""Splunk's events, told apart."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import Malformed
from collector.formats.hec import events
from collector.formats.hec.codes import refuse

EVENT = b'{"event":"a","time":1}'


def test_events_on_lines_keep_their_bytes():
    """Empty lines stay, blank ones go; whether all carry a time is told."""
    assert events.read(EVENT + b"\n\n" + EVENT + b"\n") == (EVENT + b"\n\n" + EVENT + b"\n", 2, True)
    assert events.read(EVENT + b"\n \r\n\n" + EVENT + b"\n") == (EVENT + b"\n" + EVENT, 2, True)
    assert events.read(EVENT + b'\n{"event":{"x":[1]},"fields":{"a":"b"}}')[1:] == (2, False)


@pytest.mark.parametrize("between", [b"", b" ", b"\r\n\r\n", b"\t"])
def test_events_end_to_end_get_lines(between):
    """Nothing, spaces or blank lines between them, and newlines inside them."""
    pretty = b'{\n  "event": "}{",\r\n "time": "2.5"\n}'

    kept, count, timed = events.read(EVENT + between + pretty + between + EVENT)

    assert (count, timed) == (3, True)
    assert [json.loads(line)["event"] for line in kept.split(b"\n")] == ["a", "}{", "a"]


@pytest.mark.parametrize(
    ("body", "code", "number", "hec"),
    [
        (b"", "empty_body", None, 5),
        (b" \n", "empty_body", None, 5),
        (b"{", "bad_json", "0", 6),
        (EVENT + b"nonsense", "bad_json", "1", 6),
        (EVENT + b'{"time":1}', "hec_event_missing", "1", 12),
        (EVENT + b'\n{"event":""}', "hec_event_blank", "1", 13),
        (b'{"event":null}', "bad_json", "0", 6),
        (b'{"event":"a","fields":5}', "hec_fields", "0", 15),
        (b'{"event":"\xff"}', "bad_json", None, 6),
        (b"[1]", "bad_json", "0", 6),
        (b'{"event":' + b"[" * 100_000, "bad_json", "0", 6),
    ],
)
def test_what_is_no_event_is_refused_by_its_number(body, code, number, hec):
    """With HEC's code, and the number of the event at fault."""
    with pytest.raises(Malformed) as refused:
        events.read(body)
    said = json.loads(refuse(refused.value).body)

    assert (refused.value.code, refused.value.param, said["code"]) == (code, number, hec)
    assert said.get("invalid-event-number") == (int(number) if number else None)


@given(
    st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=8),
    st.sampled_from(["", "\n", " \r\n "]),
    st.sampled_from([None, 2]),
)
def test_whatever_the_texts_every_event_comes_back(texts, between, indent):
    """In order, once, whatever stands between them."""
    body = between.join(json.dumps({"event": text}, indent=indent) for text in texts).encode()

    kept, count, _ = events.read(body)

    assert count == len(texts)
    assert [json.loads(line)["event"] for line in kept.split(b"\n") if line.strip()] == texts
