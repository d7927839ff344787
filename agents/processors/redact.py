"""
Takes tokens, card numbers and e-mail addresses out of lines before they reach the disk.

Every pattern is linear in the block and never matches across a line's end, so lines stay lines. Cost on ≈ 400-byte JSON
lines is printed by ``benchmarks/agent.py``.
"""

import re

from agents.processors import Processor

_NAMED = re.compile(
    rb"""((?:pass(?:word|wd)|secret|token|api[_-]?key|access[_-]?key|authorization|cookie)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?)"""
    rb"""(?:(?:bearer|basic)[ \t]+)?[^\s"',;&}]{4,}""",
    re.IGNORECASE,
)
_BEARER = re.compile(rb"\b(bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_SHAPED = re.compile(
    rb"\b(?:eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JWT
    rb"|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abprs]-[A-Za-z0-9-]{10,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,})"
)
_CARD = re.compile(rb"(?<![0-9A-Za-z.])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_EMAIL = re.compile(
    rb"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_DOUBLED = bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9))  # a doubled digit's own digits, summed


def tokens(body: bytes) -> bytes:
    """Replace values beside secret-like keys, bearer tokens and tokens of well-known shapes by ``[token]``."""
    body = _NAMED.sub(rb"\1[token]", body)
    body = _BEARER.sub(rb"\1 [token]", body)
    return _SHAPED.sub(b"[token]", body)


def cards(body: bytes) -> bytes:
    """Replace numbers of 13 to 19 digits that begin like a card and pass Luhn's check by ``[card]``."""
    return _CARD.sub(_card_or_same, body)


def emails(body: bytes) -> bytes:
    """Replace e-mail addresses by ``[email]``."""
    return _EMAIL.sub(b"[email]", body) if b"@" in body else body


def luhn(digits: bytes) -> bool:
    """Check the last digit against the others (ISO/IEC 7812-1, annex B)."""
    values = [digit - 48 for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def _card_or_same(match: re.Match[bytes]) -> bytes:
    digits = match[0].replace(b" ", b"").replace(b"-", b"")
    return b"[card]" if luhn(digits) else match[0]


PRESETS: dict[str, Processor] = {"tokens": tokens, "cards": cards, "emails": emails}
