r"""
Where tracebacks stand in a block, for the runtimes that write them over many lines.

``python``  chained ones (*During handling of …*) and exception groups' boxes as one; no source line of it may be empty
``java``    and Kotlin, Scala: ``\tat``, *Caused by*, *Suppressed*, *… 23 more*
``node``    ``    at``, *at async*, and the ``{ [cause]: … }`` behind the frames
``dotnet``  ``   at``, ``---> ``, *End of inner exception stack trace*
``go``      a panic or fatal error with all its goroutines, or goroutines alone, and *exit status*
``ruby``    ``\tfrom``, with the method quoted in either way, and its causes

Each begins at the line that names the exception; the log line in front of it is a record of its own, and so is every line
that does not belong to it. CRLF is a line's end, too. A C search finds the few places where a traceback can be (a block
without tabs has none of Java, Go and Ruby); patterns are matched only there and use possessive repetition: linear time.

Sources: traceback.py; Throwable.printStackTrace; V8's stack trace API and util.inspect; Exception.ToString; runtime/traceback.go;
Ruby's error.c.
"""

import re
from collections.abc import Callable, Iterator

Span = tuple[int, int]
Find = Callable[[bytes], Iterator[Span]]

_HEAD_BYTES = 1 << 13  # a line that names an exception is shorter than this
_INDENT_BYTES = 32
_BACK_LINES = 16  # between the line that names the exception and the first frame

_PY_TITLE = b"Traceback (most recent call last):"
_PY_BOX = b"  + Exception Group "
_PY_HEAD = rb"Traceback \(most recent call last\):[ \t]*+\r?\n"
_PY_FRAMES = rb"(?:[ \t][^\n]*\n)"
_PY_OPEN = _PY_HEAD + _PY_FRAMES + rb"*+"
_PY_LAST = rb"[A-Za-z_\x80-\xff][\w.<>\x80-\xff]*+(?::[ \t][^\n]*|:?\r?)\n"
_PY_GROUP = rb"  \+ Exception Group " + _PY_HEAD + rb"(?: ++[|+][^\n]*\n)++"
_PY_ONE = rb"(?:%b%b++%b|%b)" % (_PY_HEAD, _PY_FRAMES, _PY_LAST, _PY_GROUP)
_PY_ANOTHER = (
    rb"\r?\n(?:During handling of the above exception|The above exception was the direct)[^\n]*\n\r?\n"
)
_PYTHON = re.compile(rb"%b(?:%b%b)*+" % (_PY_ONE, _PY_ANOTHER, _PY_ONE))
_PYTHON_OPEN = re.compile(_PY_OPEN + rb"\Z")

_HEAD = rb"Traceback \(most recent call last\):[ \t]*+\r?\n"
_PY_FRAMES = rb"(?:[ \t][^\n]*\n)"
_PY_OPEN = _PY_HEAD + _PY_FRAMES + rb"*+"
_PY_LAST = rb"[A-Za-z_\x80-\xff][\w.<>\x80-\xff]*+(?::[ \t][^\n]*|:?\r?)\n"
_PY_GROUP = rb"  \+ Exception Group " + _PY_HEAD + rb"(?: ++[|+][^\n]*\n)++"
_PY_ONE = rb"(?:%b%b++%b|%b)" % (_PY_HEAD, _PY_FRAMES, _PY_LAST, _PY_GROUP)
_PY_ANOTHER = (
    rb"\r?\n(?:During handling of the above exception|The above exception was the direct)[^\n]*\n\r?\n"
)
_PYTHON = re.compile(rb"%b(?:%b%b)*+" % (_PY_ONE, _PY_ANOTHER, _PY_ONE))
_PYTHON_OPEN = re.compile(
    rb"(?:%b%b)*+(?:%b|%b|%b%b)\Z"
    % (_PY_ONE, _PY_ANOTHER, _PY_GROUP, _PY_OPEN, _PY_ONE, _PY_ANOTHER.removesuffix(rb"\r?\n"))
)

