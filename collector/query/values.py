"""
One test of one value -> SQL.

``Subject`` says what is compared; the functions give a condition that is 0 or 1, never NULL. Words and phrases on a
text column go by *token* (letters and digits of ASCII, and everything beyond ASCII; case does not matter in ASCII),
so that the token index over ``lower(column)`` can skip granules; all other texts are compared whole and exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from collector.errors import QueryError
from collector.query.grammar import Comparison, Phrase, Range, Regex, Test, Word, pieces, unescape
from collector.query.severity import severity_range
from collector.query.window import parse_time, sql_time

# What ClickHouse's hasToken takes as the gap between two tokens, and as a token's character.
_GAP = r"[\x00-/:-@\[-`{-\x7f]"
_TOKEN = re.compile(r"[^\x00-/:-@\[-`{-\x7f]+")
_EDGES = (r"(?:^|" + _GAP + ")", "(?:" + _GAP + "|$)")
# Decimal digits that a Float64 keeps apart.
_EXACT_DIGITS = 15
Bind = Callable[[str, object], str]


class Kind(Enum):
    """How a value is compared."""

    TOKENS = "tokens"  # free text, by token
    EXACT = "exact"  # a whole text
    HEX = "hex"  # a whole text, stored in lower case
    NUMBER = "number"
    TIME = "time"
    SEVERITY = "severity"
    ATTRIBUTE = "attribute"  # a whole text, or a number when the other side is one


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What a test is about.

    Attributes:
        name: As people write it, for errors.
        sql: The expression of its value.
        kind: How it is compared.
        exists: Condition that it is there at all.
    """

    name: str
    sql: str
    kind: Kind
    exists: str


def condition(subject: Subject, test: Test, bind: Bind, now_ns: int) -> str:
    """
    Compile *test* on *subject*.

    Args:
        subject: What is compared.
        test: With what.
        bind: ``(ClickHouse type, value)`` -> the place in the SQL that stands for it.
        now_ns: What relative times refer to.

    Raises:
        QueryError: The value does not fit the field (a word where a number is needed, an unknown severity).
    """
    if isinstance(test, Word) and test.pattern == "*":
        return subject.exists
    if isinstance(test, Regex):
        return f"match({_text(subject, test.pattern)}, {bind('String', test.pattern)})"
    if isinstance(test, Word) and test.wildcards:
        return _wildcard(subject, test, bind)
    if isinstance(test, Word | Phrase):
        return _equal(subject, test, bind, now_ns)
    return _ordered(subject, test, bind, now_ns)


def _text(subject: Subject, typed: str) -> str:
    """Give the expression of *subject* as text, for patterns."""
    if subject.kind in (Kind.NUMBER, Kind.TIME):
        raise _misfit(subject, typed, "a value, not a pattern")
    return "severity" if subject.kind is Kind.SEVERITY else subject.sql


def _wildcard(subject: Subject, word: Word, bind: Bind) -> str:
    if subject.kind is Kind.TOKENS:
        return _wildcard_by_token(subject.sql, word, bind)
    stored_lower = subject.kind in (Kind.HEX, Kind.SEVERITY)
    pattern = _ascii_lower(word.pattern) if stored_lower else word.pattern
    return f"{_text(subject, word.text)} LIKE {bind('String', _like(pattern))}"


def _wildcard_by_token(sql: str, word: Word, bind: Bind) -> str:
    conditions = [
        f"hasToken(lower({sql}), {bind('String', token)})"
        for token in dict.fromkeys(_whole_tokens(word.pattern))
    ]
    conditions.append(f"match(lower({sql}), {bind('String', _token_pattern(word.pattern))})")
    return conditions[0] if len(conditions) == 1 else f"({' AND '.join(conditions)})"


def _whole_tokens(pattern: str) -> list[str]:
    """Return the tokens that whatever fits *pattern* has: ``pay`` of ``pay-ment*``. They are what the index knows."""
    # a wildcard becomes a letter that glues itself to what stands beside it, and takes it out
    literal = "".join("\U0010ffff" if part in ("*", "?") else unescape(part) for part in pieces(pattern))
    return [token for token in _TOKEN.findall(_ascii_lower(literal)) if "\U0010ffff" not in token]


def _token_pattern(pattern: str) -> str:
    """Write a wildcard word as RE2 over the lower-cased text; its ends are token ends unless they are wildcards."""
    parts = pieces(pattern)
    middle = "".join(
        {"*": r"\S*", "?": r"\S"}.get(part, _literal(_ascii_lower(unescape(part)))) for part in parts
    )
    left = _EDGES[0] if _TOKEN.fullmatch(unescape(parts[0])) and parts[0] not in "*?" else ""
    right = _EDGES[1] if _TOKEN.fullmatch(unescape(parts[-1])) and parts[-1] not in "*?" else ""
    return left + middle + right


def _literal(text: str) -> str:
    return re.sub(r"([^\w\s]|_)", r"\\\1", text, flags=re.ASCII) if text.isascii() else text


def _like(pattern: str) -> str:
    def piece(part: str) -> str:
        if part in ("*", "?"):
            return "%" if part == "*" else "_"
        return re.sub(r"([%_\\])", r"\\\1", unescape(part))

    return "".join(piece(part) for part in pieces(pattern))


