"""Tracebacks and continued lines become one record each; everything else stays as it is."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.processors.multiline import MAX_RECORD_BYTES, records, tracebacks

PYTHON = b"""Traceback (most recent call last):
  File "a.py", line 1, in <module>
    charge()
    ~~~~~~^^
  [Previous line repeated 990 more times]
ConnectionError: payment is down
"""
DURING = b"\nDuring handling of the above exception, another exception occurred:\n\n"
CAUSED = b"\nThe above exception was the direct cause of the following exception:\n\n"
GROUP = b"""  + Exception Group Traceback (most recent call last):
  |   File "<stdin>", line 3, in <module>
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "<stdin>", line 1, in <module>
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: 2
    +------------------------------------
"""
JAVA = b"""Exception in thread "main" shop.PayException: no stock
\tat shop.Stock.take(Stock.java:7) ~[app.jar:1.0]
\tat shop.Main.main(Main.java:3)
\tSuppressed: java.io.IOException: while closing
\t\tat shop.Res.close(Res.java:9)
\t\t... 1 more
\tCaused by: java.lang.Error: inside
\t\tat shop.Res.open(Res.java:2)
Caused by: java.io.IOException: closed
\tat shop.Net.read(Net.java:1)
\t... 23 more
"""
NODE = b"""TypeError: x is not a function
    at charge (/srv/pay.js:3:7)
    at async Promise.all (index 0)
    at async main (file:///srv/app.mjs:9:3) {
  code: 'ECONNREFUSED',
  [cause]: Error: inner
      at deep (/srv/c.js:2:2)
      at async run (/srv/c.js:8:1)
}
"""
DOTNET = b"""Unhandled exception. System.AggregateException: One or more errors occurred. (no)
 ---> System.InvalidOperationException: no
   at Shop.Pay.Charge() in /src/Pay.cs:line 5
   --- End of inner exception stack trace ---
   at Shop.Pay.Run() in /src/Pay.cs:line 9
--- End of stack trace from previous location ---
   at Shop.Program.Main(String[] args)
"""
GO = b"""panic: runtime error: invalid memory address or nil pointer dereference [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47e1a5]

goroutine 1 gp=0xc000002380 m=0 mp=0x5 [running]:
main.deep(...)
\t/tmp/x.go:8
main.(*Server).Serve(0xc0000, {0x1, 0x2})
\t/tmp/x.go:12 +0x1d

