"""
Folds tracebacks into one line each, so that a stack is one log record and not thirty.

What is folded (``multiline = "auto"``): Python tracebacks, chained ones too, and stacks whose frames begin with ``at``
(Java, Kotlin, JavaScript, .NET), from the line that names the exception to the last frame. Each becomes one JSON line with
the whole text as ``message`` and ``level`` *error*; every other line stays as it is, the log line in front of a traceback
too. Text that is not UTF-8 is left alone.

As in ``redact``, a C search finds the few places and a pattern is matched only there.
"""

import json
import re
from collections.abc import Iterator

_PYTHON_HEAD = b"Traceback (most recent call last):\n"
_PYTHON_ONE = rb"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n)++[A-Za-z_][^\n]*\n"
_PYTHON = re.compile(
    rb"%b(?:\n(?:During handling|The above exception)[^\n]*\n\n%b)*" % (_PYTHON_ONE, _PYTHON_ONE)
)
_PYTHON_OPEN = re.compile(rb"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n)*+\Z")
_FRAMES = ((b"\tat ", b"\t"), (b"   at ", b"   at "))  # what begins a frame, and what is rare in other lines
_INDENT_BYTES = 32
_HEAD_BYTES = 1 << 13  # a line that names an exception is shorter than this
_STACK = re.compile(
    rb"[^\n\t {][^\n]*\n(?:[ \t]++(?:at |\.\.\. [0-9]++ |Suppressed: |---)[^\n]*\n|Caused by: [^\n]*\n)++"
)
_NAMES_EXCEPTION = re.compile(rb"[^\n]{0,200}?(?:Exception|Error|Throwable)\b")
_MARGIN_BYTES = 1 << 16  # a stack that is still being written is looked for in the last 64 KiB


def fold(body: bytes) -> bytes:
    """Replace each traceback in whole lines by one JSON line."""
    spans = sorted([*_python_spans(body), *_stack_spans(body)])
    pieces: list[bytes] = []
    done = 0
    for start, end in spans:
        if start < done:
            continue
        line = _as_line(body[start:end])
        if line is not None:
            pieces += (body[done:start], line)
            done = end
    return b"".join((*pieces, body[done:])) if pieces else body


def settled_bytes(body: bytes) -> int:
    """
    Say how many bytes of *body* (whole lines) do not end in a stack that may still be growing.

    The rest is worth waiting for, but not long.
    """
    tail = max(0, len(body) - _MARGIN_BYTES)
    opened = body.rfind(_PYTHON_HEAD, tail)
    if opened >= 0 and _at_line_start(body, opened) and _PYTHON_OPEN.match(body, opened):
        return opened
    last = body.rfind(b"\n", tail, len(body) - 1) + 1
    if last and body.startswith((b"\tat ", b"    at ", b"   at ", b"Caused by: "), last):
        start = next((begin for begin, end in _stack_spans(body) if end == len(body)), len(body))
        return start if start >= tail else len(body)
    return len(body)


def _python_spans(body: bytes) -> Iterator[tuple[int, int]]:
    at = body.find(_PYTHON_HEAD)
    while at >= 0:
        found = _PYTHON.match(body, at) if _at_line_start(body, at) else None
        if found:
            yield found.span()
        at = body.find(_PYTHON_HEAD, found.end() if found else at + 1)


def _stack_spans(body: bytes) -> Iterator[tuple[int, int]]:
    for frame, rare in _FRAMES:
        at = body.find(frame) if rare in body else -1
        while at >= 0:
            start = _head_of(body, at)
            found = _STACK.match(body, start) if start >= 0 and _NAMES_EXCEPTION.match(body, start) else None
            if found:
                yield found.span()
            at = body.find(frame, found.end() if found else at + 1)


def _head_of(body: bytes, frame: int) -> int:
    """Give where the line in front of the first frame begins; -1 when the frame does not begin a line."""
    end = body.rfind(b"\n", max(0, frame - _INDENT_BYTES), frame)
    if end < 0 or body[end + 1 : frame].strip():
        return -1
    start = body.rfind(b"\n", max(0, end - _HEAD_BYTES), end)
    return start + 1 if start >= 0 or end <= _HEAD_BYTES else -1


def _at_line_start(body: bytes, at: int) -> bool:
    return at == 0 or body[at - 1] == 10


def _as_line(text: bytes) -> bytes | None:
    try:
        message = text.decode().rstrip("\n")
    except UnicodeDecodeError:
        return None
    return json.dumps({"level": "error", "message": message}, ensure_ascii=False).encode() + b"\n"
