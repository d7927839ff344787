"""
Where secrets of known shapes stand in a block.

Python's ``re`` tries a pattern at every byte (≈ 200 MB/s when it does not begin with a literal, and two dozen of them would
have to be tried), so it is never let loose on a block: a C search (``bytes.find``, 1.5–3 GB/s) for a literal that every match
must hold finds the few places, and the pattern is matched only there. Costs: docs/adr/0016.

Sources: the vendors' published formats of keys; RFC 7519 (JWT); ISO/IEC 7812-1 (card numbers).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Span = tuple[int, int, bytes]
"""[start, end) and what to put in."""


class Shape(NamedTuple):
    """
    One kind of secret.

    Attributes:
        name: What every match holds, which is looked for; in lower case, when *folded*. A literal, or an expression that
            begins with one: several literals in one search.
        pattern: Matched *back* bytes in front of it; its group is the secret.
    """

    name: bytes | re.Pattern[bytes]
    pattern: re.Pattern[bytes]
    back: int = 0
    folded: bool = False


_VALUE = rb"""[\\"']{0,4}[ \t]{0,4}[:=][ \t]{0,4}[\\"']{0,4}((?:(?:bearer|basic)[ \t]+)?(?:[^\s"',;&}\\]|\\(?!["'\\])){4,})"""
_ASSIGNED = rb"""[\\"']*[ \t]*[:=][ \t]*[\\"']*"""
_FREE = rb"(?<![A-Za-z0-9_])"  # not inside a longer word


def _named(literal: bytes | re.Pattern[bytes], name: bytes) -> Shape:
    return Shape(literal, re.compile(name + _VALUE, re.IGNORECASE), folded=True)


_WORD = rb"[a-z]{3,24}+(?:[_-]key)?"
_NAMED = (
    *(_named(key, _WORD) for key in (b"passw", b"secret", b"token", b"authorization", b"cookie")),
    _named(re.compile(rb"api[_-]?key"), _WORD),
    _named(b"access", rb"access[_-]?key"),
    *(
        Shape(scheme, re.compile(scheme + rb"[ \t]+([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE), folded=True)
        for scheme in (b"bearer", b"basic")
    ),
)
_JWT = (
    Shape(
        b"eyJ", re.compile(_FREE + rb"(eyJ[A-Za-z0-9_-]{8,1024}+\.[A-Za-z0-9_-]{8,4096}+\.[A-Za-z0-9_-]*)")
    ),
)
_CLOUD = (
    Shape(  # AWS, Google
        re.compile(rb"A(?:KIA|SIA|Iza)"),
        re.compile(_FREE + rb"(A[KS]IA[0-9A-Z]{16}(?![0-9A-Za-z_])|AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-]))"),
    ),
    Shape(b"ya29.", re.compile(_FREE + rb"(ya29\.[0-9A-Za-z._-]{20,})")),
    Shape(re.compile(rb"gh[pousr]_"), re.compile(_FREE + rb"(gh[pousr]_[A-Za-z0-9]{30,})")),  # GitHub
    Shape(b"github_pat_", re.compile(_FREE + rb"(github_pat_[A-Za-z0-9_]{22,})")),
    Shape(re.compile(rb"xox[abeprs]-"), re.compile(_FREE + rb"(xox[abeprs]-[A-Za-z0-9-]{10,})")),  # Slack
    Shape(b"xapp-", re.compile(_FREE + rb"(xapp-[A-Za-z0-9-]{10,})")),
    Shape(  # Stripe
        re.compile(rb"k_(?:live|test)_"),
        re.compile(_FREE + rb"([rs]k_(?:live|test)_[A-Za-z0-9]{16,})"),
        back=1,
    ),
    Shape(
        b"-----BEGIN ",
        re.compile(
            rb"(-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----(?:(?!-----END)[^\n\x22])*+(?:-----END [A-Z0-9 ]{0,40}-----)?)"
        ),
    ),
    Shape(  # AWS secret access keys and session tokens have no shape of their own
        b"secret",
        re.compile(rb"secret_?access_?key" + _ASSIGNED + rb"([A-Za-z0-9/+]{40})", re.IGNORECASE),
        folded=True,
    ),
    Shape(
        b"session",
        re.compile(rb"session_?token" + _ASSIGNED + rb"([A-Za-z0-9/+=]{60,})", re.IGNORECASE),
        folded=True,
    ),
    Shape(
        b"accountkey=", re.compile(rb"accountkey=([A-Za-z0-9+/]{40,}={0,2})", re.IGNORECASE), folded=True
    ),  # Azure
    Shape(b"sig=", re.compile(rb"(?<=[?&;])sig=([A-Za-z0-9%/+]{40,}={0,2})", re.IGNORECASE), folded=True),
)
_BARE = tuple(shape for shape in _CLOUD if not shape.folded)
"""What is a secret wherever it stands."""
SHAPES: dict[str, tuple[Shape, ...]] = {
    "jwts": _JWT,
    "cloud_keys": _CLOUD,
    "tokens": (*_NAMED, *_JWT, *_BARE),
}

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


def shape_spans(shapes: Sequence[Shape], replacement: bytes, body: bytes, lower: bytes) -> Iterator[Span]:
    """Find secrets of these *shapes*."""
    for shape in shapes:
        searched = lower if shape.folded else body
        for start, end in _matches(shape.pattern, body, searched, shape.name, shape.back):
            yield start, end, replacement


def card_spans(body: bytes, _lower: bytes) -> Iterator[Span]:
    """Find card numbers: 13 to 19 digits together or in the usual groups, Luhn's check passed."""
    shaded = body.translate(_SHADES)
    for shade in _CARD_SHADES:
        for start, end in _matches(_CARD, body, shaded, shade):
            if luhn(body[start:end].translate(None, b" -")):
                yield start, end, b"[card]"


def email_spans(body: bytes, _lower: bytes) -> Iterator[Span]:
    """Find e-mail addresses."""
    for start, end in _matches(_DOMAIN, body, body, b"@"):
        local = _LOCAL.search(body, max(0, start - 64), start)
        if local:
            yield local.start(), end, b"[email]"


def luhn(digits: bytes) -> bool:
    """Check the last digit against the others (ISO/IEC 7812-1, annex B)."""
    values = [digit - 48 for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def _matches(
    pattern: re.Pattern[bytes],
    body: bytes,
    searched: bytes,
    name: bytes | re.Pattern[bytes],
    back: int = 0,
) -> Iterator[tuple[int, int]]:
    """Match *pattern* wherever *name* stands in *searched*; give the span of its last group, else of the whole."""
    group = pattern.groups
    done = 0
    for at in _places(name, searched):
        found = pattern.match(body, at - back) if at >= max(back, done) else None
        if found:
            yield found.span(group)
            done = found.end()


def _places(name: bytes | re.Pattern[bytes], searched: bytes) -> Iterator[int]:
    if isinstance(name, re.Pattern):
        for found in name.finditer(searched):
            yield found.start()
        return
    at = searched.find(name)
    while at >= 0:
        yield at
        at = searched.find(name, at + len(name))
