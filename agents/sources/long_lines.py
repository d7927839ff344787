"""
Lines beyond ``max_line_bytes``: the beginning is kept and marked, the rest is left out and counted (*line_too_long*).

The mark is text at the line's end, so that the collector shows it in the record's body whatever its format (a JSON line
that was cut is text already). Bytes are counted exactly, lines once each.
"""

from agents.processors import Tally

REASON = "line_too_long"
MARK = b" [cut: line_too_long]"


def cut_long(body: bytes, limit: int, tally: Tally) -> bytes:
    """
    Cut every line of *body* that is longer than *limit* bytes, its end not counted.

    Looks at one place per *limit* bytes or line, whichever is longer: a line that is short enough costs nothing beside others.
    """
    parts: list[bytes] = []
    done = start = 0
    while len(body) - start > limit:
        end = body.rfind(b"\n", start, start + limit + 1)
        if end >= 0:
            start = end + 1
            continue
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        parts += (body[done:start], shortened(body[start:end], limit, tally))
        start = done = min(len(body), end + 1)
    return b"".join((*parts, body[done:])) if parts else body


def shortened(line: bytes, limit: int, tally: Tally) -> bytes:
    """Keep at most *limit* bytes of *line* (no end), none of them half a UTF-8 character, with the mark and a line's end."""
    kept = min(limit, len(line))
    while limit - 3 < kept < len(line) and line[kept] & 0xC0 == 0x80:
        kept -= 1
    tally.count(REASON, 1, len(line) - kept)
    return line[:kept] + MARK + b"\n"