goroutine 18 [select, 2 minutes]:
net/http.(*persistConn).readLoop(0xc00014)
\t/usr/go/src/net/http/transport.go:2205 +0x364
...additional frames elided...
created by main.main in goroutine 1
\t/tmp/x.go:20 +0x85
exit status 2
"""
GO_DEADLOCK = b"""fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/tmp/d.go:5 +0x28
"""
GO_HTTP = b"""2026/11/22 10:00:00 http: panic serving 127.0.0.1:4242: boom
goroutine 34 [running]:
net/http.(*conn).serve.func1()
\t/usr/go/src/net/http/server.go:1801 +0xb9
"""
RUBY = b"""app.rb:3:in `deep': boom (RuntimeError)
\tfrom app.rb:7:in `block in run'
\t ... 12 levels...
\tfrom app.rb:10:in `<main>'
app.rb:1:in `inner': cause (KeyError)
\tfrom app.rb:2:in `deep'
"""
RUBY_34 = b"""app.rb:3:in 'Object#deep': boom (RuntimeError)
\tfrom app.rb:7:in 'Integer#times'
\tfrom app.rb:10:in '<main>'
"""
STACKS = {
    "python": [PYTHON, PYTHON + DURING + PYTHON + CAUSED + PYTHON, GROUP, PYTHON + CAUSED + GROUP],
    "java": [JAVA],
    "node": [NODE],
    "dotnet": [DOTNET],
    "go": [GO, GO_DEADLOCK, GO_HTTP],
    "ruby": [RUBY, RUBY_34],
}
EVERY = [(language, stack) for language, stacks in STACKS.items() for stack in stacks]
AUTO = tracebacks("auto", may_be_wrapped=True)
BEFORE, AFTER = b"2026-11-22 10:00:00 ERROR charge failed\n", b'{"message":"next"}\n'


def crlf(text):
    """As Windows writes it."""
    return text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("ends", [bytes, crlf], ids=["lf", "crlf"])
@pytest.mark.parametrize(("language", "stack"), EVERY)
def test_a_stack_is_one_line(language, stack, ends):
    """By its language or by itself, the whole text stands in ``message``; the lines around it are untouched."""
    for folder in (AUTO, tracebacks(language, may_be_wrapped=False)):
        folded = folder.fold(ends(BEFORE + stack + AFTER))

        first, line, last = folded.splitlines(keepends=True)
        assert (first, last) == (ends(BEFORE), ends(AFTER))
        assert json.loads(line) == {"level": "error", "message": stack.decode().rstrip("\n")}


@pytest.mark.parametrize(("language", "stack"), EVERY)
def test_a_language_folds_its_own_only(language, stack):
    """Java's frames are no matter of Python's, and so on; Node's and .NET's differ by one space."""
    for other in STACKS.keys() - {language}:
        assert tracebacks(other, may_be_wrapped=False).fold(BEFORE + stack) == BEFORE + stack


def test_stacks_beside_each_other_and_lines_between():
    """Each stack is a record, and ordinary lines between them stay where they are."""
    body = b"".join(BEFORE + stack + AFTER for _, stack in EVERY)

    folded = AUTO.fold(body).splitlines(keepends=True)

    assert folded[0::3] == [BEFORE] * len(EVERY)
    assert folded[2::3] == [AFTER] * len(EVERY)
    assert [json.loads(line)["message"] + "\n" for line in folded[1::3]] == [s.decode() for _, s in EVERY]


@pytest.mark.parametrize(
    "body",
    [
        b"a\n  indented yaml: 1\n  more: 2\n",
        b"saw Traceback (most recent call last):\n in a message\n",
        b"Traceback (most recent call last):\n  File x\n2026-11-22 INFO interleaved\n",
        b"Traceback (most recent call last):\n  File x\nINFO started\n",
        b"arrived\n    at noon\n    at last\n",
        b'{"error":"SomeError"}\n{"a":1}\n',
        b"OddError: \xff\xfe\n    at x\n",
        b"goroutine 7 is a word\n\tand a tab\n",
        b"mail\n\tfrom bob\n",
        b"see a.rb:1:in `x'\nplain\n",
    ],
)
def test_what_only_looks_like_a_stack_stays(body):
    """Indented text, quotations, JSON, interleaved lines and text that is not UTF-8 are shipped as they are."""
    assert AUTO.fold(body) == body


