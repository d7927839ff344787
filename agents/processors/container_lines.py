"""
Joins the pieces that a container runtime has cut a line into (at 16 KiB), so that a line is one record again.

``cri``     ``<time> stdout P <piece>`` until ``<time> stdout F <last piece>`` (kubernetes, CRI logging)
``docker``  ``{"log":"<piece>","stream":"stdout","time":"…"}`` until a ``log`` that ends with an escaped newline (json-file)

The two streams may be interleaved. A joined record stands where its last piece stood, with that one's time. What is rare is found by
``bytes.find``: a block without pieces costs two passes in C (none when its first line is not wrapped), and only from a piece
to its end are lines looked at one by one. Pieces whose end is not in the same block (a record of more than a block, a container that was killed) stay as they are;
the collector reads each of them alone.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_CRI_LINE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ \n]+ (stdout|stderr) ([FP]) ")
_CRI_PIECES = (b" stdout P ", b" stderr P ")
_HEADER_BYTES = 64  # a time of RFC 3339 with nanoseconds and zone is shorter
_DOCKER_HEAD = b'{"log":"'
_DOCKER_END = b'","stream":"'
_DOCKER_WHOLE = rb'\n","stream":"'
_DOCKER_ESCAPED = rb'\\n","stream":"'  # ends with a backslash and an n, or with a backslash and a newline
_SAME_LENGTH = rb'\n"_"stream":"'  # what hides the whole ones, so that only pieces are found


class Line(NamedTuple):
    """One wrapped line: [start, end) with its newline, what is written in [text_start, text_end), and whether that is its end."""

    start: int
    end: int
    stream: bytes
    text_start: int
    text_end: int
    last: bool


Parse = Callable[[bytes, int], "Line | None"]
Pieces = Callable[[bytes], Iterator[int]]


def join_cri(body: bytes) -> bytes:
    """Join the pieces in whole lines of the CRI format."""
    return _joined(body, _cri_pieces, _cri_line)


def join_docker(body: bytes) -> bytes:
    """Join the pieces in whole lines of docker's json-file."""
    return _joined(body, _docker_pieces, _docker_line)


def settled_cri(body: bytes) -> int:
    """Say how many bytes of *body* (whole lines, CRI) do not belong to a record whose last piece is still to come."""
    return _settled(body, _cri_pieces, _cri_line)


def settled_docker(body: bytes) -> int:
    """Say how many bytes of *body* (whole lines, json-file) do not belong to a record whose last piece is still to come."""
    return _settled(body, _docker_pieces, _docker_line)


def _joined(body: bytes, pieces: Pieces, parse: Parse) -> bytes:
    removed: dict[int, int] = {}
    replaced: dict[int, tuple[int, bytes]] = {}
    for record in _records(body, pieces, parse):
        if record[-1].last:
            removed |= {line.start: line.end for line in record[:-1]}
            replaced[record[-1].start] = (record[-1].end, _one(body, record))
    if not replaced:
        return body
    edits = {start: (end, b"") for start, end in removed.items()} | replaced
    parts: list[bytes] = []
    done = 0
    for start in sorted(edits):
        end, text = edits[start]
        parts += (body[done:start], text)
        done = end
    return b"".join((*parts, body[done:]))


def _one(body: bytes, record: Sequence[Line]) -> bytes:
    """Write a record as one line: the last piece's wrapping around all the text."""
    last = record[-1]
    texts = [body[line.text_start : line.text_end] for line in record]
    return b"".join((body[last.start : last.text_start], *texts, body[last.text_end : last.end]))


def _settled(body: bytes, pieces: Pieces, parse: Parse) -> int:
    return next(
        (record[0].start for record in _records(body, pieces, parse) if not record[-1].last), len(body)
    )


def _records(body: bytes, pieces: Pieces, parse: Parse) -> Iterator[list[Line]]:
    """Give each record that is in pieces, by its beginning, as far as it is in *body*."""
    if parse(body, 0) is None:  # a runtime wraps every line of its files
        return
    seen: set[int] = set()
    for start in pieces(body):
        line = None if start in seen else parse(body, start)
        if line is None or line.last:
            continue
        record = [line]
        while not record[-1].last and (following := _following(body, record[-1], parse)) is not None:
            record.append(following)
            seen.add(following.start)
        yield record


def _following(body: bytes, line: Line, parse: Parse) -> Line | None:
    """Find the next line of the same stream."""
    at = line.end
    while at < len(body):
        candidate = parse(body, at)
        if candidate is not None and candidate.stream == line.stream:
            return candidate
        at = candidate.end if candidate is not None else _line_end(body, at)
    return None


def _cri_pieces(body: bytes) -> Iterator[int]:
    found = sorted(start for tag in _CRI_PIECES for start in _starts(body, body, tag))
    return iter(found)


def _cri_line(body: bytes, start: int) -> Line | None:
    header = _CRI_LINE.match(body, start, start + _HEADER_BYTES)
    if header is None:
        return None
    end = _line_end(body, start)
    text_end = end - body.endswith(b"\n", start, end)
    text_end -= body.endswith(b"\r", start, text_end)
    return Line(start, end, header[1], min(header.end(), text_end), text_end, last=header[2] == b"F")


def _docker_pieces(body: bytes) -> Iterator[int]:
    """Give the lines that do not end with an escaped newline, and those that end with a backslash and an n."""
    found = set(_starts(body, body, _DOCKER_ESCAPED))
    if body.count(_DOCKER_END) != body.count(_DOCKER_WHOLE):
        found |= set(_starts(body, body.replace(_DOCKER_WHOLE, _SAME_LENGTH), _DOCKER_END))
    return iter(sorted(found))


def _docker_line(body: bytes, start: int) -> Line | None:
    if not body.startswith(_DOCKER_HEAD, start):
        return None
    end = _line_end(body, start)
    text_start = start + len(_DOCKER_HEAD)
    text_end = body.find(_DOCKER_END, text_start - 1, end)
    if text_end < 0:
        return None
    stream_at = text_end + len(_DOCKER_END)
    stream = body[stream_at : body.find(b'"', stream_at, end)]
    return Line(start, end, stream, text_start, text_end, last=_ends_line(body, text_start, text_end))


def _ends_line(body: bytes, start: int, end: int) -> bool:
    r"""Say whether the JSON text ends with an escaped newline; ``\\n`` is a backslash and an n."""
    if not body.endswith(b"\\n", start, end):
        return False
    before = body[max(start, end - 64) : end - 1]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _starts(body: bytes, searched: bytes, tag: bytes) -> Iterator[int]:
    """Give where the lines begin that hold *tag* in *searched*, which is as long as *body*."""
    at = searched.find(tag)
    while at >= 0:
        yield body.rfind(b"\n", 0, at) + 1
        at = searched.find(tag, _line_end(body, at))


def _line_end(body: bytes, at: int) -> int:
    end = body.find(b"\n", at)
    return end + 1 if end >= 0 else len(body)