def _equal(subject: Subject, test: Word | Phrase, bind: Bind, now_ns: int) -> str:
    text = test.text
    match subject.kind:
        case Kind.TOKENS:
            return _by_token(subject.sql, text, bind)
        case Kind.SEVERITY:
            low, high = _severity(text)
            return f"{subject.sql} BETWEEN {bind('UInt8', low)} AND {bind('UInt8', high)}"
        case Kind.ATTRIBUTE:
            return _equal_attribute(subject, test, bind)
        case Kind.TIME:
            place = _time(subject, text, bind, now_ns)
        case Kind.NUMBER:
            place = bind("Float64", _number_of(subject, text))
        case Kind.HEX:
            place = bind("String", text.lower())
        case Kind.EXACT:
            place = bind("String", text)
    return f"{subject.sql} = {place}"


def _equal_attribute(subject: Subject, test: Word | Phrase, bind: Bind) -> str:
    exact = f"{subject.sql} = {bind('String', test.text)}"
    number = _number(test.text) if isinstance(test, Word) and not _long_number(test.text) else None
    if number is None:
        return exact
    return f"({exact} OR ifNull(toFloat64OrNull({subject.sql}) = {bind('Float64', number)}, 0))"


def _by_token(sql: str, text: str, bind: Bind) -> str:
    lowered = _ascii_lower(text)
    tokens = _TOKEN.findall(lowered)
    if not tokens:
        return f"position(lower({sql}), {bind('String', lowered)}) > 0"
    conditions = [f"hasToken(lower({sql}), {bind('String', token)})" for token in dict.fromkeys(tokens)]
    if len(tokens) > 1:
        phrase = _EDGES[0] + (_GAP + "+").join(_literal(token) for token in tokens) + _EDGES[1]
        conditions.append(f"match(lower({sql}), {bind('String', phrase)})")
    return conditions[0] if len(conditions) == 1 else f"({' AND '.join(conditions)})"


def _ascii_lower(text: str) -> str:
    """Lower ASCII letters only, as ClickHouse's lower() does."""
    return "".join(character.lower() if character.isascii() else character for character in text)


def _ordered(subject: Subject, test: Comparison | Range, bind: Bind, now_ns: int) -> str:
    limits = _limits(test)
    texts = [text for _, text in limits]
    if not limits:
        return subject.exists
    if subject.kind is Kind.SEVERITY:
        parts = [_severity_limit(subject.sql, operator, text, bind) for operator, text in limits]
        return f"({subject.sql} > 0 AND {' AND '.join(parts)})"
    if subject.kind is Kind.TIME:
        parts = [
            f"{subject.sql} {operator} {_time(subject, text, bind, now_ns)}" for operator, text in limits
        ]
    elif subject.kind is Kind.NUMBER:
        parts = [f"{subject.sql} {op} {bind('Float64', _number_of(subject, text))}" for op, text in limits]
    elif subject.kind is Kind.ATTRIBUTE and all(_number(text) is not None for text in texts):
        value = f"toFloat64OrNull({subject.sql})"
        parts = [f"ifNull({value} {op} {bind('Float64', _number(text))}, 0)" for op, text in limits]
    else:
        parts = [f"{subject.sql} {operator} {bind('String', text)}" for operator, text in limits]
    return f"({' AND '.join(parts)})"


def _limits(test: Comparison | Range) -> list[tuple[str, str]]:
    if isinstance(test, Comparison):
        return [(test.operator, test.bound)]
    limits = []
    if test.low is not None:
        limits.append((">=" if test.low_included else ">", test.low))
    if test.high is not None:
        limits.append(("<=" if test.high_included else "<", test.high))
    return limits


def _severity_limit(sql: str, operator: str, text: str, bind: Bind) -> str:
    low, high = _severity(text)
    # ">error" lies above the whole of error, ">=error" begins with its lowest number
    return f"{sql} {operator} {bind('UInt8', high if operator in ('>', '<=') else low)}"


def _severity(text: str) -> tuple[int, int]:
    found = severity_range(text)
    if found is None:
        names = "trace, debug, info, warn, error, fatal or a number 0 to 24"
        raise QueryError("bad_value", f"{text!r} is not a severity; use {names}", "query")
    return found


def _time(subject: Subject, text: str, bind: Bind, now_ns: int) -> str:
    try:
        return bind("DateTime64(9, 'UTC')", sql_time(parse_time(text, subject.name, now_ns)))
    except QueryError as error:
        raise QueryError("bad_value", error.message, "query") from error


def _number_of(subject: Subject, text: str) -> float:
    number = _number(text)
    if number is None:
        raise _misfit(subject, text, "a number")
    return number


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text, re.ASCII) else None


def _long_number(text: str) -> bool:
    """Whether a Float64 would take the number for its neighbours: an identifier, not a quantity."""
    return sum(letter.isdecimal() for letter in text) > _EXACT_DIGITS


def _misfit(subject: Subject, text: str, wanted: str) -> QueryError:
    return QueryError(
        "bad_value", f"{subject.name}:{text} cannot be compared; {subject.name} needs {wanted}", "query"
    )
