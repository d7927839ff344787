"""
Folds tracebacks, or lines that continue a record, into one line each, so that a stack is one log record and not thirty.

``multiline = "auto"`` or a language: ``tracebacks`` finds them; each becomes one JSON line with the whole text as ``message``
and ``level`` *error*. ``multiline_start``: ``continued`` finds records of several lines; each becomes one JSON line with the
time and the level that its first line names, or, when that is a JSON object itself, that object with the rest in ``continued``.
Every other line stays as it is, byte for byte.

Inside a container runtime's wrapping (``wrapped``) the same happens to what is wrapped, and the record is wrapped as its
first line was. Text that is not UTF-8, and a record of more than ``MAX_RECORD_BYTES``, is left as the lines it is: nothing is lost.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from agents.processors.tracebacks import LANGUAGES, MARKS, OPEN, Find, Span, may_go_on
from agents.processors.wrapped import Wrapping, wrapping_of

MAX_RECORD_BYTES = 1 << 18
MARGIN_BYTES = 1 << 16  # a record that is still being written is looked for in the last 64 KiB
Render = Callable[[str], str]


class Folder:
    """
    Folds what *find* finds.

    Args:
        find: Gives the spans of records in plain lines, in any order; of those that overlap the first counts.
        open_at: Gives where a record begins that plain lines end in the midst of; -1 when there is none.
        render: Makes a JSON object of a record's text.
        marks: A block that holds none of them has no records.
        may_be_wrapped: The lines may stand in a container runtime's wrapping.
    """

    def __init__(
        self,
        find: Callable[[bytes], Iterable[Span]],
        open_at: Callable[[bytes], int],
        render: Render,
        marks: Sequence[bytes],
        *,
        may_be_wrapped: bool,
    ) -> None:
        self._find = find
        self._open_at = open_at
        self._render = render
        self._marks = marks
        self._may_be_wrapped = may_be_wrapped

    def fold(self, body: bytes) -> bytes:
        """Replace each record in whole lines by one line."""
        wrapping = wrapping_of(body) if self._may_be_wrapped else None
        if wrapping is None:
            return self._fold_plain(body)
        if not wrapping.may_hold(body, self._marks):
            return body
        return self._fold_wrapped(body, wrapping)

    def settled_bytes(self, body: bytes) -> int:
        """
        Say how many bytes of *body* (whole lines) do not end in a record that may still be growing.

        The rest is worth waiting for, but not long.
        """
        tail = body.find(b"\n", len(body) - MARGIN_BYTES) + 1 if len(body) > MARGIN_BYTES else 0
        end = body[tail:]
        wrapping = wrapping_of(end) if self._may_be_wrapped else None
        if wrapping is None:
            opened = self._opened(end)
        else:
            plain = wrapping.unwrap(end) if wrapping.may_hold(end, self._marks) else None
            opened = self._opened(plain) if plain is not None else -1
            if opened >= 0 and plain is not None:
                opened = _line_start(end, plain.count(b"\n", 0, opened))
        return len(body) if opened < 0 or (tail and not opened) else tail + opened

    def _opened(self, plain: bytes) -> int:
        """Give where a record begins that *plain* ends with, whole or not; -1 when there is none."""
        opened = self._open_at(plain)
        last = max(self._find(plain), default=None)
        if last is not None and may_go_on(plain[last[1] :]):
            return min(last[0], opened) if opened >= 0 else last[0]
        return opened

    def _fold_plain(self, body: bytes) -> bytes:
        pieces: list[bytes] = []
        done = 0
        for start, end in sorted(self._find(body)):
            line = self._line(body[start:end]) if start >= done else None
            if line is not None:
                pieces += (body[done:start], line, b"\n")
                done = end
        return b"".join((*pieces, body[done:])) if pieces else body

    def _fold_wrapped(self, body: bytes, wrapping: Wrapping) -> bytes:
        """Find in what is wrapped, line for line; put each record in its first line's wrapping."""
        plain = wrapping.unwrap(body)
        spans = sorted(self._find(plain)) if plain is not None else []
        if plain is None or not spans:
            return body
        lines = body.split(b"\n")
        kept: list[bytes] = []
        done = place = number = 0
        for start, end in spans:
            line = self._line(plain[start:end]) if start >= place else None
            if line is None:
                continue
            number += plain.count(b"\n", place, start)
            kept += lines[done:number]
            kept.append(wrapping.rewrap(lines[number], line))
            number += plain.count(b"\n", start, end)
            done, place = number, end
        return b"\n".join((*kept, *lines[done:]))

    def _line(self, text: bytes) -> bytes | None:
        if len(text) > MAX_RECORD_BYTES:
            return None
        try:
            message = text.decode().rstrip("\r\n").replace("\r\n", "\n")
        except UnicodeDecodeError:
            return None
        return self._render(message).encode()


def tracebacks(language: str, *, may_be_wrapped: bool) -> Folder:
    """Fold the tracebacks of *language*, or of any (*auto*)."""
    finders: tuple[Find, ...] = LANGUAGES[language]

    def find(body: bytes) -> Iterable[Span]:
        return (span for finder in finders for span in finder(body))

    def open_at(body: bytes) -> int:
        return max((at(body) for at in OPEN.get(language, ())), default=-1)

    return Folder(find, open_at, _as_error, MARKS, may_be_wrapped=may_be_wrapped)


def records(expression: str, *, may_be_wrapped: bool) -> Folder:
    """Fold the records that begin with a line that matches *expression*."""
    from agents.processors.continued import Continued

    continued = Continued(expression)
    return Folder(continued.find, continued.open_at, _as_record, (), may_be_wrapped=may_be_wrapped)


def _as_error(message: str) -> str:
    return _json({"level": "error", "message": message})


def _json(record: object) -> str:
    return json.dumps(record, ensure_ascii=False)


def _line_start(body: bytes, number: int) -> int:
    """Give where line *number*, from 0, begins."""
    return len(body) - len(body.split(b"\n", number)[-1])


_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b")
_LOOK_CHARACTERS = 160


def _as_record(message: str) -> str:
    """Make a record of several lines: what the first one says about time and level, and the whole text."""
    first, _, rest = message.partition("\n")
    if _is_object(first):
        return f'{first.rstrip()[:-1]},"continued":{_json(rest)}}}'
    record: dict[str, object] = {}
    time = _TIME.search(first, 0, _LOOK_CHARACTERS)
    level = _LEVEL.search(first, 0, _LOOK_CHARACTERS)
    if time:
        record["timestamp"] = time[0]
    if level:
        record["level"] = level[0].lower()
    return _json(record | {"message": message})


def _is_object(text: str) -> bool:
    """Say whether *text* is a JSON object that holds something."""
    if not text.startswith("{"):
        return False
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and bool(fields)