_HEAD = rb"[^\n\t {][^\n]*\n"
_JAVA = (
    rb"(?:[ \t]++(?:at |\.\.\. [0-9]++ |Suppressed: |Caused by: |Wrapped by: |\[CIRCULAR )[^\n]*\n"
    rb"|(?:Caused by|Wrapped by): [^\n]*\n)"
)
_NODE = rb"(?: {4,}+at [^\n]*\n)"
_NODE_END = rb"(?:(?:(?<= \{\n)|(?<= \{\r\n))(?:[ \t]++[^\n]*\n)*+\}[^\n]*\n)?"
_DOTNET = rb"(?: {3}at [^\n]*\n| ++--->? [^\n]*\n|--- End of [^\n]*\n)"
_NAMES_EXCEPTION = re.compile(rb"[^\n]{0,512}?(?:Exception|Error|Throwable)\b")

_GO_ROUTINE = rb"goroutine [0-9]++ [^\n\[]*+\[[^\n]*\]:\r?\n"
_GO_FRAMES = rb"(?:[^\s{][^\n]*\n\t[^\n]*\n|\.\.\.[^\n]*\n|\tgoroutine running [^\n]*\n)++"
_GO_CAUSE = rb"(?:(?:panic|fatal error): [^\n]*\n(?:\tpanic: [^\n]*\n|\[(?:signal|originating) [^\n]*\n)*+\r?\n?|[^\n]*\bpanic serving [^\n]*\n)?"
_GO = re.compile(
    rb"%b%b%b(?:\r?\n%b%b)*+(?:exit status [0-9]++\r?\n)?"
    % (_GO_CAUSE, _GO_ROUTINE, _GO_FRAMES, _GO_ROUTINE, _GO_FRAMES)
)
_GO_OPEN = re.compile(rb"%b(?:%b(?:[^\s{][^\n]*\n)?)?\Z" % (_GO_CAUSE, _GO_ROUTINE))
_GO_BETWEEN = (b"\tpanic: ", b"[signal ", b"[originating ")
_GO_NAMES = re.compile(rb"panic: |fatal error: |[^\n]*\bpanic serving ")

_RUBY_NAMES = re.compile(rb"[^\n\t {][^\n]*:[0-9]++:in [`'][^\n]*\n")
_RUBY = re.compile(rb"(?:%b(?:\tfrom [^\n]*\n|\t[ \t]*+\.\.\. [^\n]*\n)++)++" % _RUBY_NAMES.pattern)
_MORE = re.compile(
    rb"(?:[ \t][^\n]*\n|\r?\n|During handling of [^\n]*\n|The above exception [^\n]*\n|Traceback [^\n]*\n"
    rb"|goroutine [^\n]*\n|[^\n ]*:[0-9]++:in [^\n]*\n)*+(?:[^\s{][^\n]*(?:\)|in goroutine [0-9]++)\r?\n)?\Z"
)


def python(body: bytes) -> Iterator[Span]:
    """Find Python's."""
    at = body.find(_PY_TITLE)
    while at >= 0:
        start = _python_start(body, at)
        found = _PYTHON.match(body, start) if start >= 0 else None
        if found:
            yield found.span()
        at = body.find(_PY_TITLE, found.end() if found else at + 1)


def may_go_on(rest: bytes) -> bool:
    """Say whether *rest*, from a traceback's end to the end of what is there, could turn out to belong to it."""
    return _MORE.match(rest) is not None


def python_open(body: bytes) -> int:
    """Give where a traceback of Python's begins of which *body* has no last line yet; -1 when there is none."""
    at = body.rfind(_PY_TITLE)
    start = _python_start(body, at) if at >= 0 else -1
    return start if start >= 0 and _PYTHON_OPEN.match(body, at) else -1


def go_open(body: bytes) -> int:
    """Give where a panic of Go's begins of which *body* has no frame yet; -1 when there is none."""
    for title in (b"panic: ", b"fatal error: "):
        at = body.rfind(b"\n" + title) + 1
        if body.startswith(title, at) and _GO_OPEN.match(body, at):
            return at
    return -1


def _python_start(body: bytes, at: int) -> int:
    """Give the line's beginning when the title *at* is the line's own, perhaps in an exception group's box."""
    if at == 0 or body[at - 1] == 10:
        return at
    start = at - len(_PY_BOX)
    return start if start >= 0 and body.startswith(_PY_BOX, start) and _begins_line(body, start) else -1


