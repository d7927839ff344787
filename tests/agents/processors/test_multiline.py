"""Tracebacks become one record each; everything else stays as it is."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.processors.multiline import fold, settled_bytes

PYTHON = b"""Traceback (most recent call last):
  File "a.py", line 1, in <module>
    charge()
ConnectionError: payment is down
"""
CHAINED = PYTHON + b"\nDuring handling of the above exception, another exception occurred:\n\n" + PYTHON
JAVA = b"""java.lang.IllegalStateException: no stock
\tat shop.Stock.take(Stock.java:7)
\tat shop.Main.main(Main.java:3)
Caused by: java.io.IOException: closed
\t... 2 more
"""
NODE = b"""TypeError: x is not a function
    at charge (/srv/pay.js:3:7)
    at process.main (node:internal:1)
"""
DOTNET = b"""Unhandled exception. System.InvalidOperationException: no
   at Shop.Pay.Charge() in /src/Pay.cs:line 5
"""


@pytest.mark.parametrize("stack", [PYTHON, CHAINED, JAVA, NODE, DOTNET])
def test_a_stack_is_one_line(stack):
    """The whole text stands in ``message``; the lines around it are untouched."""
    before, after = b"2026-11-22 ERROR charge failed\n", b'{"message":"next"}\n'

    folded = fold(before + stack + after)

    first, line, last = folded.splitlines(keepends=True)
    assert (first, last) == (before, after)
    assert json.loads(line) == {"level": "error", "message": stack.decode().rstrip("\n")}


@pytest.mark.parametrize(
    "body",
    [
        b"a\n  indented yaml: 1\n  more: 2\n",
        b"saw Traceback (most recent call last):\n in a message\n",
        b"arrived\n    at noon\n    at last\n",
        b'{"error":"SomeError"}\n{"a":1}\n',
        b"OddError: \xff\xfe\n    at x\n",
    ],
)
def test_what_only_looks_like_a_stack_stays(body):
    """Indented text, quotations, JSON and text that is not UTF-8 are shipped as they are."""
    assert fold(body) == body


@pytest.mark.parametrize("stack", [PYTHON, JAVA])
def test_a_stack_that_is_still_being_written_is_waited_for(stack):
    """Cut behind any of its lines but the last, the settled part ends where the stack begins."""
    lines = stack.splitlines(keepends=True)
    for count in range(2, len(lines)):
        partial = b"".join(lines[:count])
        if partial.endswith(b"2 more\n"):
            continue

        assert settled_bytes(b"x\n" + partial) == 2

    assert settled_bytes(b"x\ny\n") == 4
    assert settled_bytes(b"x\n" + PYTHON) == 2 + len(PYTHON)


@given(
    st.lists(
        st.sampled_from([PYTHON, JAVA, NODE, b"line\n", b"  x\n", b"\n", b"Error\n", b"\xff\n"]), max_size=12
    )
)
def test_no_text_is_lost(parts):
    """Unfolded again, the lines are what went in."""
    body = b"".join(parts)

    unfolded = b""
    for line in fold(body).splitlines(keepends=True):
        folded = line.startswith(b'{"level": "error"')
        unfolded += json.loads(line)["message"].encode() + b"\n" if folded else line

    assert unfolded == body


def test_hostile_lines_take_linear_time():
    """A megabyte of near matches is done within seconds."""
    began = time.process_time()

    for near in (
        b"\n\tat " * 150_000,
        b"Traceback (most recent call last):\n" * 28_000,
        b"Error\n    at x\n" * 70_000,
    ):
        fold(near)
        settled_bytes(near + b"\tat z\n")
    fold(b"Error " + b"\tat" * 300_000 + b"\n\tat x\n")

    assert time.process_time() - began < 10


def test_a_growing_traceback_is_shipped_as_one_record(tmp_path, collector, agent, wait_for, follow_toml):
    """Written in two parts a moment apart, it is one line; one that never ends is shipped all the same."""
    log = tmp_path / "app.log"
    head, tail = PYTHON[:60], PYTHON[60:]
    log.write_bytes(b"one\n" + head[: head.rfind(b"\n") + 1])
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: b"one" in collector.lines(), "the first line")
    with log.open("ab") as file:
        file.write(head[head.rfind(b"\n") + 1 :] + tail + b"two\n" + JAVA)

    wait_for(lambda: len(collector.lines()) == 4, "four records")

    folded = [json.loads(line)["message"] for line in collector.lines() if line.startswith(b"{")]
    assert sorted(folded) == sorted(text.decode().rstrip("\n") for text in (PYTHON, JAVA))
