"""The parameters of a request: of the query string and of a form in the body, wrong ones in Prometheus' words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from collector.errors import Malformed, QueryError
from collector.query.matchers import Chosen, chosen, parse_selector
from collector.read.series import Span

# A form repeats match[]; nobody writes more by hand, and each is a condition.
_FIELDS = 1000
_SELECTORS = 100
_QUOTED_CHARS = 200
# The years 1 and 9999: what a time may be, and what an open end means.
_MIN_MS, _MAX_MS = -62_135_596_800_000, 253_402_300_799_999
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
# An int64 of nanoseconds.
_LONGEST_MS = 9_223_372_036_854
_UTF8_LABEL = re.compile(r"_([0-9a-fA-F]{1,6})_|__")


@dataclass(frozen=True, slots=True)
class Form:
    """
    What was asked.

    Attributes:
        pairs: Names and values in their order; those of the body first, which win.
    """

    pairs: Sequence[tuple[str, str]]

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of *name*."""
        return next((value for key, value in self.pairs if key == name), default)

    def texts(self, name: str) -> list[str]:
        """Return every value of *name*."""
        return [value for key, value in self.pairs if key == name]

    def time_ms(self, name: str, default: int | None = None) -> int:
        """Return the time *name* in ms since the epoch; *default* where it is left out."""
        text = self.text(name)
        if not text and default is not None:
            return default
        at_ms = _time_ms(text)
        if at_ms is None:
            raise _invalid(name, f"cannot parse {_quoted(text)} to a valid timestamp")
        return at_ms

    def duration_ms(self, name: str) -> int | None:
        """Return the duration *name* in ms, ``None`` where it is left out."""
        text = self.text(name)
        return self.required_duration_ms(name) if text else None

    def required_duration_ms(self, name: str) -> int:
        """Return the duration *name*: seconds, or ``5m``."""
        text = self.text(name)
        length_ms = _seconds_ms(text) if _FLOAT.fullmatch(text) else _duration_ms(text)
        if length_ms is None:
            raise _invalid(name, f"cannot parse {_quoted(text)} to a valid duration")
        if abs(length_ms) > _LONGEST_MS:
            raise _invalid(name, f"cannot parse {_quoted(text)} to a valid duration. It overflows int64")
        return length_ms

    def limit(self, name: str = "limit") -> int:
        """Return how many are wanted, 0 where any number is."""
        text = self.text(name)
        if not text:
            return 0
        if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) is None:
            raise _invalid(name, f"{_quoted(text)} is not a whole number")
        if int(text) < 0:
            raise _invalid(name, "limit must be non-negative")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return whether *name* is ``true``."""
        text = self.text(name).lower()
        if text in {"", "false", "f", "0"}:
            return False
        if text in {"true", "t", "1"}:
            return True
        raise _invalid(name, f"{_quoted(text)} is neither true nor false")

    def span(self) -> Span:
        """Return ``start`` to ``end``; an end left out is open."""
        span = Span(self.time_ms("start", _MIN_MS), self.time_ms("end", _MAX_MS))
        if span.end_ms < span.start_ms:
            raise _invalid("end", "end timestamp must not be before start timestamp")
        return span

    def chosen(self) -> Chosen:
        """Return what ``match[]`` chooses; all series where there is none."""
        texts = self.texts("match[]")
        if len(texts) > _SELECTORS:
            raise _invalid("match[]", f"{len(texts)} selectors; {_SELECTORS} are possible")
        return chosen([parse_selector(text) for text in texts])


def read_form(query: bytes, body: bytes) -> Form:
    """
    Read the query string and a body of ``application/x-www-form-urlencoded``.

    Raises:
        Malformed: ``bad_query``: too many fields, or not UTF-8.
    """
    try:
        pairs = [
            pair
            for part in (body, query)
            for pair in parse_qsl(
                part.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"
            )
        ]
    except ValueError as error:
        raise Malformed("bad_query", f"error parsing form values: {error}") from error
    return Form(pairs)


def label_name(text: str) -> str:
    """Return the label that a path names; ``U__`` begins one whose other characters are written as ``_<hex>_``."""
    if not text:
        raise QueryError("bad_parameter", 'invalid label name: ""', "name")
    return _UTF8_LABEL.sub(_character, text[3:]) if text.startswith("U__") else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else ord("_")
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\N{REPLACEMENT CHARACTER}"


def _invalid(name: str, why: str) -> QueryError:
    return QueryError("bad_parameter", f'invalid parameter "{name}": {why}', name)


def _quoted(text: str) -> str:
    return '"' + text[:_QUOTED_CHARS].replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time_ms(text: str) -> int | None:
    at_ms = _seconds_ms(text) if _FLOAT.fullmatch(text) else _rfc_3339_ms(text)
    return at_ms if at_ms is None else min(max(at_ms, _MIN_MS), _MAX_MS)


def _seconds_ms(text: str) -> int | None:
    seconds = float(text)
    if not math.isfinite(seconds * 1000):
        return None
    whole = math.trunc(seconds)
    return whole * 1000 + math.floor((seconds - whole) * 1000 + 0.5)


def _rfc_3339_ms(text: str) -> int | None:
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    zone = found[4].upper().replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
    except ValueError:
        return None
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86400 + whole.seconds) * 1000 + int((found[3] or "").ljust(3, "0")[:3])


def _duration_ms(text: str) -> int | None:
    found = _DURATION.fullmatch(text.removeprefix("-"))
    if not text.removeprefix("-") or found is None:
        return None
    length = sum(int(part) * unit for part, unit in zip(found.groups(), _UNITS_MS, strict=True) if part)
    return -length if text.startswith("-") else length