def _stacks(frame: bytes, rare: bytes, pattern: re.Pattern[bytes]) -> Find:
    """Make a finder of stacks whose frames begin with *frame*; a body without *rare* has none."""

    def find(body: bytes) -> Iterator[Span]:
        at = body.find(frame) if rare in body else -1
        while at >= 0:
            start = _named_above(body, at)
            found = pattern.match(body, start) if start >= 0 else None
            if found:
                yield found.span()
            at = body.find(frame, found.end() if found and found.end() > at else at + 1)

    return find


def _named_above(body: bytes, frame: int) -> int:
    """Give where the line that names the exception begins, above the first frame; -1 when there is none."""
    end = body.rfind(b"\n", max(0, frame - _INDENT_BYTES), frame)
    if end < 0 or body[end + 1 : frame].strip():
        return -1
    start = _line_before(body, end + 1)
    for _ in range(_BACK_LINES):
        if start <= 0 or not body.startswith((b" ---> ", b"  ---> "), start):
            break
        start = _line_before(body, start)
    return start if start >= 0 and _NAMES_EXCEPTION.match(body, start) else -1


def go(body: bytes) -> Iterator[Span]:
    """Find Go's."""
    at = body.find(b"goroutine ") if b"\t" in body else -1
    while at >= 0:
        found = _GO.match(body, _go_start(body, at)) if _begins_line(body, at) else None
        if found and found.end() > at:
            yield found.span()
            at = found.end() - 1
        at = body.find(b"goroutine ", at + 1)


def _go_start(body: bytes, routine: int) -> int:
    """Give where the panic above a goroutine begins, else the goroutine itself."""
    start = _line_before(body, routine)
    if start >= 0 and not body[start:routine].strip():
        start = _line_before(body, start)
    for _ in range(_BACK_LINES):
        if start <= 0 or not body.startswith(_GO_BETWEEN, start):
            break
        start = _line_before(body, start)
    return start if start >= 0 and _GO_NAMES.match(body, start) else routine


def ruby(body: bytes) -> Iterator[Span]:
    """Find Ruby's."""
    at = body.find(b"\tfrom ") if b"\t" in body else -1
    while at >= 0:
        start = _line_before(body, at) if _begins_line(body, at) else -1
        found = _RUBY.match(body, start) if start >= 0 and _RUBY_NAMES.match(body, start) else None
        if found and found.end() > at:
            yield found.span()
            at = found.end() - 1
        at = body.find(b"\tfrom ", at + 1)


def _line_before(body: bytes, start: int) -> int:
    """Give where the line before the one at *start* begins; -1 when there is none, or it is very long."""
    if start <= 0:
        return -1
    end = start - 1
    before = body.rfind(b"\n", max(0, end - _HEAD_BYTES), end)
    return before + 1 if before >= 0 or end <= _HEAD_BYTES else -1


def _begins_line(body: bytes, at: int) -> bool:
    return at == 0 or body[at - 1] == 10


def _head_and(*parts: bytes, end: bytes = b"") -> re.Pattern[bytes]:
    return re.compile(rb"%b(?:%b)++%b" % (_HEAD, b"|".join(parts), end))


_ANY_STACK = _head_and(_JAVA, _NODE, _DOTNET, end=_NODE_END)
LANGUAGES: dict[str, tuple[Find, ...]] = {
    "python": (python,),
    "java": (_stacks(b"\tat ", b"\t", _head_and(_JAVA)),),
    "node": (_stacks(b"    at ", b"    at ", _head_and(_NODE, end=_NODE_END)),),
    "dotnet": (_stacks(b"   at ", b"   at ", _head_and(_DOTNET)),),
    "go": (go,),
    "ruby": (ruby,),
    "auto": (
        python,
        _stacks(b"\tat ", b"\t", _ANY_STACK),
        _stacks(b"   at ", b"   at ", _ANY_STACK),
        go,
        ruby,
    ),
}
OPEN: dict[str, tuple[Callable[[bytes], int], ...]] = {
    "python": (python_open,),
    "go": (go_open,),
    "auto": (python_open, go_open),
}
MARKS = (b"Traceback (most", b"\tat ", b"   at ", b"goroutine ", b"panic: ", b"fatal error: ", b"\tfrom ")
"""What every traceback holds."""
