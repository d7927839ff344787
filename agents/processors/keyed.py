"""
Values beside given names: ``"name": "v"``, numbers, objects and lists in JSON, JSON inside a JSON string, ``name=v``.

A name is matched whole, whatever its case. In JSON the value keeps its quotes (and a number gets some), so JSON stays JSON.
What is not closed on its line goes to the line's end. Cost: one C search per name; each place found takes a few µs in Python,
linear in the value's length.
"""

import re
from collections.abc import Iterator, Sequence

from agents.processors.shapes import Span

_BEFORE = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_AFTER = re.compile(rb"""(\\*["'])?[ \t]{0,8}[:=][ \t]{0,8}""")
_OPENED = re.compile(rb"""(\\*)(["'])""")
_SCALAR = re.compile(rb"""[^\s"',}\]]+""")  # in JSON
_BARE = re.compile(rb"""(?:(?:bearer|basic)[ \t]+)?[^\s"',;&})]+""", re.IGNORECASE)
_ENDS = {b'"': re.compile(rb'(?<!\\)\\*+"|\n'), b"'": re.compile(rb"(?<!\\)\\*+'|\n")}
_NESTING = re.compile(rb'(?<!\\)\\*+"|[\[\]{}\n]')


def key_spans(keys: Sequence[bytes], replacement: bytes, body: bytes, lower: bytes) -> Iterator[Span]:
    """Find the values of *keys* (in lower case) in *body*; *lower* is the same in lower case."""
    for key in keys:
        at = lower.find(key)
        while at >= 0:
            span = _value(body, lower, at, at + len(key), replacement)
            if span:
                yield span
            at = lower.find(key, max(span[1], at + 1) if span else at + 1)


def _value(body: bytes, lower: bytes, start: int, end: int, replacement: bytes) -> Span | None:
    if start and lower[start - 1] in _BEFORE:
        return None
    assigned = _AFTER.match(body, end)
    if not assigned:
        return None
    begin = assigned.end()
    opened = _OPENED.match(body, begin)
    if opened:
        quote, slashes = opened[2], len(opened[1])
        stop = _string_end(body, opened.end(), quote, slashes)
        return (opened.end(), stop, replacement) if stop > opened.end() else None
    quoted = assigned[1] or b""
    if quoted and body[begin : begin + 1] in {b"{", b"["}:
        return begin, _nesting_end(body, begin, len(quoted) - 1), quoted + replacement + quoted
    bare = (_SCALAR if quoted else _BARE).match(body, begin)
    return (begin, bare.end(), quoted + replacement + quoted) if bare else None


def _string_end(body: bytes, begin: int, quote: bytes, slashes: int) -> int:
    """Find the quote that closes a string whose opening one has *slashes* backslashes in front, or the line's end."""
    for found in _ENDS[quote].finditer(body, begin):
        if found[0] == b"\n":
            return _before_return(body, begin, found.start())
        before = len(found[0]) - 1
        if before % (2 * (slashes + 1)) == slashes:
            return found.end() - 1 - slashes
    return _before_return(body, begin, len(body))


def _nesting_end(body: bytes, begin: int, slashes: int) -> int:
    """Find where the object or list that begins at *begin* ends, or the line's end."""
    depth = 0
    inside = False
    for found in _NESTING.finditer(body, begin):
        mark = found[0]
        if mark == b"\n":
            return _before_return(body, begin, found.start())
        if mark.endswith(b'"'):
            closes = (len(mark) - 1) % (2 * (slashes + 1)) == slashes
            inside = inside != closes
        elif not inside:
            depth += 1 if mark in b"[{" else -1
            if not depth:
                return found.end()
    return _before_return(body, begin, len(body))


def _before_return(body: bytes, begin: int, end: int) -> int:
    return end - 1 if end > begin and body[end - 1] == 13 else end
