"""
``{{ $labels.breaker }}`` and ``{{ $value }}`` in labels and annotations: Prometheus' simple case.

Checked when the rule file is read, so that nobody finds a broken sentence at 3 a.m.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

ACTION = re.compile(r"\{\{-?\s*(?P<inside>.*?)\s*-?\}\}", re.DOTALL)
LABEL = re.compile(r"\$labels\.(\w+)")


def check_template(text: str, labels: Collection[str] | None, *, value: bool = True) -> None:
    """
    Check every action of *text*.

    Args:
        text: The template.
        labels: Names that will exist; ``None`` = any may.
        value: Whether ``$value`` may be used.

    Raises:
        ValueError: An action is not known, a label will not exist, or a brace is left over.
    """
    for match in ACTION.finditer(text):
        inside = match["inside"]
        label = LABEL.fullmatch(inside)
        if label and labels is not None and label[1] not in labels:
            raise ValueError(f"there will be no label {label[1]!r}; known: {', '.join(sorted(labels))}")
        if not label and not (value and inside == "$value"):
            raise ValueError(f"{match[0]!r} is not known; use {{{{ $labels.<name> }}}} or {{{{ $value }}}}")
    if "{{" in ACTION.sub("", text):
        raise ValueError("a '{{' is not closed")


def render(text: str, labels: Mapping[str, str], value: float) -> str:
    """Fill a checked template; an absent label is ""."""

    def fill(match: re.Match[str]) -> str:
        label = LABEL.fullmatch(match["inside"])
        return labels.get(label[1], "") if label else number(value)

    return ACTION.sub(fill, text)


def number(value: float) -> str:
    """Write seconds as people read them: at most one decimal, no trailing zero."""
    return f"{value:.1f}".removesuffix(".0")
