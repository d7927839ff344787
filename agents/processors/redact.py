"""
Takes secrets out of lines before they reach the disk.

``presets``    tokens, cards, emails, jwts, cloud_keys (``shapes``)
``keys``       values beside the names that the settings give (``keyed``)
``patterns``   what the settings' expressions match (``patterns``)

Nothing matches across a line's end, so lines stay lines. Of spans that overlap the first one counts, and of those that begin
at the same place the most specific kind. What was put in is counted by kind in ``Redactions``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from agents.processors import Processor, Redactions, Tally
from agents.processors.keyed import key_spans
from agents.processors.patterns import LinePattern
from agents.processors.shapes import SHAPES, Shape, Span, card_spans, email_spans, shape_spans
from agents.settings_values import RedactSettings

Finder = Callable[[bytes, bytes], Iterable[Span]]
"""(block, the block in lower case) -> spans with what to put in."""
KINDS = ("keys", "jwts", "cloud_keys", "cards", "emails", "tokens", "patterns")  # the most specific first
PUT_IN = b"[redacted]"
PUT_IN_FOR = {"jwts": b"[jwt]", "cloud_keys": b"[cloud_key]", "tokens": b"[token]"}
UNSEEN = b"[redacted: the pattern took too long]"


def redaction(settings: RedactSettings, redactions: Redactions) -> Sequence[Processor]:
    """Make what *settings* ask for; nothing when they ask for nothing."""
    processors: list[Processor] = []
    finders = _finders(settings)
    if finders:
        processors.append(partial(_take_out, finders, redactions))
    if settings.patterns:
        patterns = [LinePattern(expression) for expression in settings.patterns]
        processors.append(partial(_take_matches_out, patterns, redactions))
    return processors


def _finders(settings: RedactSettings) -> list[tuple[str, Finder]]:
    """Give the finders with their kinds, the most specific first; what two presets look for is looked for once."""
    finders: list[tuple[str, Finder]] = []
    if settings.keys:
        finders.append(
            ("keys", partial(key_spans, tuple(key.lower().encode() for key in settings.keys), PUT_IN))
        )
    taken: set[Shape] = set()
    for kind in KINDS:
        if kind not in settings.presets:
            continue
        if kind in SHAPES:
            shapes = [shape for shape in SHAPES[kind] if shape not in taken]
            taken.update(shapes)
            finders.append((kind, partial(shape_spans, shapes, PUT_IN_FOR[kind])))
        else:
            finders.append((kind, card_spans if kind == "cards" else email_spans))
    return finders


def _take_out(finders: Sequence[tuple[str, Finder]], redactions: Redactions, body: bytes, _: Tally) -> bytes:
    lower = body.lower()
    found = [
        (start, rank, end, replacement)
        for rank, (_kind, find) in enumerate(finders)
        for start, end, replacement in find(body, lower)
    ]
    if not found:
        return body
    pieces: list[bytes] = []
    made = [0] * len(finders)
    done = 0
    for start, rank, end, replacement in sorted(found):
        if start >= done:
            pieces += (body[done:start], replacement)
            made[rank] += 1
        done = max(done, end)
    for (kind, _find), count in zip(finders, made, strict=True):
        if count:
            redactions.count(kind, count)
    return b"".join((*pieces, body[done:]))


def _take_matches_out(
    patterns: Sequence[LinePattern], redactions: Redactions, body: bytes, _: Tally
) -> bytes:
    for pattern in patterns:
        if not pattern.may_match(body):
            continue
        lines = body.split(b"\n")
        made = pattern.replace(lines, body, PUT_IN, UNSEEN)
        if made:
            redactions.count("patterns", made)
            body = b"\n".join(lines)
    return body
