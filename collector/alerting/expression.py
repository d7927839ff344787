"""
The text after ``breaker:`` in a rule file: ``open for 15s {env="demo", service=~"check.*"}``.

::

    open for DURATION [ "{" matcher { "," matcher } [","] "}" ]
    DURATION   Prometheus': 15s, 1m30s, 500ms, 2h, 1d; units y w d h m s ms, largest first
    matcher    LABEL ("=" | "!=" | "=~" | "!~") "string"; LABEL one of SUBJECT_LABELS;
               regular expressions are anchored at both ends, as in Prometheus
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUBJECT_LABELS = ("service", "env", "breaker", "target", "instance")

LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

EXPRESSION = re.compile(r"\s*open\s+for\s+(?P<duration>[^\s{]+)\s*(?:\{(?P<matchers>.*)\}\s*)?", re.DOTALL)
MATCHER = re.compile(r'\s*(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*")\s*(?:,|$)')
DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
UNIT_S = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


@dataclass(frozen=True)
class Matcher:
    """One condition on a subject label."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether *labels* meet it; an absent label is ""."""
        actual = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (actual == self.value) == (self.operator == "=")
        return bool(re.fullmatch(self.value, actual)) == (self.operator == "=~")


@dataclass(frozen=True)
class BreakerExpression:
    """Which breakers, and how many seconds they must not have closed."""

    for_s: float
    matchers: tuple[Matcher, ...]


def parse_expression(text: str) -> BreakerExpression:
    """
    Read the text after ``breaker:``.

    Raises:
        ValueError: It does not follow the grammar; the sentence says where.
    """
    match = EXPRESSION.fullmatch(text)
    if match is None:
        raise ValueError(
            'expected "open for <duration>", then optional matchers, like: open for 15s {env="demo"}'
        )
    matchers = parse_matchers(match["matchers"] or "", SUBJECT_LABELS, "breakers")
    return BreakerExpression(parse_duration_s(match["duration"]), matchers)


def parse_duration_s(text: str) -> float:
    """
    Read a Prometheus duration as seconds.

    Raises:
        ValueError: It is not one.
    """
    match = DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration: write 15s, 1m30s, 500ms, 2h")
    return sum(int(count) * UNIT_S[unit] for unit, count in match.groupdict().items() if count)


def parse_matchers(text: str, labels: Sequence[str], what: str) -> tuple[Matcher, ...]:
    """
    Read what stands between braces.

    Args:
        text: Without the braces.
        labels: That may be named.
        what: Has them, in the plural.

    Raises:
        ValueError: It does not follow the grammar, or names another label.
    """
    found = []
    position = 0
    while text[position:].strip():
        match = MATCHER.match(text, position)
        if match is None:
            raise ValueError(f'expected label="value" at {text[position:].strip()!r}')
        if match["label"] not in labels:
            raise ValueError(f"{what} have no label {match['label']!r}; known: {', '.join(labels)}")
        found.append(_matcher(match["label"], match["operator"], match["value"]))
        position = match.end()
    return tuple(found)


def _matcher(label: str, operator: str, quoted: str) -> Matcher:
    try:
        value = json.loads(quoted)
    except ValueError as error:
        raise ValueError(f"{quoted} is not a string: {error}") from error
    if operator in ("=~", "!~"):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
    return Matcher(label, operator, value)