def test_a_record_of_more_than_256_kib_stays_lines():
    """Nothing of it is lost."""
    stack = JAVA + b"\tat shop.Deep.down(Deep.java:1)\n" * (MAX_RECORD_BYTES // 30)

    assert AUTO.fold(BEFORE + stack) == BEFORE + stack


def cri(text):
    """Each line as a Kubernetes runtime writes it."""
    return b"".join(b"2026-11-22T10:00:00.1Z stderr F " + line for line in text.splitlines(keepends=True))


def docker(text):
    """Each line as Docker's json-file writes it."""
    return b"".join(
        json.dumps({"log": line, "stream": "stderr", "time": "t"}, separators=(",", ":")).encode() + b"\n"
        for line in text.decode().splitlines(keepends=True)
    )


@pytest.mark.parametrize("wrap", [cri, docker])
@pytest.mark.parametrize(("_language", "stack"), EVERY)
def test_a_wrapped_stack_is_one_wrapped_line(_language, stack, wrap):
    """Inside a container runtime's wrapping the record stands in its first line's, and the other lines are untouched."""
    folded = AUTO.fold(wrap(BEFORE + stack + AFTER))

    first, line, last = folded.splitlines(keepends=True)
    assert (first, last) == (wrap(BEFORE), wrap(AFTER))
    inner = json.loads(line)["log"] if wrap is docker else line.partition(b" F ")[2]
    assert json.loads(inner) == {"level": "error", "message": stack.decode().rstrip("\n")}


def test_lines_that_do_not_match_continue_a_record():
    """One record has the time and level of its first line; single lines, and what is in front, stay."""
    folder = records(r"^\d{4}-", may_be_wrapped=True)
    body = b"  lost head\n2026-11-22 10:00:00,5 WARN a\n  b\n\n2026-11-22 10:00:01 INFO one\n2026-1 c\nd\xc3\xa9\n"

    assert folder.fold(body).splitlines() == [
        b"  lost head",
        b'{"timestamp": "2026-11-22 10:00:00,5", "level": "warn", "message": "2026-11-22 10:00:00,5 WARN a\\n  b"}',
        b"2026-11-22 10:00:01 INFO one",
        b'{"message": "2026-1 c\\nd\xc3\xa9"}',
    ]
    assert b'stderr F {"message": "2026-1 c' in folder.fold(cri(body))


def test_a_json_line_is_continued_inside():
    """Its fields stay its fields, its numbers their text."""
    folder = records(r"^\{", may_be_wrapped=False)

    assert folder.fold(b'{"level":"warn","n":1.50}\r\n  more\r\nlines\r\n') == (
        b'{"level":"warn","n":1.50,"continued":"  more\\nlines"}\n'
    )


@pytest.mark.parametrize(("_language", "stack"), EVERY)
@pytest.mark.parametrize("wrap", [bytes, crlf, cri, docker])
def test_a_stack_that_is_still_being_written_is_waited_for(_language, stack, wrap):
    """Cut behind any line that shows what it is, the settled part ends where the stack begins; so does a whole one."""
    before = wrap(BEFORE * 3)
    lines = stack.splitlines(keepends=True)
    shows = next(
        count
        for count in range(1, len(lines) + 1)
        if lines[count - 1].startswith(
            (
                b"Traceback",
                b"  + ",
                b"panic: ",
                b"fatal error: ",
                b"\tat ",
                b"   at ",
                b"    at ",
                b"\t/",
                b"\tfrom ",
            )
        )
    )
    for count in range(shows, len(lines) + 1):
        partial = b"".join(lines[:count])

        assert AUTO.settled_bytes(before + wrap(partial)) == len(before), partial

    assert AUTO.settled_bytes(before) == len(before)
    assert AUTO.settled_bytes(before + wrap(stack + AFTER)) == len(before + wrap(stack + AFTER))


def test_the_last_record_by_expression_may_grow():
    """It is waited for; so is what has no beginning yet."""
    folder = records(r"^\d", may_be_wrapped=True)

    assert folder.settled_bytes(b"1 a\nb\n2 c\n") == 6
    assert folder.settled_bytes(b"b\n") == 0
    assert folder.settled_bytes(b"1\n" * 100_000) == 199_998


@given(
    st.lists(
        st.sampled_from([*(s for _, s in EVERY), b"line\n", b"  x\n", b"\n", b"Error\n", b"\xff\n", b"\t\n"]),
        max_size=12,
    )
)
def test_no_text_is_lost(parts):
    """Unfolded again, the lines are what went in."""
    body = b"".join(parts)

    unfolded = b""
    for line in AUTO.fold(body).splitlines(keepends=True):
        folded = line.startswith(b'{"level": "error"')
        unfolded += json.loads(line)["message"].encode() + b"\n" if folded else line

    assert unfolded == body


NEAR = [
    b"\n\tat ",
    b"Traceback (most recent call last):\n",
    b"Traceback (most recent call last):\n  x\n",
    PYTHON + DURING,
    b"Error\n    at x\n",
    b"Error\n ---> x\n",
    b" ---> x\n   at y\n",
    b"\tat",
    b"goroutine 1 [",
    b"goroutine 1 [x]:\n",
    b"goroutine 1 [x]:\na\n\tb\n\n",
    b"panic: \n\tpanic: x\n",
    b"a:1:in `x\n\tfrom \n",
    b"\tfrom ",
    b"a:1:in `",
    b"  + Exception Group Traceback (most recent call last):\n  |\n",
]


@pytest.mark.parametrize("near", NEAR)
def test_hostile_lines_take_linear_time(near):
    """Of near matches, four times as many take four times as long, not sixteen."""
    spent = []
    for size in (200_000, 800_000):
        body = near * (size // len(near))
        began = time.thread_time()
        AUTO.fold(body)
        AUTO.settled_bytes(body + b"\tat z\n")
        AUTO.settled_bytes(body)
        spent.append(time.thread_time() - began)

    assert spent[1] < max(8 * spent[0], 0.5)
    assert spent[1] < 10
