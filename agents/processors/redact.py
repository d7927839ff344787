"""
Takes tokens, card numbers and e-mail addresses out of lines before they reach the disk.

Python's ``re`` tries a pattern at every byte (≈ 5 MB/s for the ones below), so it is never let loose on a block: a C search
(``bytes.find``) for a literal that every match must hold finds the few places, and the pattern is matched only there.
Costs are printed by ``benchmarks/agent.py --redact``. Nothing matches across a line's end, so lines stay lines.
"""

import re
from collections.abc import Callable, Iterator

Span = tuple[int, int]

_VALUE = rb"""["']?[ \t]{0,4}[:=][ \t]{0,4}["']?((?:(?:bearer|basic)[ \t]+)?[^\s"',;&}]{4,})"""
_KEYS = (
    *(b"password", b"passwd", b"secret", b"token", b"authorization", b"cookie"),
    *(b"apikey", b"api_key", b"api-key", b"accesskey", b"access_key", b"access-key"),
)
_NAMED = re.compile(rb"[a-z]{3,24}+(?:[_-]key)?" + _VALUE, re.IGNORECASE)
_SCHEME = re.compile(rb"(?:bearer|basic)[ \t]+([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_SHAPES: tuple[tuple[bytes, re.Pattern[bytes]], ...] = (
    (b"eyJ", re.compile(rb"\b(eyJ[A-Za-z0-9_-]{8,1024}+\.[A-Za-z0-9_-]{8,4096}+\.[A-Za-z0-9_-]*)")),  # JWT
    (b"AKIA", re.compile(rb"\b(AKIA[0-9A-Z]{16})\b")),  # AWS access key id
    *((b"gh%c_" % kind, re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{30,})")) for kind in b"pousr"),  # GitHub
    (b"xox", re.compile(rb"\b(xox[abprs]-[A-Za-z0-9-]{10,})")),  # Slack
    *((b"%ck_live_" % kind, re.compile(rb"\b([rs]k_live_[A-Za-z0-9]{16,})")) for kind in b"rs"),  # Stripe
)
_CARD = re.compile(
    rb"(?<![0-9A-Za-z.])([2-6][0-9]{12,18}|[2-6][0-9]{3}(?:[ -][0-9]{4}){3}|3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5})(?![0-9A-Za-z])"
)
_SHADES = bytes(
    48 if chr(code).isdigit() and code < 128 else 45 if code in b" -" else 120 for code in range(256)
)
_CARD_SHADES = (b"0" * 13, b"0000-0000-0000-0000", b"0000-000000-00000")
_LOCAL = re.compile(rb"[A-Za-z0-9._%+-]{1,64}\Z")
_DOMAIN = re.compile(rb"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])")
_DOUBLED = bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9))  # a doubled digit's own digits, summed


def tokens(body: bytes) -> bytes:
    """Replace values beside secret-like keys, bearer tokens and tokens of well-known shapes by ``[token]``."""
    return _replaced(body, _token_spans(body), b"[token]")


def cards(body: bytes) -> bytes:
    """Replace card numbers (13 to 19 digits together or in the usual groups, Luhn's check passed) by ``[card]``."""
    return _replaced(body, _card_spans(body), b"[card]")


def emails(body: bytes) -> bytes:
    """Replace e-mail addresses by ``[email]``."""
    return _replaced(body, _email_spans(body), b"[email]")


def luhn(digits: bytes) -> bool:
    """Check the last digit against the others (ISO/IEC 7812-1, annex B)."""
    values = [digit - 48 for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def _token_spans(body: bytes) -> Iterator[Span]:
    lower = body.lower()
    for key in _KEYS:
        yield from _matches(_NAMED, body, lower, key)
    for scheme in (b"bearer", b"basic"):
        yield from _matches(_SCHEME, body, lower, scheme)
    for literal, pattern in _SHAPES:
        yield from _matches(pattern, body, body, literal)


def _card_spans(body: bytes) -> Iterator[Span]:
    shaded = body.translate(_SHADES)
    for shade in _CARD_SHADES:
        for start, end in _matches(_CARD, body, shaded, shade):
            if luhn(body[start:end].translate(None, b" -")):
                yield start, end


def _email_spans(body: bytes) -> Iterator[Span]:
    for start, end in _matches(_DOMAIN, body, body, b"@"):
        local = _LOCAL.search(body, max(0, start - 64), start)
        if local:
            yield local.start(), end


def _matches(pattern: re.Pattern[bytes], body: bytes, searched: bytes, literal: bytes) -> Iterator[Span]:
    """Match *pattern* wherever *literal* stands in *searched*; give the span of its last group, else of the whole."""
    group = pattern.groups
    at = searched.find(literal)
    while at >= 0:
        found = pattern.match(body, at)
        if found:
            yield found.span(group)
        at = searched.find(literal, found.end() if found else at + len(literal))


def _replaced(body: bytes, spans: Iterator[Span], replacement: bytes) -> bytes:
    """Put *replacement* for every span; overlapping ones become one."""
    pieces: list[bytes] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            pieces += (body[done:start], replacement)
        done = max(done, end)
    return b"".join((*pieces, body[done:])) if pieces else body


PRESETS: dict[str, Callable[[bytes], bytes]] = {"tokens": tokens, "cards": cards, "emails": emails}
