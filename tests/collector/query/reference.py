"""
The slow reference: does a record fit a search? Plain Python over the parsed tree, one record at a time.

It says what the language means; the compiler says the same to ClickHouse. Nothing here is taken from the compiler.
"""

import re

from collector.query.grammar import (
    AllOf,
    AnyOf,
    Comparison,
    Field,
    Not,
    Phrase,
    Range,
    Regex,
    pieces,
    unescape,
)
from collector.query.severity import severity_range

_TEXT_COLUMNS = {"service", "env", "batch_id"}
_HEX_COLUMNS = {"trace_id", "span_id"}
_SPACE = " \t\n\f\r"


def holds(node, row, field=None):
    """Whether *row* fits *node*, which is about *field*; None = the body, by bare words."""
    if isinstance(node, AllOf):
        return all(holds(part, row, field) for part in node.nodes)
    if isinstance(node, AnyOf):
        return any(holds(part, row, field) for part in node.nodes)
    if isinstance(node, Not):
        return not holds(node.node, row, field)
    if isinstance(node, Field):
        return holds(node.test, row, node.name)
    return _fits(node, row, field)


def _fits(test, row, field):  # noqa: PLR0911 - one line per kind of field
    everything = (getattr(test, "pattern", None) == "*" and not isinstance(test, Regex)) or (
        isinstance(test, Range) and test.low is None and test.high is None
    )
    if field is None:
        return everything or _fits_body(test, row["body"])
    if field == "body":
        return row["body"] != "" if everything else _fits_body(test, row["body"])
    if field in _TEXT_COLUMNS:
        return row[field] != "" if everything else _fits_text(test, row[field])
    if field in _HEX_COLUMNS:
        return row[field] != "" if everything else _fits_text(test, row[field], lowered=True)
    if field == "severity":
        return row["severity_number"] > 0 if everything else _fits_severity(test, row)
    if field in {"line", "severity_number"}:
        return everything or _fits_number(test, row[field])
    value = row["attributes"].get(field, row["resource"].get(field))
    return value is not None and (everything or _fits_attribute(test, value))


def _fits_body(test, body):
    if isinstance(test, Regex):
        return re.search(test.pattern, body, re.DOTALL) is not None
    if isinstance(test, Comparison | Range):
        return _between(test, body)
    if not isinstance(test, Phrase) and test.wildcards:
        return _token_wildcard(test.pattern, lower(body))
    wanted, had = tokens(lower(test.text)), tokens(lower(body))
    if not wanted:
        return lower(test.text) in lower(body)
    return any(had[at : at + len(wanted)] == wanted for at in range(len(had)))


def _token_wildcard(pattern, body):
    """By trying every place: stars and question marks stand for anything but white space, literal ends for token ends."""
    parts = [part if part in "*?" else lower(unescape(part)) for part in pieces(pattern)]
    marks = [part if part in ("*", "?") else None for part in pieces(pattern)]
    ends_left = marks[0] is None and _in_token(parts[0])
    ends_right = marks[-1] is None and _in_token(parts[-1])
    for begin in range(len(body) + 1):
        if ends_left and begin > 0 and _in_token(body[begin - 1]):
            continue
        for end in _ends(parts, marks, body, {begin}):
            if not (ends_right and end < len(body) and _in_token(body[end])):
                return True
    return False


def _ends(parts, marks, body, places):
    """Where a match that is at *places* may end."""
    for part, kind in zip(parts, marks, strict=True):
        if kind == "*":
            reached = set()
            for place in places:
                reached.add(place)
                at = place
                while at < len(body) and body[at] not in _SPACE:
                    at += 1
                    reached.add(at)
            places = reached
        elif kind == "?":
            places = {place + 1 for place in places if place < len(body) and body[place] not in _SPACE}
        else:
            places = {place + len(part) for place in places if body.startswith(part, place)}
    return places


def _fits_text(test, value, *, lowered=False):
    change = lower if lowered else str
    if isinstance(test, Regex):
        return re.search(test.pattern, value, re.DOTALL) is not None
    if isinstance(test, Comparison | Range):
        return _between(test, value)
    if not isinstance(test, Phrase) and test.wildcards:
        return _whole_wildcard(change(test.pattern), value)
    return change(test.text) == value


def _whole_wildcard(pattern, value):
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(unescape(part))) for part in pieces(pattern))
    return re.fullmatch(regex, value, re.DOTALL) is not None


def _fits_severity(test, row):
    had = row["severity_number"]
    if isinstance(test, Regex):
        return re.search(test.pattern, row["severity"]) is not None
    if isinstance(test, Comparison | Range):
        bounds = [(op, severity_range(text)) for op, text in limits(test)]
        return had > 0 and all(
            _compare(had, op, high if op in {">", "<="} else low) for op, (low, high) in bounds
        )
    if not isinstance(test, Phrase) and test.wildcards:
        return _whole_wildcard(lower(test.pattern), row["severity"])
    low, high = severity_range(test.text)
    return low <= had <= high


def _fits_number(test, had):
    if isinstance(test, Comparison | Range):
        return all(_compare(had, op, float(text)) for op, text in limits(test))
    return had == float(test.text)


def _fits_attribute(test, value):
    """As numbers where both sides are, else as text; what stands in quotes is text."""
    if isinstance(test, Comparison | Range):
        bounds = limits(test)
        if all(typed_number(text) is not None for _, text in bounds):
            had = stored_number(value)
            return had is not None and all(_compare(had, op, typed_number(text)) for op, text in bounds)
        return _between(test, value)
    if isinstance(test, Phrase | Regex) or test.wildcards:
        return _fits_text(test, value)
    number = typed_number(test.text)
    if number is None or sum(letter.isdecimal() for letter in test.text) > 15:
        return value == test.text
    return value == test.text or stored_number(value) == number


def _between(test, value):
    return all(_compare(value.encode(), op, text.encode()) for op, text in limits(test))


def limits(test):
    """Operator and bound, at most two."""
    if isinstance(test, Comparison):
        return [(test.operator, test.bound)]
    low = [(">=" if test.low_included else ">", test.low)] if test.low is not None else []
    return low + ([("<=" if test.high_included else "<", test.high)] if test.high is not None else [])


def _compare(left, operator, right):
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def typed_number(text):
    """A number as people type it, or None."""
    fits = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text)
    return float(text) if fits else None


def stored_number(text):
    """A number as services write it, or None; NaN is one that equals nothing."""
    fits = re.fullmatch(r"[+-]?(inf|infinity|nan)", text.lower())
    return float(text) if fits else typed_number(text)


def tokens(text):
    """Split at everything of ASCII that is no letter or digit."""
    return re.findall(r"[^\x00-/:-@\[-`{-\x7f]+", text)


def lower(text):
    """Lower ASCII only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _in_token(text):
    return bool(tokens(text))
