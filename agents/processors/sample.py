"""
A share of the lines of each severity: ``[sample]``.

Errors, and lines whose severity is not clear, are always kept. A line's severity is the highest that it names: beside
``level`` and its other spellings in JSON and logfmt (inside a container runtime's wrapping, too); in plain text as a word in
capitals or in brackets near the beginning, or klog's letter. Whether a line is kept depends on its bytes alone (CRC-32), so the
same bytes read again after a kill are decided the same way, and equal lines share their fate (dropped: *sampled*).

All loops over lines are C's (``map``), except over plain text, which takes ≈ 1.5 µs per line; what the distinct findings
mean is looked up once each. Costs: docs/adr/0016.
"""

import re
from collections.abc import Iterable
from itertools import compress, repeat
from operator import add, ge, not_
from zlib import crc32

from agents.processors import Tally
from agents.processors.filter import keep
from agents.settings_values import SampleSettings

_GIVEN = rb"""\\*["']?\s*[:=]\s*\\*["']?([a-z]+|[0-9]+)"""
# Each begins with a literal, which makes the search ten times as fast. "level" is also in loglevel and log.level.
_SPELLINGS = tuple(
    (spelling, re.compile(re.escape(spelling) + rest + _GIVEN))
    for spelling, rest in ((b"level", rb"(?:name)?"), (b"severity", b""), (b"lvl", b""), (b"@l", b""))
)
_CAPITALS = rb"TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|CRIT|SEVERE|PANIC|ALERT|EMERG"
_WORD = re.compile(
    rb'^(?:\{"log":")?[^{\n]{0,120}?\b((?:%b)\b|(?<=[\[<(])(?:%b)(?=[\]>)]))' % (_CAPITALS, _CAPITALS.lower())
)
_KLOG = re.compile(rb"^([IWEF])[0-9]{4} ")
_SEVERITIES = {
    "trace": b"trace verbose finest finer 10 t",
    "debug": b"debug fine dbg 20 d",
    "info": b"info information informational notice config 30 i",
    "warn": b"warn warning 40 w",
}
_RANKS = {word: rank for rank, words in enumerate(_SEVERITIES.values()) for word in words.split()}
_UNCLEAR = len(_SEVERITIES)
_ALWAYS = 1 << 32
_MOST_REMEMBERED = 4096


class _Limits(dict[tuple[bytes, ...], int]):
    """What a line names -> below which CRC it is kept; made as they come, forgotten when somebody makes up too many."""

    def __init__(self, shares: SampleSettings) -> None:
        super().__init__()
        kept = (shares.trace, shares.debug, shares.info, shares.warn, 1.0)
        self._limits = [round(share * _ALWAYS) for share in kept]

    def __missing__(self, named: tuple[bytes, ...]) -> int:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        ranks = [_RANKS.get(word.lower(), _UNCLEAR) for word in named]
        limit = self[named] = self._limits[max(ranks, default=_UNCLEAR)]
        return limit


class Sampler:
    """A processor; what it remembers changes no answer."""

    def __init__(self, shares: SampleSettings) -> None:
        self._limits = _Limits(shares)

    def __call__(self, body: bytes, tally: Tally) -> bytes:
        """Give the lines of *body* that are kept."""
        lines = body.split(b"\n")
        limits = map(self._limits.__getitem__, severities(body, lines))
        # Kept when limit > CRC, that is, not when CRC >= limit.
        return keep(body, map(not_, map(ge, map(crc32, lines), limits)), "sampled", tally)


def severities(body: bytes, lines: list[bytes]) -> list[tuple[bytes, ...]]:
    """Give the words by which each of *lines* names its severity."""
    lower = body.lower()
    low_lines = lower.split(b"\n")
    found: Iterable[list[bytes]] = repeat([], len(lines))
    for spelling, pattern in _SPELLINGS:
        if spelling in lower:
            found = map(add, found, map(pattern.findall, low_lines))
    named = list(map(tuple, found))
    _add_plain(lines, named)
    return named


def _add_plain(lines: list[bytes], named: list[tuple[bytes, ...]]) -> None:
    """Add what plain text says; JSON with a level needs no second look."""
    is_json = map(bytes.startswith, lines, repeat(b'{"'))
    plain = list(compress(range(len(lines)), map(not_, map(_both, is_json, named))))
    for number in plain:
        words = _WORD.findall(lines[number]) or _KLOG.findall(lines[number])
        if words:
            named[number] = (*named[number], *words)


def _both(first: object, second: object) -> bool:
    return bool(first and second)
