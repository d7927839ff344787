"""What the short expressions of our own kinds are made of: durations, numbers, matchers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from collector.alerting.expression import Matcher, parse_duration_s, parse_matchers

DURATION = r"(?:\d+(?:ms|[ywdhms]))+"
NUMBER = r"\d+(?:\.\d+)?"
MATCHERS = r"(?:\s*\{(?P<matchers>.*)\})?\s*"


def read_words(pattern: str, text: str, example: str) -> re.Match[str]:
    """
    Match *text*, whose end may be matchers.

    Raises:
        ValueError: It does not follow *pattern*; *example* does.
    """
    found = re.fullmatch(r"\s*" + pattern + MATCHERS, text, re.DOTALL)
    if found is None:
        raise ValueError(f"expected something like: {example}")
    return found


def matchers_of(found: re.Match[str], labels: Sequence[str], what: str) -> tuple[Matcher, ...]:
    """Read the matchers of *found*; *what* has these *labels*."""
    return parse_matchers(found["matchers"] or "", labels, what)


def seconds_of(found: re.Match[str], name: str, default_s: float) -> float:
    """Give the duration of the group *name*, *default_s* if it is not there."""
    return parse_duration_s(found[name]) if found[name] else default_s


def fit(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether *labels* meet all *matchers*."""
    return all(matcher.matches(labels) for matcher in matchers)
