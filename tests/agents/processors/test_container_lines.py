"""Lines that a container runtime has cut are one record again."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.processors.container_lines import join_cri, join_docker, settled_cri, settled_docker


def cri(stream, tag, text):
    """One line as the kubelet's runtime writes it."""
    return b"2026-11-27T10:00:00.123456789Z %s %s %s\n" % (stream, tag, text)


def docker(text, stream="stdout"):
    """One line of docker's json-file."""
    record = {"log": text, "stream": stream, "time": "2026-11-27T10:00:00.1Z"}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def test_cri_pieces_become_one_line():
    """P, P, F of one stream are one F line; whole lines around them stay."""
    body = cri(b"stdout", b"F", b"before") + cri(b"stdout", b"P", b"aa ") + cri(b"stdout", b"P", b"bb ")
    body += cri(b"stdout", b"F", b"cc") + cri(b"stdout", b"F", b"after")

    joined = join_cri(body)

    assert joined.splitlines(keepends=True) == [
        cri(b"stdout", b"F", b"before"),
        cri(b"stdout", b"F", b"aa bb cc"),
        cri(b"stdout", b"F", b"after"),
    ]


def test_interleaved_streams_are_joined_each_for_itself():
    """A line of stderr between two pieces of stdout belongs to neither."""
    body = cri(b"stdout", b"P", b"o1 ") + cri(b"stderr", b"P", b"e1 ") + cri(b"stdout", b"F", b"o2")
    body += cri(b"stderr", b"F", b"e2")

    assert join_cri(body) == cri(b"stdout", b"F", b"o1 o2") + cri(b"stderr", b"F", b"e1 e2")


def test_docker_pieces_become_one_line():
    """Records whose log has no newline at its end are joined with the following ones of their stream."""
    body = docker("whole\n") + docker("a\\n") + docker("noise\n", "stderr") + docker('"b" ') + docker("c\n")

    assert join_docker(body) == (docker("whole\n") + docker("noise\n", "stderr") + docker('a\\n"b" c\n'))


def test_what_only_looks_like_pieces_stays():
    """Text that mentions a tag, JSON with a stream of its own, and plain lines come out as they went in."""
    body = cri(b"stdout", b"F", b" stdout P x") + b'" stdout P "\n{"message":"x","stream":"stdout"}\nplain\n'

    assert join_cri(body) == body
    assert join_docker(body) == body
    assert settled_cri(body) == settled_docker(body) == len(body)


def test_a_record_without_its_end_is_worth_waiting_for():
    """Everything in front of the first open record may be cut; unended pieces are left as they are."""
    whole = cri(b"stdout", b"F", b"whole")
    piece = cri(b"stdout", b"P", b"piece")

    assert settled_cri(whole + piece + cri(b"stderr", b"F", b"other")) == len(whole)
    assert join_cri(whole + piece) == whole + piece
    assert settled_docker(docker("x\n") + docker("open")) == len(docker("x\n"))


@given(
    records=st.lists(
        st.tuples(
            st.sampled_from([b"stdout", b"stderr"]), st.lists(st.binary(max_size=9), min_size=1, max_size=4)
        ),
        max_size=12,
    ),
    seed=st.integers(0, 9),
)
@pytest.mark.parametrize("format_", ["cri", "docker"])
def test_joining_gives_back_what_was_written(format_, records, seed):
    """However the two streams are interleaved, each stream's texts come back whole and in order."""
    records = [
        (stream, [text.replace(b"\n", b" ").replace(b"\r", b" ") for text in texts])
        for stream, texts in records
    ]
    queues = {name: [] for name in (b"stdout", b"stderr")}
    for stream, texts in records:
        queues[stream] += wrapped(format_, stream, texts)
    body = b"".join(interleaved(list(queues.values()), random.Random(seed)))

    joined = (join_cri if format_ == "cri" else join_docker)(body)

    for name in queues:
        assert texts_of(format_, name, joined) == [
            b"".join(texts) for stream, texts in records if stream == name
        ]
    assert (settled_cri if format_ == "cri" else settled_docker)(body) == len(body)


def wrapped(format_, stream, texts):
    """The lines of one record."""
    if format_ == "cri":
        return [cri(stream, b"P", text) for text in texts[:-1]] + [cri(stream, b"F", texts[-1])]
    pieces = [text.decode("latin-1") for text in texts]
    return [docker(text, stream.decode()) for text in pieces[:-1]] + [
        docker(pieces[-1] + "\n", stream.decode())
    ]


def interleaved(queues, source):
    """Lines of several queues in some order that keeps each queue's."""
    queues = [list(queue) for queue in queues if queue]
    while queues:
        queue = source.choice(queues)
        yield queue.pop(0)
        queues = [one for one in queues if one]


def texts_of(format_, stream, body):
    """What one stream's lines say."""
    if format_ == "cri":
        mark = b" %s F " % stream
        return [line.partition(mark)[2] for line in body.split(b"\n") if mark in line[:64]]
    found = [json.loads(line) for line in body.split(b"\n") if line]
    return [
        one["log"].removesuffix("\n").encode("latin-1") for one in found if one["stream"] == stream.decode()
    ]
