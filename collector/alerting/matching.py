r"""
Matchers on labels, as Prometheus and Alertmanager write them: ``severity="page"``, ``service=~"pay.*|bank"``.

::

    {"{"} matcher { "," matcher } {"}"}          braces may be left out
    matcher   NAME ("=" | "!=" | "=~" | "!~") ( "string" | bare word )

An absent label is "". Expressions are RE2's, anchored at both ends: what Prometheus takes is taken, and no
expression that somebody posts can hold up a round (RE2 needs time linear in the text).
Source: Alertmanager documentation, "Matchers".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import re2

Operator = Literal["=", "!=", "=~", "!~"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# Far longer than what people write by hand.
VALUE_CHARS = 2000
MATCHERS_MOST = 50

_ONE = re.compile(
    r'\s*(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s,"{}]*)\s*(?:,|$)'
)
# Escapes of an expression ("\d") are no escapes of JSON: they stay as they are.
_NOT_JSON = re.compile(r'\\(?!["\\/bfnrtu])')
_MEMORY = 1 << 20


@dataclass(frozen=True)
class LabelMatcher:
    """
    One condition on one label.

    Raises:
        ValueError: The name, or the expression, is none; the sentence quotes it.
    """

    name: str
    operator: Operator
    value: str
    _pattern: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a label name: letters, digits, '_', not a digit first")
        if self.operator not in ("=", "!=", "=~", "!~"):
            raise ValueError(f"{self.operator!r} is no operator; known: = != =~ !~")
        if len(self.value) > VALUE_CHARS:
            raise ValueError(
                f"the value for {self.name!r} has {len(self.value)} characters, at most {VALUE_CHARS}"
            )
        if self.operator in ("=~", "!~"):
            object.__setattr__(self, "_pattern", _compiled(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether *labels* meet it."""
        actual = labels.get(self.name, "")
        if self._pattern is None:
            return (actual == self.value) == (self.operator == "=")
        return bool(self._pattern.fullmatch(actual)) == (self.operator == "=~")

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{json.dumps(self.value, ensure_ascii=False)}"


Matchers = tuple[LabelMatcher, ...]


def all_match(matchers: Iterable[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Whether *labels* meet every one."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matchers(text: str) -> Matchers:
    """
    Read matchers.

    Args:
        text: ``severity="page", service=~"pay.*"``, with or without braces; "" = none.

    Raises:
        ValueError: It does not follow the grammar; the sentence quotes where.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    found: list[LabelMatcher] = []
    position = 0
    while inner[position:].strip():
        match = _ONE.match(inner, position)
        if match is None:
            raise ValueError(f'expected label="value" at {inner[position:].strip()[:100]!r}')
        found.append(LabelMatcher(match["name"], _operator(match["operator"]), _unquoted(match["value"])))
        position = match.end()
    if len(found) > MATCHERS_MOST:
        raise ValueError(f"{len(found)} matchers, at most {MATCHERS_MOST}")
    return tuple(found)


def _operator(text: str) -> Operator:
    operators: dict[str, Operator] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}
    return operators[text]


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(_NOT_JSON.sub(r"\\\\", text), strict=False))
    except ValueError as error:
        raise ValueError(f"{text} is not a string: {error}") from error


def _compiled(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True  # as Prometheus compiles them
    options.max_mem = _MEMORY
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"{text[:200]!r} is not a regular expression: {words}") from error
